"""Credits that are bought by themselves: the rule, and the purchases that it begins.

A purchase is begun when the balance (with what is held) is below the threshold, and none is
under way. The package brings more than the threshold, so one purchase ends what began it: a
crossing is paid once. A card that was declined, money that was taken back, or an owner's word
ends it; the month's limit makes it wait. The charge itself is ``charging``'s.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core import ids
from app.core.errors import RefusedError
from billing.notices import spending
from billing.notices.letters import HAS_READERS, Notices
from billing.payments import receipts
from billing.payments.receipts import Payment
from billing.payments.stripe_api import Object
from billing.plans import Package
from tenants.service import Actor, record

AUTHOR = "system:auto_top_up"
_BATCH = 100

# What was bought by itself since the tenant's month began, or is under way.
_SPENT = """
    select coalesce(sum(y.price_minor), 0)::bigint as spent_minor from payments y
    where y.tenant_id = t.id and y.created_by = 'system:auto_top_up'
      and y.state in ('pending', 'paid')
      and y.created_at >= date_trunc('month', now() at time zone t.time_zone)
          at time zone t.time_zone
"""
_READ = text(
    f"""
    select a.package_code, a.threshold_ucr, a.monthly_max_minor,
           a.enabled_at is not null as enabled, a.paused_reason,
           a.card_ref is not null as has_card, a.card_brand, a.card_last4,
           a.payment_id is not null as buying, m.spent_minor
    from auto_top_ups a join tenants t on t.id = a.tenant_id cross join lateral ({_SPENT}) m
    where a.tenant_id = :tenant_id
    """  # noqa: S608 - our own expression
)
_SAVE = text(
    """
    insert into auto_top_ups (tenant_id, package_code, threshold_ucr, monthly_max_minor,
                              enabled_at, enabled_by)
    values (:tenant_id, :package_code, :threshold_ucr, :monthly_max_minor, now(), :enabled_by)
    on conflict (tenant_id) do update set
        package_code = excluded.package_code, threshold_ucr = excluded.threshold_ucr,
        monthly_max_minor = excluded.monthly_max_minor, enabled_at = excluded.enabled_at,
        enabled_by = excluded.enabled_by, paused_reason = null
    """
)
_STOP = text(
    """
    update auto_top_ups set enabled_at = null, enabled_by = null, paused_reason = null
    where tenant_id = :tenant_id and enabled_at is not null
    returning payment_id, attempts
    """
)
_FREE = text(
    """
    update auto_top_ups set payment_id = null, attempts = 0
    where tenant_id = :tenant_id and payment_id = :payment_id
    """
)
_CARD = text(
    """
    update auto_top_ups set card_ref = :card_ref, card_brand = :brand, card_last4 = :last4,
        enabled_at = case when paused_reason is null then enabled_at else now() end,
        paused_reason = null
    where tenant_id = :tenant_id and card_ref is distinct from :card_ref
    """
)
_PAUSE = text(
    """
    update auto_top_ups set paused_reason = :reason
    where tenant_id = :tenant_id and enabled_at is not null and paused_reason is null
    """
)
_LOW = f"""
    from auto_top_ups a
    join tenants t on t.id = a.tenant_id and t.status = 'active'
    join wallets w on w.tenant_id = a.tenant_id and w.owed_ucr = 0 and w.frozen_at is null
    join top_up_packages p on p.code = a.package_code and p.offered
        and p.credits_ucr > a.threshold_ucr
    cross join lateral ({_SPENT}) m
    where a.enabled_at is not null and a.paused_reason is null and a.card_ref is not null
      and a.payment_id is null and w.available_ucr + w.held_ucr < a.threshold_ucr
