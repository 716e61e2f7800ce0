"""The world behind our two ports, for state machines: a model, a limiter, a WAHA with phones.

Every text the model writes is unlike any other, so that what a phone shows tells whose reply
it is, and how often it was said.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from app.channels.port import ChannelAccess
from app.core.errors import ProviderError
from app.core.faults import fault_point
from app.core.limits.types import Check, Verdict
from app.core.ports import Answer, Prepared
from tests.engine import events
from tests.engine.ports import ScriptedAnswerer, Shown, model_down, says, waha_refuses


def _no_answer() -> ProviderError:
    return ProviderError("waha", "no answer", ambiguous=True)


# What a sendText may meet: whether WhatsApp has the text afterwards, and what we are told.
OUTCOMES: dict[str, tuple[bool, Callable[[], ProviderError] | None]] = {
    "taken": (True, None),
    "refused for good": (False, lambda: waha_refuses(400)),
    "session away": (False, lambda: waha_refuses(422)),
    "failed": (False, lambda: waha_refuses(500)),
    "failed after all": (True, lambda: waha_refuses(500)),
    "lost on the way": (False, _no_answer),
    "answer lost": (True, _no_answer),
}
ANSWERS = ("one", "three", "handover", "silent handover", "nothing", "down", "refused")


class Writer(ScriptedAnswerer):
    """A model that never says the same twice and remembers for which turn it said what."""

    def __init__(self) -> None:
        super().__init__()
        self.kinds: list[str] = []
        self.turn_of: dict[str, UUID] = {}
        self.answer_of: dict[str, int] = {}
        self._said = 0

    async def answer(self, prepared: Prepared) -> Answer:
        kind = self.kinds.pop(0) if self.kinds else "one"
        self._said += 1
        count = {"three": 3, "silent handover": 0, "nothing": 0}.get(kind, 1)
        texts = [f"reply {self._said}.{n}" for n in range(count)]
        for each in texts:
            self.turn_of[each] = prepared.prompt.turn_id
            self.answer_of[each] = self._said
        failure = {"down": {}, "refused": {"retryable": False}}.get(kind)
        handover = "customer_request" if "handover" in kind else None
        self.script = [
            says(*texts, handover=handover) if failure is None else model_down(**failure)
        ]
        return await super().answer(prepared)


class Turnstile:
    """A limiter that refuses as often as it is told to."""

    def __init__(self) -> None:
        self.refusals = 0

    async def decide(self, checks: Sequence[Check], **_: Any) -> Verdict:
        refused = self.refusals > 0
        self.refusals -= refused
        return Verdict(not refused, checks[0].policy.name, 3.0 * refused, 1, 1.0, 60)

    async def decide_many(self, decisions: Sequence[Sequence[Check]], **_: Any) -> list[Verdict]:
        return [await self.decide(checks) for checks in decisions]

    async def close(self) -> None:
        """Nothing is open."""


@dataclass
class Phone:
    """WAHA and the phones behind it. With ``honours`` one client id shows once.

    ``outcomes`` holds what the coming sends meet; without an entry they are taken.
    ``before_call`` is told of a text when the worker is about to call. ``typed`` are the texts
    that the owner wrote by hand, ``said_at_desk`` what people wrote in the inbox, in that order.
    """

    honours: bool
    outcomes: list[str] = field(default_factory=list)
    bubbles: list[Shown] = field(default_factory=list)
    typed: set[str] = field(default_factory=set)
    said_at_desk: list[str] = field(default_factory=list)
    ids_offered: dict[str, set[str | None]] = field(default_factory=lambda: defaultdict(set))
    listing_away: bool = False
    before_call: Callable[[str], Awaitable[None]] = field(init=False)
    last_outcome: str | None = None

    def honours_client_id(self, access: ChannelAccess) -> bool:
        del access
        return self.honours

    async def mark_seen(self, access: ChannelAccess, chat: str) -> None:
        del access, chat
        fault_point("send.before_seen")

    async def set_typing(self, access: ChannelAccess, chat: str, *, on: bool) -> None:
        del access, chat, on
        fault_point("send.before_typing")

    async def send_text(
        self, access: ChannelAccess, chat: str, text: str, client_id: str | None
    ) -> str | None:
        del access
        fault_point("send.before_provider_call")
        self.ids_offered[text].add(client_id)
        self.last_outcome = self.outcomes.pop(0) if self.outcomes else "taken"
        taken, failure = OUTCOMES[self.last_outcome]
        wa_id = self._show(chat, text, client_id) if taken else None
        if failure is not None:
            raise failure()
        fault_point("send.after_provider_accepted")
        return wa_id

    def _show(self, chat: str, text: str, client_id: str | None) -> str:
        if self.honours and client_id:
            if any(shown.wa_id == client_id for shown in self.bubbles):
                return client_id
            wa_id = client_id
        else:
            wa_id = f"3A{len(self.bubbles):018d}"
        self.bubbles.append(Shown(chat, text, wa_id))
        return wa_id

    # What WAHA lists of the past.

    async def list_messages(self, access: ChannelAccess, **_: Any) -> list[Mapping[str, Any]]:
        del access
        if self.listing_away:
            raise ProviderError("waha", "WAHA answered 500", status_code=500)
        return [
            events.message(s.chat, s.text, from_me=True, wa_id=s.wa_id, source="api")
            for s in reversed(self.bubbles)
        ]

    async def list_chats(self, access: ChannelAccess, **_: Any) -> list[tuple[str, bool]]:
        del access
        return [(chat, True) for chat in {s.chat for s in self.bubbles}]

    async def phone_of_lid(self, access: ChannelAccess, lid: str) -> str | None:
        del access, lid
        return None
