"""Questions and answers that people wrote: listed, added, changed, approved, removed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core import ids
from app.core.errors import NotFoundError, RefusedError
from app.core.text import storable

QUESTION_CHARS_MAX = 500
ANSWER_CHARS_MAX = 4_000
ALTERNATIVES_MAX = 20
PAIRS_MAX = 5_000

_COLUMNS = "id, question, answer, alternatives, status, origin, used_count, used_at, updated_at"
_LIST = text(
    f"""
    select {_COLUMNS} from question_answers
    where tenant_id = :tenant_id and (cast(:status as text) is null or status = :status)
      and (cast(:word as text) is null or question ilike :word or answer ilike :word)
      and (cast(:after_id as uuid) is null or id < :after_id)
    order by id desc limit :rows_max
    """  # noqa: S608 - our own words
)
_ONE = text(
    f"select {_COLUMNS} from question_answers where tenant_id = :tenant_id and id = :id"  # noqa: S608
)
_COUNTS = text(
    """
    select count(*) filter (where status = 'approved') as approved,
           count(*) filter (where status = 'pending') as pending
    from question_answers where tenant_id = :tenant_id
    """
)
_ADD = text(
    """
    insert into question_answers (tenant_id, id, question, answer, alternatives, status, origin)
    values (:tenant_id, :id, :question, :answer, :alternatives, :status, :origin)
    """
)
_CHANGE = text(
    """
    update question_answers
    set question = :question, answer = :answer, alternatives = :alternatives, status = :status,
        updated_at = now()
    where tenant_id = :tenant_id and id = :id
    """
)
_APPROVE = text(
    "update question_answers set status = 'approved', updated_at = now()"
    " where tenant_id = :tenant_id and id = :id"
)
_REMOVE = text(
    "delete from question_answers where tenant_id = :tenant_id and id = :id returning question"
)


@dataclass(frozen=True, slots=True)
class Pair:
    """A question with its answer. ``status`` is ``approved`` or ``pending``."""

    id: UUID
    question: str
    answer: str
    alternatives: Sequence[str]
    status: str
    origin: str
    used_count: int
    used_at: datetime | None
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Counts:
    """How many pairs there are."""

    approved: int
    pending: int


@dataclass(frozen=True, slots=True)
class Draft:
    """A pair as somebody wrote it; ``checked`` before it is stored."""

    question: str
    answer: str
    alternatives: Sequence[str] = ()
    approved: bool = True

    def checked(self) -> "Draft":
        """Return it storable and within limits.

        Raises:
            RefusedError: something is missing or too long; it says what.
        """
        if not self.question.strip():
            raise RefusedError("Write the question as a customer would ask it.")
        if not self.answer.strip():
            raise RefusedError("Write the answer that customers shall get.")
        if len(self.question) > QUESTION_CHARS_MAX:
            raise RefusedError("A question has at most 500 characters.")
        if len(self.answer) > ANSWER_CHARS_MAX:
            raise RefusedError("An answer has at most 4,000 characters.")
        wordings = list(dict.fromkeys(a.strip() for a in self.alternatives if a.strip()))
        if len(wordings) > ALTERNATIVES_MAX or any(len(w) > QUESTION_CHARS_MAX for w in wordings):
            raise RefusedError("Give at most 20 other wordings of 500 characters each.")
        return Draft(
            storable(self.question.strip()),
            storable(self.answer.strip()),
            [storable(w) for w in wordings],
            self.approved,
        )

    @property
    def values(self) -> dict[str, object]:
        """Its columns."""
        return {
            "question": self.question,
            "answer": self.answer,
            "alternatives": list(self.alternatives),
            "status": "approved" if self.approved else "pending",
        }


async def counts(connection: AsyncConnection, tenant_id: UUID) -> Counts:
    """Return how many pairs a tenant has."""
    return Counts(*(await connection.execute(_COUNTS, {"tenant_id": tenant_id})).one())


async def page(
    connection: AsyncConnection,
    tenant_id: UUID,
    *,
    status: str | None,
    word: str | None,
    after_id: UUID | None,
    rows_max: int,
) -> list[Pair]:
    """Return pairs, the newest first; ``word`` stands in question or answer."""
    pattern = None
    if word:
        escaped = word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        pattern = f"%{escaped}%"
    values = {
        "tenant_id": tenant_id,
        "status": status,
        "word": pattern,
        "after_id": after_id,
        "rows_max": rows_max,
    }
    return [Pair(*row) for row in await connection.execute(_LIST, values)]


async def get(connection: AsyncConnection, tenant_id: UUID, pair_id: UUID) -> Pair:
    """Return a pair; NotFoundError when there is none of that id."""
    values = {"tenant_id": tenant_id, "id": pair_id}
    row = (await connection.execute(_ONE, values)).one_or_none()
    if row is None:
        raise NotFoundError("There is no such answer.")
    return Pair(*row)


async def add(
    connection: AsyncConnection, tenant_id: UUID, draft: Draft, *, origin: str = "owner"
) -> UUID:
    """Store a new pair; return its id. A database trigger has it read."""
    found = await counts(connection, tenant_id)
    if found.approved + found.pending >= PAIRS_MAX:
        raise RefusedError("There are 5,000 answers already. Remove some first.")
    pair_id = ids.uuid7()
    values = {"tenant_id": tenant_id, "id": pair_id, "origin": origin}
    await connection.execute(_ADD, {**values, **draft.checked().values})
    return pair_id


async def change(connection: AsyncConnection, tenant_id: UUID, pair_id: UUID, draft: Draft) -> Pair:
    """Store a pair's new words; return what it was before."""
    before = await get(connection, tenant_id, pair_id)
    values = {"tenant_id": tenant_id, "id": pair_id}
    await connection.execute(_CHANGE, {**values, **draft.checked().values})
    return before


async def approve(connection: AsyncConnection, tenant_id: UUID, pair_id: UUID) -> None:
    """Let a pair answer customers."""
    done = await connection.execute(_APPROVE, {"tenant_id": tenant_id, "id": pair_id})
    if not done.rowcount:
        raise NotFoundError("There is no such answer.")


async def remove(connection: AsyncConnection, tenant_id: UUID, pair_id: UUID) -> str:
    """Delete a pair; return its question."""
    question = await connection.scalar(_REMOVE, {"tenant_id": tenant_id, "id": pair_id})
    if question is None:
        raise NotFoundError("There is no such answer.")
    return str(question)
