"""Ports that upper layers fill in at assembly, so that lower layers need not know them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection


class Doorbell(Protocol):
    """Tells workers that there is work. Carries no input; losing a ring costs seconds."""

    async def ring(self, queue: str) -> None:
        """Ring for a queue (``ingest``, ``reply``); failures are logged, not raised."""
        ...


@dataclass(frozen=True, slots=True)
class PastMessage:
    """One message of the history. ``author`` is customer, assistant, owner or agent."""

    author: str
    kind: str
    text: str
    sent_at: datetime
    unanswered: bool


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be answered: a turn, with the conversation so far (oldest first)."""

    tenant_id: UUID
    conversation_id: UUID
    turn_id: UUID
    history: Sequence[PastMessage]
    first_reply: bool
    customer_name: str | None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A prompt that is ready, and the most it can cost.

    Attributes:
        model: the model to be asked, as prices know it.
        input_tokens_max: upper bound of the prompt's tokens over all calls.
        output_tokens_max: upper bound of the answer's tokens over all calls.
        prompt: opaque to everyone but the answerer.
    """

    model: str
    input_tokens_max: int
    output_tokens_max: int
    prompt: Any = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What to say, and who goes on.

    Attributes:
        bubbles: texts to send, in order; empty when nothing should be said.
        handover_reason: set when people take over, else None.
    """

    bubbles: Sequence[str] = field(repr=False)
    handover_reason: str | None
    handover_summary: str | None = field(repr=False)
    used_sources: Sequence[str]
    model: str
    input_tokens: int
    output_tokens: int
    prompt_version: str


class Answerer(Protocol):
    """Writes replies. The turn calls it and knows nothing of models, prompts or knowledge."""

    async def prepare(
        self, connection: AsyncConnection, questions: Sequence[Question]
    ) -> list[Prepared]:
        """Build the prompts of one tenant's questions inside its transaction (reads only)."""
        ...

    async def answer(self, prepared: Prepared) -> Answer:
        """Ask the model, outside any transaction; ProviderError when it cannot."""
        ...
