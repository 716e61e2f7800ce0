"""Monthly statements: every movement of a tenant's credits, each charge with its reply.

The balance of a statement is available + held credits: setting credits aside for a reply that
is being written is no movement, charging for it is. So a statement has charges, grants,
refunds, expiries and clawbacks, and opening + all lines = closing. Months begin and end at
midnight of the tenant's time zone. Statements carry ids, never a customer's number or words.

Lines are read in pages through a server-side cursor: a month of any size takes little memory.
"""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.errors import NotFoundError, RefusedError
from billing.charge_days import CHARGED_SQL

PAGE_LINES = 1_000
_FOR_EVER = datetime(9999, 1, 1, tzinfo=UTC)
_MONTH = re.compile(r"(2\d{3})-(0[1-9]|1[0-2])", re.ASCII)

# What a movement does to available + held; a hold and a release do nothing to it.
_SIGNED = """
case when j.kind in ('grant', 'refund') then j.amount_ucr
     when j.kind in ('capture', 'expire', 'claw', 'settle_owed') then -j.amount_ucr
     else 0 end
"""
_TERMS: Final = text("""
select name, time_zone,
       make_timestamptz(:year, :month, 1, 0, 0, 0, time_zone) as since,
       make_timestamptz(:next_year, :next_month, 1, 0, 0, 0, time_zone) as until,
       now() < make_timestamptz(:next_year, :next_month, 1, 0, 0, 0, time_zone) as provisional,
       now() < make_timestamptz(:year, :month, 1, 0, 0, 0, time_zone) as future
from tenants where id = :tenant_id
""")
# From what there is now: what was before it may be years.
_OPENING: Final = text(f"""
with {CHARGED_SQL}
select (select w.available_ucr + w.held_ucr from wallets w where w.tenant_id = :tenant_id)
    + (select coalesce(sum(c.charged_ucr), 0) from charged c)
    - (select coalesce(sum({_SIGNED}), 0) from journal j
       where j.tenant_id = :tenant_id and j.created_at >= :since
           and j.kind not in ('hold', 'release', 'capture'))
""")  # noqa: S608 - our own expression
# What a reply is stands in the message path's tables; a statement has to name it.
_LINES: Final = text(f"""
select j.seq, j.created_at, j.kind, {_SIGNED} as amount_ucr, h.job_id as turn_id,
       s.id as send_id, s.conversation_id, h.price_version_id, h.usage ->> 'model' as model,
       (h.usage ->> 'input_tokens')::bigint as input_tokens,
       (h.usage ->> 'output_tokens')::bigint as output_tokens,
       case when j.kind = 'grant'
            then concat_ws(' ', j.facts ->> 'source', j.facts ->> 'source_ref')
            else coalesce(j.facts ->> 'reason', j.facts ->> 'cause') end as reference,
       j.request_id
from journal j
left join credit_holds h on h.tenant_id = j.tenant_id and h.id = j.hold_id
left join sends s on s.tenant_id = h.tenant_id and s.turn_id = h.job_id and s.hold_id = h.id
where j.tenant_id = :tenant_id and j.created_at >= :since and j.created_at < :until
    and j.kind not in ('hold', 'release')
order by j.seq
""")  # noqa: S608 - our own expression


