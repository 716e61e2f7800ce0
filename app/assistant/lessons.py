"""What an answer teaches the business: a question without an answer, an answer that was used.

Written in the transaction that stores the reply, so that a reply which another worker made, or
which came too late, leaves nothing behind.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from app.assistant.knowledge import curated, unanswered


@dataclass(frozen=True, slots=True)
class Used:
    """An approved pair answered a customer as it stands."""

    pair_id: UUID


@dataclass(frozen=True, slots=True)
class Missing:
    """The assistant handed over, because nothing it knows answers this."""

    question: str = field(repr=False)
    conversation_id: UUID


async def write(
    connection: AsyncConnection, tenant_id: UUID, lessons: Sequence[Used | Missing]
) -> None:
    """Write down the lessons of some answers; at most one statement for each kind."""
    used = Counter(each.pair_id for each in lessons if isinstance(each, Used))
    if used:
        await curated.count_uses(connection, tenant_id, used)
    missing = [(m.question, m.conversation_id) for m in lessons if isinstance(m, Missing)]
    if missing:
        await unanswered.note_all(connection, tenant_id, missing)
