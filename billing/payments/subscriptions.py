"""What a tenant's plan is and will be: rows that Stripe's events and changes of plan move."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.errors import NotFoundError
from billing.payments.periods import use_plan

ENDED = frozenset({"canceled", "incomplete_expired", "unpaid"})
LIVE = frozenset({"active", "trialing", "past_due", "paused"})

_COLUMNS = (
    "tenant_id, plan_code, next_plan_code, period_start, period_end, provider_ref,"
    " provider_status, cancels_at_period_end"
)
_READ = text(f"select {_COLUMNS} from subscriptions where tenant_id = :tenant_id")  # noqa: S608
_LOCK = text(
    f"select {_COLUMNS} from subscriptions where tenant_id = :tenant_id for update"  # noqa: S608
)
_OPEN = text(
    """
    insert into subscriptions (tenant_id, plan_code, anchor_at, period_start, period_end)
    select id, plan_code, now(), now(), now() + interval '1 month' from tenants
    where id = :tenant_id
    on conflict do nothing
    """
)
_BEGIN = text(
    """
    update subscriptions set
        plan_code = :plan_code, next_plan_code = null, anchor_at = :start, period_start = :start,
        period_end = :end, provider_ref = :provider_ref, provider_status = 'active'
    where tenant_id = :tenant_id and not exists (
        select 1 from payments p
        where p.tenant_id = :tenant_id and p.kind = 'subscription' and p.period_end > :end)
    """
)
_LINK = text(
    """
    update subscriptions set
        provider_ref = :provider_ref, provider_status = :status,
        cancels_at_period_end = :cancels_at_period_end
    where tenant_id = :tenant_id
    """
)
# The period that was paid for goes on; what follows is a plan without a price, if there is one.
_END = text(
    """
    update subscriptions set
        provider_ref = null, provider_status = 'canceled', cancels_at_period_end = false,
        anchor_at = greatest(now(), period_start + interval '1 second'),
        period_end = greatest(now(), period_start + interval '1 second'),
        next_plan_code = coalesce((
            select code from plans where price_minor = 0 and offered
            order by monthly_credits_ucr desc, code limit 1), plan_code)
    where tenant_id = :tenant_id and provider_ref = :provider_ref
    """
)
_PLAN_NOW = text(
    """
    update subscriptions set plan_code = :plan_code, next_plan_code = null,
        provider_status = case when provider_ref is not null then provider_status end
    where tenant_id = :tenant_id
    """
)
_PLAN_NEXT = text(
    "update subscriptions set next_plan_code = :plan_code where tenant_id = :tenant_id"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A tenant's plan in time; ``provider_ref`` is set while Stripe charges for it."""

    tenant_id: UUID
    plan_code: str
    next_plan_code: str | None
    period_start: datetime
    period_end: datetime
    provider_ref: str | None
    provider_status: str | None
    cancels_at_period_end: bool


async def subscription_of(connection: AsyncConnection, tenant_id: UUID) -> Subscription | None:
    """Read a tenant's subscription; None before its first period was begun."""
    row = (await connection.execute(_READ, {"tenant_id": tenant_id})).one_or_none()
    return Subscription(**row._mapping) if row else None  # noqa: SLF001


async def lock(connection: AsyncConnection, tenant_id: UUID) -> Subscription:
    """Lock a tenant's subscription, made when there is none yet (system scope).

    NotFoundError when there is no such tenant.
    """
    values = {"tenant_id": tenant_id}
    await connection.execute(_OPEN, values)
    row = (await connection.execute(_LOCK, values)).one_or_none()
    if row is None:
        raise NotFoundError("There is no such business.")
    return Subscription(**row._mapping)  # noqa: SLF001


async def begin_period(
    connection: AsyncConnection,
    current: Subscription,
    *,
    plan_code: str,
    start: datetime,
    end: datetime,
    provider_ref: str,
) -> None:
    """Begin a paid period, unless a later one is paid (invoices may be told out of order)."""
    values = {"tenant_id": current.tenant_id, "start": start, "end": end}
    begun = await connection.execute(
        _BEGIN, {**values, "plan_code": plan_code, "provider_ref": provider_ref}
    )
    if begun.rowcount:
        await use_plan(connection, current.tenant_id, plan_code)


async def follow(
    connection: AsyncConnection,
    current: Subscription,
    *,
    provider_ref: str,
    status: str,
    cancels_at_period_end: bool,
) -> str:
    """Take over what Stripe says of a subscription; returns what that was."""
    mine = current.provider_ref in {None, provider_ref}
    if status in ENDED:
        if current.provider_ref != provider_ref:
            return "not the tenant's subscription"
        await connection.execute(
            _END, {"tenant_id": current.tenant_id, "provider_ref": provider_ref}
        )
        return "ended"
    if status not in LIVE or not mine:
        return status if mine else "not the tenant's subscription"
    await connection.execute(
        _LINK,
        {
            "tenant_id": current.tenant_id,
            "provider_ref": provider_ref,
            "status": status,
            "cancels_at_period_end": cancels_at_period_end,
        },
    )
    return status


async def set_plan(connection: AsyncConnection, tenant_id: UUID, plan_code: str) -> None:
    """Change the plan now."""
    values = {"tenant_id": tenant_id, "plan_code": plan_code}
    await connection.execute(_PLAN_NOW, values)
    await use_plan(connection, tenant_id, plan_code)


async def set_next_plan(connection: AsyncConnection, tenant_id: UUID, plan_code: str) -> None:
    """Change the plan when the period ends."""
    await connection.execute(_PLAN_NEXT, {"tenant_id": tenant_id, "plan_code": plan_code})
