"""A front desk without a database: the real loop and guards over the simulator's model."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from app.assistant import prompt
from app.assistant.answering import _own_words
from app.assistant.conversing import Finished, Job, converse
from app.assistant.profiles import Fact, Profile
from app.assistant.prompt import Known, Situation
from app.assistant.tools.builtin import ResolveDate
from app.assistant.tools.grounding import ungrounded
from app.assistant.tools.port import Tool, ToolContext, ToolResult, refused
from app.core.errors import ProviderError
from app.core.ports import PastMessage
from app.llm.openai import _body, _decode
from app.llm.port import ChatAnswer, ChatRequest, ToolCall, ToolSpec, Usage
from simulator.http import Request
from simulator.model.modes import Mode, ModelMode, ScriptItem
from simulator.model.service import ModelService

NOWHERE = UUID(int=0)
MONDAY = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
PROFILE = Profile(
    persona="Speaks as the bakery's front desk and never of the secret recipe of Aunt Maud.",
    rules=["Never offer a discount above five percent to anybody at any time."],
    facts=[
        Fact("address", "14 Lantern Street"),
        Fact("opening hours", "Tuesday to Friday 7:30 to 17:30, Sunday 9:00 to 14:00"),
        Fact("website", "https://bakery.example"),
        Fact("phone", "+353 1 555 0100"),
    ],
)


class SimulatedModel:
    """The simulator's model service, called without a socket."""

    def __init__(self, mode: Mode, script: Sequence[ScriptItem] = ()) -> None:
        self.mode = ModelMode(mode=mode, script=list(script))
        self.service = ModelService(self.mode)
        self.requests: list[dict[str, Any]] = []

    async def complete(self, request: ChatRequest) -> ChatAnswer:
        body = _body(request)
        self.requests.append(body)
        answer = await self.service.handle(
            Request(
                method="POST",
                path="/v1/chat/completions",
                query={},
                headers={"authorization": "Bearer k"},
                body=json.dumps(body).encode(),
            )
        )
        if answer.status != 200:
            raise ProviderError("llm", "failed", status_code=answer.status)
        told = json.loads(answer.body)
        message, used = told["choices"][0]["message"], told["usage"]
        usage = Usage(used["prompt_tokens"], used["completion_tokens"])
        calls = [
            ToolCall(c["id"], c["function"]["name"], c["function"]["arguments"])
            for c in message.get("tool_calls") or []
        ]
        if calls:
            return ChatAnswer({}, told["model"], usage, calls)
        return ChatAnswer(_decode(message["content"], truncated=False), told["model"], usage)


CANCEL = ToolSpec(
    "cancel_order",
    "Cancels an order of the customer.",
    {
        "type": "object",
        "additionalProperties": False,
        "properties": {"order_id": {"type": "string", "maxLength": 20}},
        "required": ["order_id"],
    },
)


@dataclass
class CancelOrder:
    """A tool of the business that changes something; remembers how it was called."""

    answer: str = '{"status": "cancelled"}'
    called: list[Mapping[str, Any]] = field(default_factory=list)
    trusted_host: str | None = "api.bakery.example"
    spec: ToolSpec = CANCEL

    async def run(
        self, context: ToolContext, arguments: Mapping[str, Any], known: frozenset[str]
    ) -> ToolResult:
        if ungrounded(arguments, self.spec.parameters, context.said, known):
            return refused("Ask the customer for it.")
        self.called.append(arguments)
        return ToolResult("ok", self.answer, acted=True)


def customer(text: str, *, kind: str = "text") -> PastMessage:
    return PastMessage("customer", kind, text, MONDAY, unanswered=True)


def situation(*texts: str, **more: Any) -> Situation:
    return Situation(
        **{
            "business": "Harbour Bakery",
            "profile": PROFILE,
            "local_time": MONDAY,
            "time_zone": "UTC",
            "opening": "",
            "history": [customer(text) for text in texts],
            **more,
        }
    )


async def ask(
    model: Any,
    scene: Situation,
    *,
    passages: Sequence[Known] = (),
    tools: Sequence[Tool] | None = None,
    models: Sequence[str] = ("m",),
) -> tuple[Finished, prompt.Prompt]:
    made = prompt.build(scene, passages)
    said = "\n".join(_own_words(m) for m in scene.history if m.author == "customer")
    context = ToolContext(NOWHERE, NOWHERE, NOWHERE, NOWHERE, NOWHERE, scene.business, MONDAY, said)
    offered = [ResolveDate()] if tools is None else tools
    job = Job(scene, made, passages, offered, context, models, timeout_s=5)
    return await converse(model, job), made


def told(text: str) -> SimpleNamespace:
    """A curated answer."""
    return SimpleNamespace(id=NOWHERE, question="Open?", answer=text)
