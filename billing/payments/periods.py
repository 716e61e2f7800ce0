"""Plans in time: whose period has begun, and the credits that come with it.

A period's credits are one lot, ``plan:<code>:<first day>``, which expires when the period
ends; so a period is granted once, whoever asks how often. Where nobody is charged, periods
follow the day on which the plan began, month by month (31 January, 28 February, 31 March).
After a downtime only the period that is running is granted: those before it would have
expired in the same moment. Where Stripe charges, a period begins with its paid invoice.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core import ids
from app.core.errors import ConflictError
from billing import plans
from billing.ledger import service as ledger
from billing.ledger.schemas import Grant, GrantOutcome

_BATCH = 200

_OPEN = text(
    """
    insert into subscriptions (tenant_id, plan_code, anchor_at, period_start, period_end)
    select t.id, t.plan_code, now(), now(), now() + interval '1 month'
    from tenants t
    where t.status = 'active' and (cast(:tenant_id as uuid) is null or t.id = :tenant_id)
      and not exists (select 1 from subscriptions s where s.tenant_id = t.id)
    order by t.id limit :batch_max
    on conflict do nothing
    returning tenant_id, plan_code, period_start, period_end, provider_status
    """
)
_ROLL = text(
    """
    with due as (
        select s.tenant_id, coalesce(s.next_plan_code, t.plan_code) as plan_code, (
            select max(k) from generate_series(m.months, m.months + 1) k
            where s.anchor_at + make_interval(months => k) <= now()) as passed
        from subscriptions s join tenants t on t.id = s.tenant_id
        cross join lateral age(now(), s.anchor_at) a
        cross join lateral (
            select cast(extract(year from a) * 12 + extract(month from a) as int) as months) m
        where s.provider_ref is null and s.period_end <= now() and t.status = 'active'
        order by s.tenant_id limit :batch_max for update of s skip locked
    )
    update subscriptions s set
        plan_code = due.plan_code, next_plan_code = null,
        provider_status = case when s.provider_status = 'canceled' then s.provider_status end,
        period_start = s.anchor_at + make_interval(months => due.passed),
        period_end = s.anchor_at + make_interval(months => due.passed + 1)
    from due where s.tenant_id = due.tenant_id
    returning s.tenant_id, s.plan_code, s.period_start, s.period_end, s.provider_status
    """
)
_USE_PLAN = text(
    "update tenants set plan_code = :plan_code where id = :tenant_id and plan_code <> :plan_code"
)
_GRANTED = text(
    """
    select coalesce(sum(amount_ucr), 0) as granted_ucr,
           max(id::text) filter (where source_ref = :ref) as lot_id,
           cast(:end as timestamptz) <= now() as over
    from credit_lots
    where tenant_id = :tenant_id and source = 'plan' and source_ref like 'plan:%:' || :period
    """
)


async def roll_periods(connection: AsyncConnection) -> int:
    """Begin the periods that are due and grant their credits; safe to run twice, or late."""
    opened = (await connection.execute(_OPEN, {"batch_max": _BATCH, "tenant_id": None})).all()
    rolled = (await connection.execute(_ROLL, {"batch_max": _BATCH})).all()
    await _grant_all(connection, sorted((*opened, *rolled), key=lambda r: r.tenant_id))
    return len(opened) + len(rolled)


async def begin_first(connection: AsyncConnection, tenant_id: UUID) -> None:
    """Begin a new business's first period with it: nobody is greeted by an empty wallet."""
    values = {"batch_max": 1, "tenant_id": tenant_id}
    await _grant_all(connection, (await connection.execute(_OPEN, values)).all())


async def _grant_all(connection: AsyncConnection, begun: Sequence[Any]) -> None:
    for row in begun:
        await use_plan(connection, row.tenant_id, row.plan_code)
        terms = await plans.plan(connection, row.plan_code)
        if row.provider_status == "canceled" and terms.price_minor > 0:
            continue  # nobody pays any more, and there was no plan without a price to fall back to
        await grant_period(
            connection, row.tenant_id, terms, start=row.period_start, end=row.period_end
        )


async def use_plan(connection: AsyncConnection, tenant_id: UUID, plan_code: str) -> None:
    """Let a plan's weight and limits hold for a tenant from now on."""
    await connection.execute(_USE_PLAN, {"tenant_id": tenant_id, "plan_code": plan_code})


async def grant_period(
    connection: AsyncConnection,
    tenant_id: UUID,
    terms: plans.Plan,
    *,
    start: datetime,
    end: datetime,
    payment_id: UUID | None = None,
) -> tuple[UUID, int] | None:
    """Grant a plan's credits for a period, once; the lot and its amount, None for nothing.

    Whoever moves to a greater plan within the period gets what that has more; a period that is
    over brings nothing. The caller holds the tenant's subscription row.
    """
    period = start.date().isoformat()
    ref = f"plan:{terms.code}:{period}"
    values = {"tenant_id": tenant_id, "period": period, "ref": ref, "end": end}
    found = (await connection.execute(_GRANTED, values)).one()
    amount_ucr = terms.monthly_credits_ucr - int(found.granted_ucr)
    if found.lot_id is not None or amount_ucr <= 0 or found.over:
        return None
    lot_id = ids.uuid7()
    outcome = await ledger.grant(
        connection,
        Grant(
            tenant_id=tenant_id,
            lot_id=lot_id,
            source="plan",
            source_ref=ref,
            amount_ucr=amount_ucr,
            expires_at=end,
            payment_id=payment_id,
            reason=f"{terms.name}, {period}",
            created_by="system:plans",
        ),
    )
    if outcome is not GrantOutcome.GRANTED:
        raise ConflictError(
            "The plan's credits for %(period)s were granted on other terms.", period=period
        )
    return lot_id, amount_ucr
