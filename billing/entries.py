"""The ledger as people read it: page by page, the newest first, each charge with its reply."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.db.engine import Database

PAGE_MAX = 200
EXPORT_ROWS_MAX = 100_000

# Spelled out in the statement, not bound: only then the partial indexes can answer.
_MOVES = "j.kind not in ('hold', 'release')"
_GIVEN = "j.kind not in ('hold', 'release', 'capture')"
_KINDS: Final = {
    "": _MOVES,
    "charges": "j.kind = 'capture'",
    "grants": f"{_GIVEN} and j.kind = 'grant'",
    "refunds": f"{_GIVEN} and j.kind = 'refund'",
    "expiries": f"{_GIVEN} and j.kind = 'expire'",
    "clawbacks": f"{_GIVEN} and j.kind in ('claw', 'settle_owed')",
    "reservations": "j.kind in ('hold', 'release')",
}
KINDS = tuple(_KINDS)
"""What a list may be narrowed to; the empty word is every movement of the balance."""
OWN_KINDS = frozenset({"charges", "reservations"})
"""Those of them that are listed for one business only: far too many over all."""

Place = tuple[datetime, UUID, int]
"""Where a list over all businesses goes on: time, business and number of an entry."""

_SIGNED = """
case when j.kind in ('grant', 'refund', 'release') then j.amount_ucr else -j.amount_ucr end
"""
_COLUMNS = f"""
select j.tenant_id, j.seq, j.created_at, j.kind, {_SIGNED} as amount_ucr, j.available_after_ucr,
       s.conversation_id, m.id as message_id, h.price_version_id, h.usage ->> 'model' as model,
       j.facts ->> 'source' as source,
       coalesce(j.facts ->> 'reason', j.facts ->> 'cause') as reason, j.created_by, h.id as hold_id
from journal j
left join credit_holds h on h.tenant_id = j.tenant_id and h.id = j.hold_id
left join sends s on s.tenant_id = h.tenant_id and s.turn_id = h.job_id and s.hold_id = h.id
left join lateral (
    select p.message_id as id from send_parts p
    where p.tenant_id = s.tenant_id and p.send_id = s.id order by p.part_no limit 1
) m on true
"""  # noqa: S608 - our own expression
_WHEN = """
  and (cast(:since as timestamptz) is null or j.created_at >= :since)
  and (cast(:until as timestamptz) is null or j.created_at < :until)
"""


# Where the days begin and end in the numbers of the entries, found by the index of movements. A
# transaction that began earlier may be numbered later: hence the margin, and the exact days above.
# Each bound is a whole sub-select: row level security lets no other call of coalesce into an index.
_BETWEEN = """
  and j.seq >= (select coalesce((
      select x.seq - 1000 from journal x
      where x.tenant_id = :tenant_id and x.kind not in ('hold', 'release')
        and x.created_at < cast(:since as timestamptz)
      order by x.created_at desc limit 1), 0))
  and j.seq <= (select coalesce((
      select x.seq + 1000 from journal x
      where x.tenant_id = :tenant_id and x.kind not in ('hold', 'release')
        and x.created_at >= cast(:until as timestamptz)
      order by x.created_at limit 1), 9223372036854775807))
"""


def _of_tenant(kinds: str) -> TextClause:
    return text(f"""{_COLUMNS}
where j.tenant_id = :tenant_id and {kinds} {_WHEN} {_BETWEEN}
  and (cast(:before as bigint) is null or j.seq < :before)
order by j.seq desc limit :rows_max
""")


def _of_all(kinds: str) -> TextClause:
    return text(f"""{_COLUMNS}
where {_GIVEN} and {kinds} {_WHEN}
  and (cast(:before_at as timestamptz) is null
       or (j.created_at, j.tenant_id, j.seq) < (:before_at, cast(:before_tenant as uuid), :before))
order by j.created_at desc, j.tenant_id desc, j.seq desc limit :rows_max
""")


_PAGES: Final = {name: _of_tenant(kinds) for name, kinds in _KINDS.items()}
_PAGES_OF_ALL: Final = {name: _of_all(kinds) for name, kinds in _KINDS.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to list: one of ``KINDS``, and moments with a zone (``until`` excluded)."""

    kind: str = ""
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the journal; the amount is signed by what it does to what is available.

    A charge is taken from what was reserved: ``available_after_ucr`` is what can be reserved
    after it. ``conversation_id`` and ``message_id`` are those of the reply that it belongs to.
    """

    tenant_id: UUID
    seq: int
    at: datetime
    kind: str
    amount_ucr: int
    available_after_ucr: int
    conversation_id: UUID | None
    message_id: UUID | None
    price_version_id: int | None
    model: str | None
    source: str | None
    reason: str | None
    created_by: str | None
    hold_id: UUID | None


async def of_tenant(
    connection: AsyncConnection,
    tenant_id: UUID,
    wanted: Wanted,
    *,
    before: int | None = None,
    rows_max: int = 50,
) -> list[Entry]:
    """Return a page of one business's entries, those before entry ``before``."""
    values = {"tenant_id": tenant_id, "before": before, **_values(wanted, rows_max)}
    return _entries(await connection.execute(_PAGES[wanted.kind], values))


async def of_all(
    connection: AsyncConnection,
    wanted: Wanted,
    *,
    before: Place | None = None,
    rows_max: int = 50,
) -> list[Entry]:
    """Return what was given and taken over all businesses (system scope), without charges.

    ``before`` is the place of the last entry of the page before.
    """
    at, tenant_id, seq = before or (None, None, None)
    values = {
        "before_at": at,
        "before_tenant": tenant_id,
        "before": seq,
        **_values(wanted, rows_max),
    }
    return _entries(await connection.execute(_PAGES_OF_ALL[wanted.kind], values))


async def export(
    database: Database, wanted: Wanted, tenant_id: UUID | None
) -> AsyncIterator[Sequence[Entry]]:
    """Yield pages of the ledger in system scope: one business's, or what was given to all."""
    last: Entry | None = None
    written = 0
    while written < EXPORT_ROWS_MAX:
        async with database.system() as connection:
            if tenant_id is None:
                place = (last.at, last.tenant_id, last.seq) if last else None
                page = await of_all(connection, wanted, before=place, rows_max=PAGE_MAX)
            else:
                before = last.seq if last else None
                page = await of_tenant(
                    connection, tenant_id, wanted, before=before, rows_max=PAGE_MAX
                )
        if not page:
            return
        yield page
        last, written = page[-1], written + len(page)


def _values(wanted: Wanted, rows_max: int) -> dict[str, Any]:
    return {
        "since": wanted.since,
        "until": wanted.until,
        "rows_max": min(rows_max, PAGE_MAX + 1),
    }


def _entries(rows: Any) -> list[Entry]:
    return [Entry(*row) for row in rows]
