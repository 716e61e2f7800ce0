"""What Parley writes to a business about its credits and payments, and to whom.

Letters go to the tenant's billing address, else to those of its people who want them (owners,
unless they said otherwise), each in their own language, through the outbox: the key names the
occasion, so each is written once. Amounts are exact, times are the business's.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.locales import Translator, translator
from app.core.mail.letter import Action, Letter
from app.core.mail.outbox import Outbox
from billing.caps import stop_reason
from billing.payments.money import format_money

if TYPE_CHECKING:
    from app.core.formats import Formats

BILLING_PAGE = "/billing"
_OUT, _WHOLE = 0, 100
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
    select t.name as business, t.time_zone, r.address, r.locale
    from tenants t cross join lateral (
        select t.billing_email as address, t.locale where t.billing_email is not null
        union all
        select u.email, u.locale from {_WHO_WANT_IT} and t.billing_email is null
    ) r
    where t.id = :tenant_id order by r.address
    """  # noqa: S608 - our own words
)


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody who is written to: their language, their business, and how it writes figures."""

    _: Translator
    formats: "Formats"
    business: str
    page: str

    def letter(
        self,
        *,
        subject: str,
        preheader: str,
        paragraphs: tuple[str, ...],
        action: str,
        url: str | None = None,
        facts: tuple[tuple[str, str], ...] = (),
    ) -> Letter:
        """Return a letter that ends in why it came."""
        return Letter(
            locale=self._.language,
            subject=subject,
            preheader=preheader,
            paragraphs=paragraphs,
            facts=facts,
            action=Action(action, url or self.page),
            footnote=self._(
                "You get this mail because you look after billing at %(business)s. Change who"
                " does in Parley under Billing details.",
                business=self.business,
            ),
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

        def compose(reader: Reader) -> Letter:
            _ = reader._
            left, base = reader.formats.credits(left_ucr), reader.formats.credits(base_ucr)
            return reader.letter(
                subject=_("%(percent)s %% of your credits are left", percent=percent)
                if percent > _OUT
                else _("Your credits are used up: the assistant has stopped answering"),
                preheader=_("%(left)s credits left", left=left),
                paragraphs=_running_low(reader, left, base, percent)
                if percent > _OUT
                else _run_out(reader),
                facts=(
                    (_("Credits left"), left),
                    (_("Given since the last top-up or plan grant"), base),
                ),
                action=_("Top up credits"),
            )

        return await self.write(connection, tenant_id, f"balance:{occasion}", compose)

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

        def compose(reader: Reader) -> Letter:
            _ = reader._
            left, day = reader.formats.credits(left_ucr), reader.formats.time(expires_at)
            return reader.letter(
                subject=_("%(left)s credits expire tomorrow", left=left)
                if days == 1
                else _("%(left)s credits expire within %(days)s days", left=left, days=days),
                preheader=_("They can be used until %(day)s", day=day),
                paragraphs=(
                    _(
                        "%(business)s has %(left)s credits that expire on %(day)s. They are used"
                        " before credits that stay longer.",
                        business=reader.business,
                        left=left,
                        day=day,
                    ),
                    _(
                        "There is nothing you have to do. What is not used by then is gone and"
                        " cannot be given back."
                    ),
                ),
                facts=((_("Credits"), left), (_("Expire"), day)),
                action=_("See your credits"),
            )

        return await self.write(connection, tenant_id, f"expiry:{lot_id}:{days}", compose)

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

        def compose(reader: Reader) -> Letter:
            _ = reader._
            amount = format_money(amount_minor, currency, _.language)
            return reader.letter(
                subject=_("Your payment of %(amount)s did not go through", amount=amount),
                preheader=_("Nothing was charged. Please check your payment method."),
                paragraphs=(
                    _(
                        "The payment of %(amount)s for %(business)s was declined by your bank or"
                        " card. Nothing was charged, and no credits were added.",
                        amount=amount,
                        business=reader.business,
                    ),
                    _(
                        "Please check your payment method and pay again. The credits you have can"
                        " be used as before."
                    ),
                ),
                facts=((_("Amount"), amount),),
                action=_("Pay now") if pay_url else _("Check your payment method"),
                url=pay_url,
            )

        return await self.write(connection, tenant_id, f"payment_failed:{occasion}", compose)

    async def stopped(
        self, connection: AsyncConnection, tenant_id: UUID, *, occasion: str, rule: str
    ) -> bool:
        """Tell that an auto-stop rule stopped the assistant; ``rule`` is what was stored of it."""

        def compose(reader: Reader) -> Letter:
            _ = reader._
            return reader.letter(
                subject=_("Your assistant was stopped by the rule you set"),
                preheader=_("Conversations go to your team until you start it again."),
                paragraphs=(
                    _(
                        "The assistant of %(business)s has stopped answering.",
                        business=reader.business,
                    )
                    + f" {stop_reason(rule, _)}",
                    _("Conversations go to your team until you start it again or change the rule."),
                ),
                action=_("Review the rule"),
            )

        return await self.write(connection, tenant_id, f"stopped:{occasion}", compose)

    async def write(
        self,
        connection: AsyncConnection,
        tenant_id: UUID,
        key: str,
        compose: Callable[[Reader], Letter],
    ) -> bool:
        """Write one letter to each who wants it, in their language; True when any was queued."""
        from app.core.formats import Formats

        queued = False
        readers = (await connection.execute(_READERS, {"tenant_id": tenant_id})).all()
        for number, row in enumerate(readers):
            _ = translator(row.locale)
            reader = Reader(_, Formats(_.language, row.time_zone), row.business, self._page)
            queued |= await self._outbox.queue(
                connection,
                to=row.address,
                letter=compose(reader),
                key=f"{key}:{number}" if number else key,
                tenant_id=tenant_id,
            )
        return queued


def _running_low(reader: Reader, left: str, base: str, percent: int) -> tuple[str, ...]:
    _ = reader._
    return (
        _(
            "%(business)s has %(left)s credits left, %(percent)s %% or less of the last %(base)s"
            " it was given.",
            business=reader.business,
            left=left,
            percent=percent,
            base=base,
        ),
        _(
            "When they run out the assistant stops answering and conversations go to your team."
            " Top up in time to keep it on."
        ),
    )


def _run_out(reader: Reader) -> tuple[str, ...]:
    _ = reader._
    return (
        _(
            "The credits of %(business)s are used up. The assistant does not answer any more; new"
            " conversations wait in your inbox for a person.",
            business=reader.business,
        ),
        _(
            "Top up to let it go on. Messages that came in the meantime stay with your team: the"
            " assistant does not answer them later."
        ),
    )
