"""Margin, for admins: what replies brought in, and what the models behind them cost us.

Credits are worth what was paid for the lot that they came from; given credits (plan, promo,
correction) have no price and bring nothing in. Money is minor units, cost is micro-dollars.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

# By the day of the charge; a later refund lowers the margin of the charge it belongs to.
_MARGIN: Final = text("""
with closed as (
    select tenant_id, id, state, captured_ucr - refunded_ucr as charged_ucr, cost_usd_micro
    from credit_holds
    where closed_at >= :since and closed_at < :until
        and (cast(:tenant_id as uuid) is null or tenant_id = :tenant_id)
), paid as (
    select p.tenant_id, l.currency,
           floor(sum((p.captured_ucr - p.refunded_ucr)::numeric * l.unit_price_minor / 1000000))
               as revenue_minor
    from closed c
    join hold_parts p on p.tenant_id = c.tenant_id and p.hold_id = c.id
    join credit_lots l on l.tenant_id = p.tenant_id and l.id = p.lot_id
    where l.currency is not null
    group by p.tenant_id, l.currency
)
select c.tenant_id,
       count(*) filter (where c.state = 'captured') as charges,
       coalesce(sum(c.charged_ucr), 0)::bigint as charged_ucr,
       coalesce(sum(c.cost_usd_micro), 0)::bigint as cost_usd_micro,
       count(*) filter (where c.state = 'captured' and c.cost_usd_micro is null) as cost_unknown,
       coalesce((select jsonb_object_agg(currency, revenue_minor) from paid
                 where paid.tenant_id = c.tenant_id), '{}') as revenue_minor
from closed c group by c.tenant_id order by c.tenant_id
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
    rows = await connection.execute(
        _MARGIN, {"since": since, "until": until, "tenant_id": tenant_id}
    )
    return [Margin(*row) for row in rows]


def revenue(margins: Iterable[Margin]) -> dict[str, int]:
    """Return what was paid for the credits of these charges, in minor units by currency."""
    sums: dict[str, int] = {}
    for each in margins:
        for currency, minor in each.revenue_minor.items():
            sums[currency] = sums.get(currency, 0) + int(minor)
    return sums
