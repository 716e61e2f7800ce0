"""Questions that the knowledge had no answer to, gathered for the owner to answer once."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.assistant.knowledge.languages import detect
from app.assistant.knowledge.terms import normal
from app.core import ids
from app.core.db.rows import as_rows
from app.core.errors import NotFoundError
from app.core.text import storable

QUESTION_CHARS_MAX = 500
ANSWERABLE_MIN = 0.35
"""Below that the best passage probably does not answer: the fitted curve of ``ranking``."""

# The same question again counts up; one that was dismissed stays so.
_NOTE = text(
    """
    insert into unanswered_questions (tenant_id, id, question, normal, language, reason,
                                      conversation_id, times)
    select :tenant_id, r.id, r.question, r.normal, r.language, r.reason, r.conversation_id, r.times
    from jsonb_to_recordset(cast(:rows as jsonb)) as r(
        id uuid, question text, normal text, language text, reason text, conversation_id uuid,
        times int)
    order by r.normal
    on conflict (tenant_id, normal) do update
        set times = unanswered_questions.times + excluded.times, last_asked_at = now(),
            conversation_id = coalesce(excluded.conversation_id,
                                       unanswered_questions.conversation_id),
            state = case unanswered_questions.state when 'answered' then 'open'
                    else unanswered_questions.state end
    """
)
_OPEN = text(
    """
    select id, question, reason, conversation_id, times, last_asked_at from unanswered_questions
    where tenant_id = :tenant_id and state = 'open'
      and (cast(:after_id as uuid) is null or (last_asked_at, id) < (
          select u.last_asked_at, u.id from unanswered_questions u
          where u.tenant_id = :tenant_id and u.id = :after_id))
    order by last_asked_at desc, id desc limit :rows_max
    """
)
_ONE = text(
    "select id, question, reason, conversation_id, times, last_asked_at from unanswered_questions"
    " where tenant_id = :tenant_id and id = :id"
)
_END = text(
    "update unanswered_questions set state = :state, answer_id = :answer_id"
    " where tenant_id = :tenant_id and id = :id and state = 'open'"
)


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A question, how often it was asked, and the last conversation that it was asked in."""

    id: UUID
    question: str
    reason: str
    conversation_id: UUID | None
    times: int
    last_asked_at: datetime


async def note(
    connection: AsyncConnection,
    tenant_id: UUID,
    question: str,
    *,
    reason: str = "missing_knowledge",
    conversation_id: UUID | None = None,
) -> None:
    """Remember a question for the owner; what says nothing (an emoji, a greeting) is left out.

    Args:
        connection: the tenant's scope.
        tenant_id: whose customer asked.
        question: the customer's words.
        reason: ``missing_knowledge`` (handed over), ``weak_match`` (no passage fits well).
        conversation_id: where it was asked.
    """
    await note_all(connection, tenant_id, [(question, conversation_id)], reason=reason)


async def note_all(
    connection: AsyncConnection,
    tenant_id: UUID,
    asked: Iterable[tuple[str, UUID | None]],
    *,
    reason: str = "missing_knowledge",
) -> None:
    """Remember questions, each with the conversation it was asked in; see ``note``."""
    rows: dict[str, dict[str, Any]] = {}
    for question, conversation_id in asked:
        words = storable(normal(question), chars_max=QUESTION_CHARS_MAX)
        if len(words) < len("hours") or not any(c.isalpha() for c in words):
            continue
        times = rows[words]["times"] + 1 if words in rows else 1
        rows[words] = {
            "id": ids.uuid7(),
            "question": storable(question.strip(), chars_max=QUESTION_CHARS_MAX),
            "normal": words,
            "language": detect(question),
            "reason": reason,
            "conversation_id": conversation_id,
            "times": times,
        }
    if rows:
        values = {"tenant_id": tenant_id, "rows": as_rows(rows.values())}
        await connection.execute(_NOTE, values)


async def list_open(
    connection: AsyncConnection, tenant_id: UUID, *, after_id: UUID | None, rows_max: int
) -> list[Unanswered]:
    """Return open questions, those asked last first."""
    values = {"tenant_id": tenant_id, "after_id": after_id, "rows_max": rows_max}
    return [Unanswered(*row) for row in await connection.execute(_OPEN, values)]


async def get(connection: AsyncConnection, tenant_id: UUID, question_id: UUID) -> Unanswered:
    """Return a question; NotFoundError when there is none of that id."""
    values = {"tenant_id": tenant_id, "id": question_id}
    row = (await connection.execute(_ONE, values)).one_or_none()
    if row is None:
        raise NotFoundError("There is no such question.")
    return Unanswered(*row)


async def end(
    connection: AsyncConnection, tenant_id: UUID, question_id: UUID, *, answer_id: UUID | None
) -> None:
    """Close a question: answered by a pair, or dismissed; NotFoundError when it is not open."""
    values = {
        "tenant_id": tenant_id,
        "id": question_id,
        "answer_id": answer_id,
        "state": "answered" if answer_id else "dismissed",
    }
    if not (await connection.execute(_END, values)).rowcount:
        raise NotFoundError("There is no such question.")
