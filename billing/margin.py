"""Margin, for admins: what replies brought in, and what the models behind them cost us.

Credits are worth what was paid for the lot that they came from; given credits (plan, promo,
correction) have no price and bring nothing in. Money is minor units, cost is micro-dollars.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.charge_days import MARK_SQL

_MARK: Final = text(f"select {MARK_SQL}")
# By the day of the charge; a later refund lowers the margin of the charge it belongs to. Whole
# days are added up already, their refunds are taken off; what lies around them is read.
_MARGIN: Final = text("""
with around as (
    select tenant_id, id, state, captured_ucr, refunded_ucr, cost_usd_micro from credit_holds
    where closed_at >= :since and closed_at < :days_from
        and (cast(:tenant_id as uuid) is null or tenant_id = :tenant_id)
    union all
    select tenant_id, id, state, captured_ucr, refunded_ucr, cost_usd_micro from credit_holds
    where closed_at >= :days_until and closed_at < :until
        and (cast(:tenant_id as uuid) is null or tenant_id = :tenant_id)
), refunded as (
    select distinct h.tenant_id, h.id, h.refunded_ucr
    from journal j join credit_holds h on h.tenant_id = j.tenant_id and h.id = j.hold_id
    where j.kind not in ('hold', 'release', 'capture') and j.kind = 'refund'
        and j.created_at >= :days_from
        and h.closed_at >= :days_from and h.closed_at < :days_until
        and (cast(:tenant_id as uuid) is null or j.tenant_id = :tenant_id)
), sums as (
    select tenant_id, count(*) filter (where state = 'captured') as charges,
           sum(captured_ucr - refunded_ucr) as charged_ucr, sum(cost_usd_micro) as cost_usd_micro,
           count(*) filter (where state = 'captured' and cost_usd_micro is null) as cost_unknown
    from around group by tenant_id
    union all
    select tenant_id, sum(charges), sum(charged_ucr), sum(cost_usd_micro), sum(cost_unknown)
    from charge_days
    where day >= (cast(:days_from as timestamptz) at time zone 'UTC')::timestamp
        and day < (cast(:days_until as timestamptz) at time zone 'UTC')::timestamp
        and (cast(:tenant_id as uuid) is null or tenant_id = :tenant_id)
    group by tenant_id
    union all
    select tenant_id, 0, -sum(refunded_ucr), 0, 0 from refunded group by tenant_id
), paid as (
    select p.tenant_id, l.currency,
           (p.captured_ucr - p.refunded_ucr)::numeric * l.unit_price_minor / 1000000 as minor
    from around c
    join hold_parts p on p.tenant_id = c.tenant_id and p.hold_id = c.id
    join credit_lots l on l.tenant_id = p.tenant_id and l.id = p.lot_id
    where l.currency is not null
    union all
    select tenant_id, currency, revenue_minor from charge_day_revenue
    where day >= (cast(:days_from as timestamptz) at time zone 'UTC')::timestamp
        and day < (cast(:days_until as timestamptz) at time zone 'UTC')::timestamp
        and (cast(:tenant_id as uuid) is null or tenant_id = :tenant_id)
    union all
    select p.tenant_id, l.currency,
           -p.refunded_ucr::numeric * l.unit_price_minor / 1000000
    from refunded c
    join hold_parts p on p.tenant_id = c.tenant_id and p.hold_id = c.id
    join credit_lots l on l.tenant_id = p.tenant_id and l.id = p.lot_id
    where l.currency is not null
), monies as (
    select tenant_id, jsonb_object_agg(currency, revenue_minor) as revenue_minor
    from (select tenant_id, currency, floor(sum(minor)) as revenue_minor
          from paid group by tenant_id, currency) x
    group by tenant_id
)
select s.tenant_id, sum(s.charges)::bigint, coalesce(sum(s.charged_ucr), 0)::bigint,
       coalesce(sum(s.cost_usd_micro), 0)::bigint, sum(s.cost_unknown)::bigint,
       coalesce(m.revenue_minor, '{}')
from sums s left join monies m on m.tenant_id = s.tenant_id
group by s.tenant_id, m.revenue_minor order by s.tenant_id
""")


@dataclass(frozen=True, slots=True)
class Margin:
    """One tenant's charges of a period.

    Attributes:
        charges: replies charged, free ones included.
        charged_ucr: what they cost the tenant, less refunds.
        cost_usd_micro: what the provider charged us, for handed-over and failed work as well.
        cost_unknown: charges whose model had no provider price then.
        revenue_minor: what was paid for those credits, by currency.
    """

    tenant_id: UUID
    charges: int
    charged_ucr: int
    cost_usd_micro: int
    cost_unknown: int
    revenue_minor: dict[str, int]


async def margins(
    connection: AsyncConnection,
    *,
    since: datetime,
    until: datetime,
    tenant_id: UUID | None = None,
) -> list[Margin]:
    """Return the margin of each tenant with charges closed in [since, until)."""
    mark = await connection.scalar(_MARK)
    while True:
        days_from, days_until = _whole_days(since, until, mark)
        values = {
            "since": since,
            "until": until,
            "days_from": days_from,
            "days_until": days_until,
            "tenant_id": tenant_id,
        }
        found = [Margin(*row) for row in await connection.execute(_MARGIN, values)]
        # More may have been added up in between, which would be counted twice.
        before, mark = mark, await connection.scalar(_MARK)
        if mark == before:
            return found


def _whole_days(
    since: datetime, until: datetime, mark: datetime | None
) -> tuple[datetime, datetime]:
    """Return from when to when days that are added up lie within a time; nothing: until, until.

    The last day reaches to the mark, where the time reaches beyond it.
    """
    first = _midnight(since)
    first = first if first == since else first + timedelta(days=1)
    if mark is None:
        return until, until
    last = mark if mark <= until else _midnight(until)
    return (first, last) if first < last else (until, until)


def _midnight(moment: datetime) -> datetime:
    return datetime.combine(moment.astimezone(UTC).date(), time(), UTC)


def revenue(margins: Iterable[Margin]) -> dict[str, int]:
    """Return what was paid for the credits of these charges, in minor units by currency."""
    sums: dict[str, int] = {}
    for each in margins:
        for currency, minor in each.revenue_minor.items():
            sums[currency] = sums.get(currency, 0) + int(minor)
    return sums
