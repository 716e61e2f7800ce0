"""Curated answers: when the whole message is a question that the owner answered, word for word.

Such an answer goes out without asking a model, so only what cannot be misread counts: every word
is the same, up to greetings, order-free small talk and slips of one letter in a long word.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.assistant.knowledge.terms import words
from app.core.db.rows import as_rows

_MESSAGE_CHARS_MAX = 300
_PAIRS_MAX = 2_000
_SLIP_LETTERS_MIN = 6
_SLIPS_MAX = 1
# What people put around a question; none of it changes what is asked. As whole phrases: "good
# evening" says nothing, but "open in the evening" does.
_AROUND = re.compile(
    r"""\b(?:
    good\ (?:morning|afternoon|evening|day) | (?:hi|hello|hey)(?:\ there)? | please | thanks
    | thank\ you | just\ a\ quick\ question | quick\ question
    | buen[oa]s?\ (?:dias?|tardes|noches) | hola | por\ favor | (?:muchas\ )?gracias
    | (?:bom|boa)\ (?:dia|tarde|noite) | ola | oi | tudo\ bem | obrigad[oa]
    | guten\ (?:tag|morgen|abend) | hallo | bitte | danke | bonjour | merci | ciao | buongiorno
    | grazie | selamat\ (?:pagi|siang|sore|malam) | halo | terima\ kasih | merhaba
    | مرحبا | اهلا | السلام\ عليكم | ورحمة\ الله | وبركاته | (?:صباح|مساء)\ الخير | شكرا | من\ فضلك
    )\b""",
    re.VERBOSE,
)
_APPROVED = text(
    """
    select id, question, answer, alternatives from question_answers
    where tenant_id = :tenant_id and status = 'approved'
    order by created_at, id limit :pairs_max
    """
)
# In the order of their ids, so that two transactions never wait in a circle.
_USED = text(
    """
    with used as (
        select q.id, r.times
        from jsonb_to_recordset(cast(:rows as jsonb)) as r(id uuid, times int)
        join question_answers q on q.tenant_id = :tenant_id and q.id = r.id
        order by q.id for no key update of q
    )
    update question_answers q set used_count = q.used_count + u.times, used_at = now()
    from used u where q.tenant_id = :tenant_id and q.id = u.id
    """
)


@dataclass(frozen=True, slots=True)
class Curated:
    """An approved pair that answers a message as it stands."""

    id: UUID
    question: str
    answer: str


def without_greetings(message: str) -> list[str]:
    """Return the folded words of a message that ask something."""
    return _AROUND.sub(" ", " ".join(words(message))).split()


async def find(connection: AsyncConnection, tenant_id: UUID, message: str) -> Curated | None:
    """Return the approved pair whose question, or another wording of it, is the whole message."""
    if not message.strip() or len(message) > _MESSAGE_CHARS_MAX:
        return None
    asked = _core(message)
    if not asked:
        return None
    values = {"tenant_id": tenant_id, "pairs_max": _PAIRS_MAX}
    rows = (await connection.execute(_APPROVED, values)).all()
    for same in (_equal, _nearly):
        for row in rows:
            if any(same(asked, _core(known)) for known in (row.question, *row.alternatives)):
                return Curated(row.id, row.question, row.answer)
    return None


async def count_uses(
    connection: AsyncConnection, tenant_id: UUID, times: Mapping[UUID, int]
) -> None:
    """Note how often pairs answered customers, by their ids; those gone are passed over."""
    rows = as_rows({"id": pair_id, "times": count} for pair_id, count in times.items())
    await connection.execute(_USED, {"tenant_id": tenant_id, "rows": rows})


def _core(message: str) -> list[str]:
    """The words of a message without what surrounds a question."""
    kept = without_greetings(message)
    return kept if len(kept) > 1 else words(message)


def _equal(left: Sequence[str], right: Sequence[str]) -> bool:
    return left == right


def _nearly(left: Sequence[str], right: Sequence[str]) -> bool:
    """Word for word the same, but for a slip of one letter in one long word."""
    if len(left) != len(right):
        return False
    different = [(a, b) for a, b in zip(left, right, strict=True) if a != b]
    return len(different) <= _SLIPS_MAX and all(_slip(a, b) for a, b in different)


def _slip(left: str, right: str) -> bool:
    """One letter more, less, other, or two in the wrong order; never in a word with a digit."""
    if min(len(left), len(right)) < _SLIP_LETTERS_MIN or any(c.isdigit() for c in left + right):
        return False
    if abs(len(left) - len(right)) > 1:
        return False
    start = 0
    while start < min(len(left), len(right)) and left[start] == right[start]:
        start += 1
    a, b = left[start:], right[start:]
    return a[1:] == b or a == b[1:] or a[1:] == b[1:] or (a[:2] == b[:2][::-1] and a[2:] == b[2:])