# A month on paper: charges by their day, everything else line by line.
_ROWS: Final = text(f"""
with {CHARGED_SQL}
select x.day, x.kind, x.amount_ucr, x.count, x.source, x.reason
from (
    select c.day, 'capture' as kind, -sum(c.charged_ucr)::bigint as amount_ucr,
           sum(c.charges)::bigint as count, null as source, null as reason,
           max(c.last_charge_at) as at, 0 as seq
    from charged c group by c.day having sum(c.charges) > 0
    union all
    select (j.created_at at time zone :time_zone)::date, j.kind, {_SIGNED}, 1,
           case when j.kind = 'grant' then j.facts ->> 'source' end,
           coalesce(j.facts ->> 'reason', j.facts ->> 'cause'), j.created_at, j.seq
    from journal j
    where j.tenant_id = :tenant_id and j.created_at >= :since and j.created_at < :until
        and j.kind not in ('hold', 'release', 'capture')
) x
order by x.at, x.seq limit :rows_max
""")  # noqa: S608 - our own expression
ROWS_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a printed statement: a day's charges, or one other movement."""

    day: date
    kind: str
    amount_ucr: int
    count: int
    source: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Terms:
    """What a statement is about; ``provisional`` while its month is not over yet.

    ``since`` and ``until`` are midnights of the tenant's time zone, ``until`` excluded.
    """

    tenant_id: UUID
    name: str
    month: str
    time_zone: str
    since: datetime
    until: datetime
    provisional: bool
    opening_ucr: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One movement: signed amount and the balance after it, in micro-credits.

    Attributes:
        seq: number of its journal entry; entries between two lines are holds and releases.
        at: when, in the tenant's time zone.
        kind: ``capture`` (a charge), ``grant``, ``refund``, ``expire``, ``claw`` or
            ``settle_owed`` (paid towards what a charge-back left owed).
        turn_id: with ``send_id`` and ``conversation_id``, the reply that it belongs to.
        reference: source and event of a grant, reason of a refund or clawback.
    """

    seq: int
    at: datetime
    kind: str
    amount_ucr: int
    balance_ucr: int
    turn_id: UUID | None
    send_id: UUID | None
    conversation_id: UUID | None
    price_version_id: int | None
    model: str | None
    input_tokens: int | None
    output_tokens: int | None
    reference: str | None
    request_id: str | None


async def terms(connection: AsyncConnection, tenant_id: UUID, month: str) -> Terms:
    """Return the borders and the opening balance of a month (``2026-11``).

    Raises:
        RefusedError: not a month, or one that has not begun in the tenant's time zone.
        NotFoundError: no such tenant in the caller's scope.
    """
    match = _MONTH.fullmatch(month)
    if match is None:
        raise RefusedError("“%(month)s” is not a month; write it like 2026-11.", month=month)
    year, number = int(match[1]), int(match[2])
    row = (
        await connection.execute(
            _TERMS,
            {
                "tenant_id": tenant_id,
                "year": year,
                "month": number,
                "next_year": year + number // 12,
                "next_month": number % 12 + 1,
            },
        )
    ).one_or_none()
    if row is None:
        raise NotFoundError("There is no such business.")
    if row.future:
        raise RefusedError("The month %(month)s has not begun yet.", month=month)
    values = {"tenant_id": tenant_id, "since": row.since, "until": _FOR_EVER}
    opening = await connection.scalar(_OPENING, values | {"time_zone": row.time_zone})
    return Terms(
        tenant_id=tenant_id,
        name=row.name,
        month=month,
        time_zone=row.time_zone,
        since=row.since.astimezone(ZoneInfo(row.time_zone)),
        until=row.until.astimezone(ZoneInfo(row.time_zone)),
        provisional=row.provisional,
        opening_ucr=int(opening or 0),
    )


async def lines(connection: AsyncConnection, about: Terms) -> AsyncIterator[Line]:
    """Yield a statement's lines in the order of the journal."""
    zone = ZoneInfo(about.time_zone)
    balance_ucr = about.opening_ucr
    values = {"tenant_id": about.tenant_id, "since": about.since, "until": about.until}
    async with connection.stream(_LINES, values) as rows:
        async for page in rows.partitions(PAGE_LINES):
            for row in page:
                balance_ucr += row.amount_ucr
                yield _line(row._mapping, zone, balance_ucr)  # noqa: SLF001


async def rows(connection: AsyncConnection, about: Terms) -> list[Row]:
    """Return a statement in short: opening + all rows = closing; at most ``ROWS_MAX`` of them."""
    values = {
        "tenant_id": about.tenant_id,
        "time_zone": about.time_zone,
        "since": about.since,
        "until": about.until,
        "rows_max": ROWS_MAX + 1,
    }
    return [Row(*row) for row in await connection.execute(_ROWS, values)]


def _line(row: Any, zone: ZoneInfo, balance_ucr: int) -> Line:
    values = dict(row)
    return Line(at=values.pop("created_at").astimezone(zone), balance_ucr=balance_ucr, **values)
