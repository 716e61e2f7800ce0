"""Ports that upper layers fill in at assembly, so that lower layers need not know them."""

from collections.abc import Mapping, Sequence
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
class Reading:
    """What a file says: words heard, a picture described, a document's first pages.

    ``audio_ms``, ``pages`` and tokens are what reading it took, as the price list counts it.
    """

    text: str = field(repr=False)
    model: str | None = None
    audio_ms: int = 0
    pages: int = 0
    input_tokens: int = 0
    output_tokens: int = 0


@dataclass(frozen=True, slots=True)
class FileUse:
    """What reading one file took; ``model`` is the one that read it, None where none did."""

    model: str | None
    audio_ms: int = 0
    pages: int = 0
    input_tokens: int = 0
    output_tokens: int = 0


class MediaReader(Protocol):
    """Reads files for the assistant, outside any transaction."""

    async def read(
        self, kind: str, content_type: str, name: str, data: bytes, *, duration_ms: int | None
    ) -> Reading | None:
        """Return what a file says; None when it says nothing that can be put into words.

        Args:
            kind: ``audio``, ``image`` or ``document``.
            content_type: what the file really is.
            name: a safe name with the fitting extension.
            data: the whole file.
            duration_ms: how long a recording lasts.

        Raises:
            ProviderError: the model that reads could not; a later try may succeed.
        """
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
    contact_id: UUID
    channel_id: UUID
    files: Sequence[FileUse] = ()
    """What reading the files in question took; part of the turn's price."""
    fixed_reply: str | None = field(default=None, repr=False)
    """Words that are the answer as they stand, behind the opening: nothing is left to ask."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A prompt that is ready, and the most it can cost.

    Attributes:
        model: the model to be asked, as prices know it.
        input_tokens_max: upper bound of the prompt's tokens over all calls.
        output_tokens_max: upper bound of the answer's tokens over all calls.
        prompt: opaque to everyone but the answerer.
        free: True when no model will be asked: the business wrote this answer itself.
        files: what reading the files in question took; the turn adds it.
    """

    model: str
    input_tokens_max: int
    output_tokens_max: int
    prompt: Any = field(repr=False)
    free: bool = False
    files: Sequence[FileUse] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What to say, and who goes on.

    Attributes:
        bubbles: texts to send, in order; empty when nothing should be said.
        opening: what the first of them begins with and must not be parted from, where it does.
        handover_reason: set when people take over, else None.
        input_tokens: over all calls, as the provider counted them.
        output_tokens: over all calls.
        trace: how it came about, without any text of the customer; stored with the reply.
        forgotten_until: when history did not fit the prompt, the newest message left out.
        lesson: what the answerer writes down when this answer is stored; opaque to others.
    """

    bubbles: Sequence[str] = field(repr=False)
    handover_reason: str | None
    handover_summary: str | None = field(repr=False)
    used_sources: Sequence[str]
    model: str
    input_tokens: int
    output_tokens: int
    prompt_version: str
    trace: Mapping[str, Any] = field(default_factory=dict, repr=False)
    forgotten_until: datetime | None = None
    lesson: Any = field(default=None, repr=False)
    opening: str = field(default="", repr=False)


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

    async def learn(
        self, connection: AsyncConnection, tenant_id: UUID, lessons: Sequence[Any]
    ) -> None:
        """Write lessons of a tenant's answers down, in the transaction that stores these."""
        ...