"""
_WITHIN = "m.spent_minor + p.price_minor <= a.monthly_max_minor"
_DUE = text(
    f"""
    select a.tenant_id {_LOW} and {_WITHIN}
    order by a.tenant_id limit :batch_max for update of a skip locked
    """
)
_TERMS = text(
    f"""
    select p.code, p.credits_ucr, p.valid_days, p.price_minor, p.currency, a.enabled_by
    {_LOW} and {_WITHIN} and a.tenant_id = :tenant_id
    """
)
_AT_LIMIT = text(
    f"""
    select a.tenant_id, m.spent_minor, a.monthly_max_minor, p.currency,
           to_char(now() at time zone t.time_zone, 'YYYY-MM') as month
    {_LOW} and not {_WITHIN} and {HAS_READERS} and not exists (
        select 1 from mails x where x.tenant_id = a.tenant_id
          and x.key = 'auto_top_up_limit:' || to_char(now() at time zone t.time_zone, 'YYYY-MM'))
    order by a.tenant_id limit :batch_max
    """  # noqa: S608 - our own expression
)
_BEGIN = text(
    """
    update auto_top_ups set payment_id = :payment_id, attempts = 0, next_attempt_at = now()
    where tenant_id = :tenant_id
    """
)
_TAKEN_BACK = text(
    """
    select a.tenant_id from auto_top_ups a
    where a.enabled_at is not null and a.paused_reason is null and exists (
        select 1 from payments p join payment_reversals r
            on r.tenant_id = p.tenant_id and r.payment_id = p.id
        where p.tenant_id = a.tenant_id and p.created_by = 'system:auto_top_up'
          and r.created_at > a.enabled_at)
    order by a.tenant_id limit :batch_max for update of a skip locked
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A business's rule and where it stands.

    Attributes:
        monthly_max_minor: what may be bought by itself in a calendar month, before taxes.
        paused_reason: ``declined``, ``refused`` or ``taken_back``; None while it is at work.
        buying: a purchase is under way.
        spent_minor: bought by itself this month, or under way.
    """

    package_code: str
    threshold_ucr: int
    monthly_max_minor: int
    enabled: bool
    paused_reason: str | None
    has_card: bool
    card_brand: str | None
    card_last4: str | None
    buying: bool
    spent_minor: int

    @property
    def at_work(self) -> bool:
        """It buys when the balance falls below its threshold."""
        return self.enabled and self.has_card and self.paused_reason is None


async def read(connection: AsyncConnection, tenant_id: UUID) -> Rule | None:
    """Return a business's rule; None when it never made one."""
    row = (await connection.execute(_READ, {"tenant_id": tenant_id})).one_or_none()
    return Rule(**row._mapping) if row else None  # noqa: SLF001


async def switch_on(
    connection: AsyncConnection,
    tenant_id: UUID,
    package: Package,
    *,
    threshold_ucr: int,
    monthly_max_minor: int,
    actor: Actor,
) -> bool:
    """Make or change the rule and let it work, on record; False while a card is missing.

    RefusedError says which figure cannot be.
    """
    if not package.offered:
        raise RefusedError("This package is not offered any more. Choose another one.")
    if threshold_ucr <= 0:
        raise RefusedError("The threshold must be above 0 credits.")
    if package.credits_ucr <= threshold_ucr:
        raise RefusedError(
            "The package must bring more credits than the threshold: choose a larger package or a"
            " lower threshold."
        )
    if monthly_max_minor < package.price_minor:
        raise RefusedError("The limit of a month must allow one purchase at least.")
    before = await read(connection, tenant_id)
    terms = {
        "package_code": package.code,
        "threshold_ucr": threshold_ucr,
        "monthly_max_minor": monthly_max_minor,
    }
    author = f"{actor.kind}:{actor.id}"
    await connection.execute(_SAVE, {"tenant_id": tenant_id, **terms, "enabled_by": author})
    old = {name: getattr(before, name) for name in terms} if before and before.enabled else None
    await _note(connection, tenant_id, actor, "switch_on", before=old, after=terms)
    return before is not None and before.has_card


async def switch_off(connection: AsyncConnection, tenant_id: UUID, *, actor: Actor) -> bool:
    """End the rule, on record (system scope); False when it was off.

    A purchase that nobody asked Stripe for yet ends at once, another one when it is looked at
    again: it is paid then, or never.
    """
    row = (await connection.execute(_STOP, {"tenant_id": tenant_id})).one_or_none()
    if row is None:
        return False
    if row.payment_id is not None and row.attempts == 0:
        payment = await receipts.lock(connection, tenant_id, row.payment_id)
        if payment is not None and await receipts.mark_ended(connection, payment, "expired"):
            await free(connection, payment)
    await _note(connection, tenant_id, actor, "switch_off")
    return True


