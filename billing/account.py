"""A business's credits at a glance: balance, lots, what it uses a day, and the running period."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.errors import NotFoundError
from billing.charge_days import MARK_SQL

LOTS_MAX = 50
MONTHS_MAX = 36
_RATE_DAYS = 7

# Charges less refunds of the last week, or of the time since the first charge within it: a
# business that began yesterday is not told a seventh of what it uses. Its whole days are added
# up already (``charge_days``), as far as their mark; without one all of it is read.
_USED: Final = f"""
cross join lateral (
    select now() - interval '{_RATE_DAYS} days' as since,
           case when m.mark > m.days_from then m.days_from else 'infinity' end as days_from,
           case when m.mark > m.days_from then m.mark else 'infinity' end as days_until
    from (select date_trunc('day', now() - interval '{_RATE_DAYS - 1} days', 'UTC') as days_from,
                 {MARK_SQL} as mark) m
) k
cross join lateral (
    select coalesce(sum(x.amount_ucr), 0)::bigint as used_ucr,
           coalesce(min(x.first_at), now()) as since
    from (
        select sum(j.amount_ucr) as amount_ucr, min(j.created_at) as first_at from journal j
        where j.tenant_id = t.id and j.kind not in ('hold', 'release') and j.kind = 'capture'
            and j.created_at > k.since and j.created_at < k.days_from
        union all
        select sum(j.amount_ucr), min(j.created_at) from journal j
        where j.tenant_id = t.id and j.kind not in ('hold', 'release') and j.kind = 'capture'
            and j.created_at >= k.days_until
        union all
        select sum(d.charged_ucr), min(d.first_charge_at) from charge_days d
        where d.tenant_id = t.id and d.day < k.days_until and d.day >= k.days_from
        union all
        select -sum(j.amount_ucr), null from journal j
        where j.tenant_id = t.id and j.kind not in ('hold', 'release', 'capture')
            and j.kind = 'refund' and j.created_at > k.since
    ) x
) u
"""  # noqa: S608 - our own figures
_READ: Final = text(f"""
select w.available_ucr, w.held_ucr, w.spent_ucr, w.expired_ucr, w.owed_ucr,
       w.monthly_cap_ucr,
       case when w.month_until > now() then w.month_ucr else 0 end as used_this_month_ucr,
       w.frozen_at is not null as frozen, w.stopped_at, w.stopped_reason,
       t.plan_code, p.name as plan_name, p.monthly_credits_ucr, p.price_minor, p.currency,
       s.next_plan_code, n.name as next_plan_name, s.period_start, s.period_end,
       s.provider_ref is not null as charged, s.provider_status,
       coalesce(s.cancels_at_period_end, false) as cancels_at_period_end,
       case when a.enabled_at is null then 'off' when a.paused_reason is not null then 'paused'
            when a.card_ref is null then 'waiting' else 'on' end as auto_top_up,
       a.threshold_ucr,
       greatest(u.used_ucr, 0) as used_ucr,
       greatest(1, extract(epoch from now() - u.since) / 86400)::float8 as used_days
from tenants t
join wallets w on w.tenant_id = t.id
join plans p on p.code = t.plan_code
left join subscriptions s on s.tenant_id = t.id
left join auto_top_ups a on a.tenant_id = t.id
left join plans n on n.code = s.next_plan_code
{_USED}where t.id = :tenant_id
""")  # noqa: S608 - our own figure
_LOTS: Final = text("""
select id, source, available_ucr, held_ucr, amount_ucr, expires_at, created_at, reason
from credit_lots where tenant_id = :tenant_id and open
order by priority, expires_at, created_at, id limit :rows_max
""")
_MONTHS: Final = text("""
select to_char(m.month, 'YYYY-MM') as month
from tenants t
cross join lateral generate_series(
    date_trunc('month', t.created_at at time zone t.time_zone),
    date_trunc('month', now() at time zone t.time_zone), interval '1 month') m(month)
where t.id = :tenant_id order by m.month desc limit :rows_max
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Where a business stands; amounts in micro-credits, the plan's price in minor units.

    Attributes:
        monthly_cap_ucr: the business's own limit of a month; ``used_this_month_ucr`` counts
            towards it.
        charged: Stripe charges for the plan every period.
        auto_top_up: ``off``, ``on`` (below ``threshold_ucr``), ``paused``, or ``waiting`` for a
            card.
        provider_status: what Stripe says of the subscription, such as ``past_due``.
        used_ucr: charges less refunds of the last seven days.
        used_days: over how many days these are spread, at least 1.
    """

    available_ucr: int
    held_ucr: int
    spent_ucr: int
    expired_ucr: int
    owed_ucr: int
    monthly_cap_ucr: int | None
    used_this_month_ucr: int
    frozen: bool
    stopped_at: datetime | None
    stopped_reason: str | None
    plan_code: str
    plan_name: str
    monthly_credits_ucr: int
    price_minor: int
    currency: str
    next_plan_code: str | None
    next_plan_name: str | None
    period_start: datetime | None
    period_end: datetime | None
    charged: bool
    provider_status: str | None
    cancels_at_period_end: bool
    auto_top_up: str
    threshold_ucr: int | None
    used_ucr: int
    used_days: float

    @property
    def burn_ucr_per_day(self) -> int:
        """What is used a day, rounded to whole micro-credits."""
        return round(self.used_ucr / self.used_days)

    @property
    def days_left(self) -> int | None:
        """How many days the balance lasts at that rate; None while nothing is used."""
        if self.burn_ucr_per_day <= 0:
            return None
        return (self.available_ucr + self.held_ucr) // self.burn_ucr_per_day


@dataclass(frozen=True, slots=True)
class OpenLot:
    """Credits that came in together, as far as they are left; in the order of their use."""

    id: UUID
    source: str
    available_ucr: int
    held_ucr: int
    amount_ucr: int
    expires_at: datetime | None
    created_at: datetime
    reason: str | None


async def read(connection: AsyncConnection, tenant_id: UUID) -> Account:
    """Return where a business stands; NotFoundError when it has no wallet."""
    row = (await connection.execute(_READ, {"tenant_id": tenant_id})).one_or_none()
    if row is None:
        raise NotFoundError("This business has no credits account yet.")
    return Account(**row._mapping)  # noqa: SLF001


async def open_lots(
    connection: AsyncConnection, tenant_id: UUID, *, rows_max: int = LOTS_MAX
) -> list[OpenLot]:
    """Return the lots that have something left, those that are spent first at the top."""
    rows = await connection.execute(_LOTS, {"tenant_id": tenant_id, "rows_max": rows_max})
    return [OpenLot(*row) for row in rows]


async def months(connection: AsyncConnection, tenant_id: UUID) -> list[str]:
    """Return the months that have a statement (``2026-11``), the newest first."""
    values = {"tenant_id": tenant_id, "rows_max": MONTHS_MAX}
    return list(await connection.scalars(_MONTHS, values))
