"""What Parley writes to a business about its credits and payments, and to whom.

Letters go to the tenant's billing address, else to those of its people who want them (owners,
unless they said otherwise), through the outbox: the key names the occasion, so each is written
once. Amounts are exact.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.mail.letter import Action, Letter
from app.core.mail.outbox import Outbox
from app.core.money import format_credits
from billing.payments.money import format_money

BILLING_PAGE = "/billing"
_OUT = 0
_EXPIRY_ADVICE = (
    "There is nothing you have to do. What is not used by then is gone and cannot be given back."
)
_PAYMENT_ADVICE = (
    "Please check your payment method and pay again. The credits you have can be used as before."
)
_FOOTNOTE = (
    "You get this mail because you look after billing at {business}. Change who does in"
    " Parley under Billing."
)
# As ``tenants.notifications.wants`` judges it; here for many businesses in one statement.
_WHO_WANT_IT = """
    memberships m join users u on u.id = m.user_id
    left join user_notifications n on n.tenant_id = m.tenant_id and n.user_id = m.user_id
        and n.kind = 'credits'
    where m.tenant_id = t.id and m.role in ('owner', 'manager')
      and coalesce(n.email, m.role = 'owner')
      and u.email_verified_at is not null and u.disabled_at is null
"""
HAS_READERS = f"(t.billing_email is not null or exists (select 1 from {_WHO_WANT_IT}))"  # noqa: S608
"""SQL: whether anybody can be written to at the tenant ``t``."""
_READERS = text(
    f"""
    select t.name as business, r.address
    from tenants t cross join lateral (
        select t.billing_email as address where t.billing_email is not null
        union all
        select u.email from {_WHO_WANT_IT} and t.billing_email is null
    ) r
    where t.id = :tenant_id order by r.address
    """  # noqa: S608 - our own words
)


class Notices:
    """Writes letters to businesses. Needs the system scope, which sees who the owners are."""

    def __init__(self, outbox: Outbox, app_url: str) -> None:
        self._outbox = outbox
        self._page = f"{app_url.rstrip('/')}{BILLING_PAGE}"

    async def balance(
        self,
        connection: AsyncConnection,
        tenant_id: UUID,
        *,
        occasion: str,
        percent: int,
        left_ucr: int,
        base_ucr: int,
    ) -> bool:
        """Tell that a balance crossed a mark (50, 20, 5 or 0 percent); True when it was queued."""
        left, base = format_credits(left_ucr), format_credits(base_ucr)
        if percent == _OUT:
            subject = "Your credits are used up: the assistant has stopped answering"
            opening = (
                "The credits of {business} are used up. The assistant does not answer any more;"
                " new conversations wait in your inbox for a person."
            )
            advice = (
                "Top up to let it go on. Messages that came in the meantime stay with your team:"
                " the assistant does not answer them later."
            )
        else:
            subject = f"{percent} % of your credits are left"
            opening = "{business} has " + f"{left} credits left, {percent} % or less of the last"
            opening += f" {base} it was given."
            advice = (
                "When they run out the assistant stops answering and conversations go to your"
                " team. Top up in time to keep it on."
            )
        facts = (("Credits left", left), ("Given since the last top-up or plan grant", base))
        return await self._write(
            connection,
            tenant_id,
            key=f"balance:{occasion}",
            subject=subject,
            preheader=f"{left} credits left",
            paragraphs=(opening, advice),
            facts=facts,
            action="Top up credits",
        )

    async def expiry(
        self,
        connection: AsyncConnection,
        tenant_id: UUID,
        *,
        lot_id: UUID,
        days: int,
        left_ucr: int,
        expires_at: datetime,
    ) -> bool:
        """Tell that credits expire within 30, 7 or 1 days; True when it was queued."""
        left = format_credits(left_ucr)
        day = f"{expires_at:%-d %B %Y, %H:%M} UTC"
        within = "tomorrow" if days == 1 else f"within {days} days"
        return await self._write(
            connection,
            tenant_id,
            key=f"expiry:{lot_id}:{days}",
            subject=f"{left} credits expire {within}",
            preheader=f"They can be used until {day}",
            paragraphs=(
                "{business} has " + f"{left} credits that expire on {day}."
                " They are used before credits that stay longer.",
                _EXPIRY_ADVICE,
            ),
            facts=(("Credits", left), ("Expire", day)),
            action="See your credits",
        )

    async def payment_failed(
        self,
        connection: AsyncConnection,
        tenant_id: UUID,
        *,
        occasion: str,
        amount_minor: int,
        currency: str,
        pay_url: str | None = None,
    ) -> bool:
        """Tell that a payment did not go through; True when it was queued."""
        amount = format_money(amount_minor, currency)
        return await self._write(
            connection,
            tenant_id,
            key=f"payment_failed:{occasion}",
            subject=f"Your payment of {amount} did not go through",
            preheader="Nothing was charged. Please check your payment method.",
            paragraphs=(
                f"The payment of {amount} for " + "{business} was declined by your bank or"
                " card. Nothing was charged, and no credits were added.",
                _PAYMENT_ADVICE,
            ),
            facts=(("Amount", amount),),
            action="Pay now" if pay_url else "Check your payment method",
            url=pay_url,
        )

    async def stopped(
        self, connection: AsyncConnection, tenant_id: UUID, *, occasion: str, rule: str
    ) -> bool:
        """Tell that an auto-stop rule stopped the assistant; ``rule`` is why, a sentence."""
        return await self._write(
            connection,
            tenant_id,
            key=f"stopped:{occasion}",
            subject="Your assistant was stopped by the rule you set",
            preheader="Conversations go to your team until you start it again.",
            paragraphs=(
                "The assistant of {business} has stopped answering. " + rule,
                "Conversations go to your team until you start it again or change the rule.",
            ),
            action="Review the rule",
        )

    async def _write(
        self,
        connection: AsyncConnection,
        tenant_id: UUID,
        *,
        key: str,
        subject: str,
        preheader: str,
        paragraphs: tuple[str, ...],
        action: str,
        url: str | None = None,
        facts: tuple[tuple[str, str], ...] = (),
    ) -> bool:
        queued = False
        readers = (await connection.execute(_READERS, {"tenant_id": tenant_id})).all()
        for number, reader in enumerate(readers):
            letter = Letter(
                subject=subject,
                preheader=preheader,
                paragraphs=tuple(p.replace("{business}", reader.business) for p in paragraphs),
                facts=facts,
                action=Action(action, url or self._page),
                footnote=_FOOTNOTE.replace("{business}", reader.business),
            )
            queued |= await self._outbox.queue(
                connection,
                to=reader.address,
                letter=letter,
                key=f"{key}:{number}" if number else key,
                tenant_id=tenant_id,
            )
        return queued