async def keep_card(connection: AsyncConnection, tenant_id: UUID, session: Object) -> str:
    """Take over the card of a completed session of Stripe's (system scope); says what was done."""
    intent = session.get("setup_intent") or {}
    method = (intent.get("payment_method") if isinstance(intent, dict) else None) or {}
    if not isinstance(method, dict) or not method.get("id"):
        return "no card"
    card = method.get("card") or {}
    values = {"card_ref": method["id"], "brand": card.get("brand"), "last4": card.get("last4")}
    kept = await connection.execute(_CARD, {"tenant_id": tenant_id, **values})
    if kept.rowcount:
        after = {"card": card.get("last4")}
        await _note(connection, tenant_id, Actor("system"), "card", after=after)
    return "card kept" if kept.rowcount else "kept before"


async def begin_due(connection: AsyncConnection, notices: Notices) -> int:
    """Begin the purchases that are due, and pause rules whose money was taken back.

    System scope, safe to run twice or at once. A rule's row is locked before the balance is read
    for good: no purchase of it can be under way or end meanwhile.
    """
    values: dict[str, Any] = {"batch_max": _BATCH}
    for tenant_id in list(await connection.scalars(_TAKEN_BACK, values)):
        await pause(connection, notices, tenant_id, "taken_back")
    begun = 0
    for tenant_id in list(await connection.scalars(_DUE, values)):
        begun += await _begin(connection, tenant_id)
    for row in (await connection.execute(_AT_LIMIT, values)).all():
        await spending.tell_auto_top_up_limit(
            notices,
            connection,
            row.tenant_id,
            month=row.month,
            spent_minor=row.spent_minor,
            limit_minor=row.monthly_max_minor,
            currency=row.currency,
        )
    return begun


async def pause(
    connection: AsyncConnection, notices: Notices, tenant_id: UUID, reason: str
) -> None:
    """End a rule until an owner switches it on again, on record and told by mail."""
    done = await connection.execute(_PAUSE, {"tenant_id": tenant_id, "reason": reason})
    if done.rowcount:
        after = {"reason": reason}
        await _note(connection, tenant_id, Actor("system"), "pause", after=after)
        await spending.tell_auto_top_up_paused(
            notices, connection, tenant_id, occasion=str(ids.uuid7()), reason=reason
        )


async def free(connection: AsyncConnection, payment: Payment) -> None:
    """Let the next purchase begin: this one is over."""
    values = {"tenant_id": payment.tenant_id, "payment_id": payment.id}
    await connection.execute(_FREE, values)


async def _begin(connection: AsyncConnection, tenant_id: UUID) -> bool:
    values = {"tenant_id": tenant_id}
    terms = (await connection.execute(_TERMS, values)).one_or_none()
    if terms is None:
        return False
    payment_id = ids.uuid7()
    await receipts.open_payment(
        connection,
        {
            "tenant_id": tenant_id,
            "id": payment_id,
            "kind": "top_up",
            "package_code": terms.code,
            "credits_ucr": terms.credits_ucr,
            "valid_days": terms.valid_days,
            "price_minor": terms.price_minor,
            "currency": terms.currency,
            "created_by": AUTHOR,
        },
    )
    await connection.execute(_BEGIN, {**values, "payment_id": payment_id})
    after = {"package_code": terms.code, "price_minor": terms.price_minor}
    await _note(connection, tenant_id, Actor("system"), "buy", after=after)
    return True


async def _note(
    connection: AsyncConnection,
    tenant_id: UUID,
    actor: Actor,
    act: str,
    *,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    await record(
        connection,
        tenant_id,
        actor,
        action=f"auto_top_up.{act}",
        subject=str(tenant_id),
        before=before,
        after=after,
    )
