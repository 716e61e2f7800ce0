"""What a tool is: something that the model may ask for and product code does, within bounds.

The model chooses a tool and its declared arguments, nothing else. Who the customer is, which
business it is for and where a request goes is filled in by product code.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from app.assistant.prompt import Known
from app.llm.port import ToolSpec


@dataclass(frozen=True, slots=True)
class ToolContext:
    """For whom a tool is called.

    Attributes:
        said: everything the customer wrote in this conversation.
        rehearsal: nobody real is behind it (the playground): nothing may be changed or sent.
    """

    tenant_id: UUID
    conversation_id: UUID
    contact_id: UUID
    channel_id: UUID
    turn_id: UUID
    business: str
    local_time: datetime
    said: str = field(repr=False)
    rehearsal: bool = False


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool answered.

    Attributes:
        outcome: ``ok``, ``refused`` (the call was not allowed) or ``failed``.
        text: told to the model, as data.
        acted: True when it changed something outside: the reply may say so.
        reports: True when a system of the business told it.
        handover: reason and summary when the conversation is to go to people.
        passages: knowledge that it found.
        scalars: single values of its answer, which a later call may name.
    """

    outcome: str
    text: str = field(repr=False)
    acted: bool = False
    reports: bool = False
    handover: tuple[str, str] | None = None
    passages: Sequence[Known] = ()
    scalars: frozenset[str] = frozenset()


class Tool(Protocol):
    """One tool of one conversation's business."""

    @property
    def spec(self) -> ToolSpec:
        """What the model is told of it."""
        ...

    @property
    def trusted_host(self) -> str | None:
        """The host of the business's own system behind it, which replies may link to."""
        ...

    async def run(
        self, context: ToolContext, arguments: Mapping[str, Any], known: frozenset[str]
    ) -> ToolResult:
        """Do it. Arguments fit the schema; ``known`` are values of earlier results."""
        ...


def refused(text: str) -> ToolResult:
    """Return the result of a call that is not allowed."""
    return ToolResult("refused", text)
