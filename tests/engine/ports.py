"""Our two ports, scripted: an answerer that says what it is told, a phone that remembers."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from app.channels.port import Attachment, ChannelAccess
from app.core.errors import ProviderError
from app.core.faults import fault_point
from app.core.ports import Answer, Prepared, Question

MODEL = "test-model"
Step = Answer | Exception | Callable[[], Awaitable[Answer | None]]


class ProcessGone(BaseException):  # what `kill -9` looks like from inside
    """Nothing behind this runs: no handler, no clean-up."""


def says(*bubbles: str, handover: str | None = None) -> Answer:
    return Answer(
        bubbles=list(bubbles),
        handover_reason=handover,
        handover_summary=None,
        used_sources=(),
        model=MODEL,
        input_tokens=10,
        output_tokens=5,
        prompt_version="test",
    )


def model_down(**more: Any) -> ProviderError:
    return ProviderError("llm", "answered 503", status_code=503, **more)


def waha_refuses(status: int) -> ProviderError:
    """The failure of a send as WAHA's client tells it."""
    return ProviderError(
        "waha",
        f"WAHA answered {status}",
        status_code=status,
        ambiguous=status >= 500,
        retryable=status == 422 or status >= 500,
    )


@dataclass
class ScriptedAnswerer:
    """Answers by its script, then echoes; ``asked`` holds every question that cost a call."""

    script: list[Step] = field(default_factory=list)
    asked: list[Question] = field(default_factory=list)

    async def prepare(
        self, connection: AsyncConnection, questions: Sequence[Question]
    ) -> list[Prepared]:
        del connection
        return [Prepared(MODEL, 100, 50, question) for question in questions]

    async def answer(self, prepared: Prepared) -> Answer:
        question: Question = prepared.prompt
        fault_point("model.before_call")
        self.asked.append(question)
        step = self.script.pop(0) if self.script else self._echo(question)
        if isinstance(step, Exception):
            raise step
        answer = step if isinstance(step, Answer) else await step() or self._echo(question)
        fault_point("model.after_answer")
        return answer

    async def learn(self, *_: object) -> None:
        raise AssertionError("nothing is learnt here")

    @staticmethod
    def texts(question: Question) -> list[str]:
        return [m.text for m in question.history if m.unanswered]

    def _echo(self, question: Question) -> Answer:
        return says(question.fixed_reply or " + ".join(self.texts(question)))


@dataclass(frozen=True)
class Shown:
    """A bubble on a customer's phone."""

    chat: str
    text: str
    wa_id: str


@dataclass
class ScriptedSender:
    """A WAHA with a phone behind it.

    ``script`` holds one entry for each coming sendText: None goes well, ``refuse`` raises
    before WhatsApp has it, ``lose`` after. With ``honours`` one client id shows once.
    """

    honours: bool = True
    script: list[ProviderError | None] = field(default_factory=list)
    effect_first: bool = False
    calls: list[tuple[str, str, str | None]] = field(default_factory=list)
    phone: list[Shown] = field(default_factory=list)
    gestures: list[str] = field(default_factory=list)
    pause: asyncio.Event | None = None

    def honours_client_id(self, access: ChannelAccess) -> bool:
        del access
        return self.honours

    async def mark_seen(self, access: ChannelAccess, chat: str) -> None:
        del access, chat
        fault_point("send.before_seen")
        self.gestures.append("seen")

    async def set_typing(self, access: ChannelAccess, chat: str, *, on: bool) -> None:
        del access, chat
        fault_point("send.before_typing")
        self.gestures.append("typing" if on else "idle")

    async def send_text(
        self, access: ChannelAccess, chat: str, text: str, client_id: str | None
    ) -> str | None:
        del access
        fault_point("send.before_provider_call")
        self.calls.append((chat, text, client_id))
        if self.pause is not None:
            await self.pause.wait()
        failure = self.script.pop(0) if self.script else None
        if failure is not None and not self.effect_first:
            raise failure
        wa_id = self._show(chat, text, client_id)
        if failure is not None:
            raise failure
        fault_point("send.after_provider_accepted")
        return wa_id

    async def send_media(
        self, access: ChannelAccess, chat: str, attachment: Attachment, caption: str | None
    ) -> str | None:
        del access
        fault_point("send.before_provider_call")
        self.calls.append((chat, attachment.name, None))
        wa_id = self._show(chat, caption or attachment.name, None)
        fault_point("send.after_provider_accepted")
        return wa_id

    def lose(self, *statuses: int) -> None:
        """WhatsApp gets the next texts, but we are told of a failure."""
        self.effect_first = True
        self.script = [waha_refuses(status) for status in statuses]

    def refuse(self, *statuses: int) -> None:
        """The next texts never reach WhatsApp."""
        self.effect_first = False
        self.script = [waha_refuses(status) for status in statuses]

    def texts(self) -> Sequence[str]:
        return [shown.text for shown in self.phone]

    def _show(self, chat: str, text: str, client_id: str | None) -> str:
        if self.honours and client_id:
            wa_id = client_id
            if any(shown.wa_id == wa_id for shown in self.phone):
                return wa_id
        else:
            wa_id = f"3A{len(self.phone):018d}"
        self.phone.append(Shown(chat, text, wa_id))
        return wa_id
