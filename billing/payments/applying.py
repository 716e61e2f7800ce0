"""What follows from Stripe's events: each reads its object again, then changes our rows.

A reader makes the calls, outside any transaction, and returns the change; the change runs in
one transaction that locks payment, then subscription, then wallet. All of it may be repeated:
rows are found by ids that we chose, credits are granted once per payment or period.
"""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.errors import ExpectedError, ProviderError
from billing.notices.letters import Notices
from billing.payments import receipts, subscriptions
from billing.payments.auto_top_up import keep_card
from billing.payments.reversals import apply_dispute, apply_refunds
from billing.payments.settling import settle_auto_top_up, settle_invoice, settle_top_up
from billing.payments.stripe_api import Object, StripeApi

Change = Callable[[AsyncConnection], Awaitable[str]]

_NOT_OURS = "not ours"
_CUSTOMER = text("select 1 from billing_profiles where customer_ref = :ref")


class NotYetError(ExpectedError):
    """What the event speaks of is not known here yet; it is tried again."""

    code = "not_yet"


class Effects:
    """The changes that events bring. Use from one event loop."""

    def __init__(self, stripe: StripeApi, notices: Notices) -> None:
        self._stripe = stripe
        self._notices = notices

    async def read(self, kind: str, object_ref: str) -> Change | None:
        """Read what an event is about; None for a kind that means nothing to us."""
        reader = READERS.get(kind)
        try:
            return await reader(self, kind, object_ref) if reader else None
        except ProviderError as error:
            if error.status_code != 404:  # noqa: PLR2004
                raise
            return _unknown

    async def _session(self, kind: str, ref: str) -> Change:
        session = await self._stripe.checkout_session(ref)

        async def change(connection: AsyncConnection) -> str:
            tenant_id = _id(session, "tenant_id")
            payment_id = _id(session, "payment_id")
            if tenant_id is not None and session["mode"] == "setup":
                return await keep_card(connection, tenant_id, session)
            if tenant_id is None or payment_id is None:
                return _NOT_OURS
            payment = await receipts.lock(connection, tenant_id, payment_id)
            if payment is None:
                raise NotYetError("a Checkout Session names a payment that is not there")
            if payment.kind == "top_up" and session["payment_status"] == "paid":
                return await settle_top_up(connection, payment, session)
            if kind == "checkout.session.async_payment_failed":
                if await receipts.mark_ended(connection, payment, "failed"):
                    await self._notices.payment_failed(
                        connection,
                        tenant_id,
                        occasion=ref,
                        amount_minor=int(session["amount_total"]),
                        currency=payment.currency,
                    )
                return "failed"
            if session["status"] == "expired":
                await receipts.mark_ended(connection, payment, "expired")
                return "expired"
            return "waits for the money" if payment.kind == "top_up" else "its invoice tells"

        return change

    async def _invoice_paid(self, _kind: str, ref: str) -> Change:
        invoice = await self._stripe.invoice(ref)

        async def change(connection: AsyncConnection) -> str:
            details = _subscription_details(invoice)
            tenant_id = _id(details, "tenant_id")
            if tenant_id is None:
                return await _settle_bought(connection, invoice)
            if invoice["status"] != "paid":
                return "not paid"
            return await settle_invoice(connection, tenant_id, invoice, details)

        return change

    async def _invoice_failed(self, _kind: str, ref: str) -> Change:
        invoice = await self._stripe.invoice(ref)

        async def change(connection: AsyncConnection) -> str:
            tenant_id = _id(_subscription_details(invoice), "tenant_id")
            if tenant_id is None or invoice["status"] == "paid":
                return _NOT_OURS if tenant_id is None else "paid since"
            await self._notices.payment_failed(
                connection,
                tenant_id,
                occasion=f"{ref}:{invoice.get('attempt_count')}",
                amount_minor=int(invoice["amount_due"]),
                currency=str(invoice["currency"]).upper(),
                pay_url=invoice.get("hosted_invoice_url"),
            )
            return "told"

        return change

    async def _subscription(self, _kind: str, ref: str) -> Change:
        found = await self._stripe.subscription(ref)

        async def change(connection: AsyncConnection) -> str:
            tenant_id = _id(found, "tenant_id")
            if tenant_id is None:
                return _NOT_OURS
            current = await subscriptions.lock(connection, tenant_id)
            return await subscriptions.follow(
                connection,
                current,
                provider_ref=ref,
                status=found["status"],
                cancels_at_period_end=bool(found.get("cancel_at_period_end")),
            )

        return change

    async def _refund(self, _kind: str, ref: str) -> Change:
        charge = await self._stripe.charge(ref)

        async def change(connection: AsyncConnection) -> str:
            return await self._ours(connection, charge, await apply_refunds(connection, charge))

        return change

    async def _dispute(self, _kind: str, ref: str) -> Change:
        dispute = await self._stripe.dispute(ref)
        charge = await self._stripe.charge(receipts.ref_of(dispute["charge"]) or "")

        async def change(connection: AsyncConnection) -> str:
            done = await apply_dispute(connection, dispute, charge)
            return await self._ours(connection, charge, done)

        return change

    async def _ours(self, connection: AsyncConnection, charge: Object, done: str | None) -> str:
        """What was done; of a customer of ours the payment may still be under way to us."""
        if done is not None:
            return done
        values = {"ref": receipts.ref_of(charge.get("customer"))}
        if await connection.scalar(_CUSTOMER, values):
            raise NotYetError("a charge of a customer of ours belongs to no payment yet")
        return _NOT_OURS


async def _unknown(_: AsyncConnection) -> str:
    """What follows when Stripe does not know the object (any more): nothing."""
    return "unknown at Stripe"


async def _settle_bought(connection: AsyncConnection, invoice: Object) -> str:
    """Settle an invoice of a business's own rule; other invoices are not ours."""
    tenant_id, payment_id = _id(invoice, "tenant_id"), _id(invoice, "payment_id")
    if tenant_id is None or payment_id is None or invoice["status"] != "paid":
        return _NOT_OURS
    payment = await receipts.lock(connection, tenant_id, payment_id)
    return await settle_auto_top_up(connection, payment, invoice) if payment else _NOT_OURS


def _subscription_details(invoice: Object) -> Object:
    parent = invoice.get("parent") or {}
    details: Object = parent.get("subscription_details") or {}
    return details


def _id(thing: Object, name: str) -> UUID | None:
    """An id that we wrote into a thing's metadata; None where it is not ours."""
    found: Any = (thing.get("metadata") or {}).get(name)
    try:
        return UUID(found) if found else None
    except ValueError:
        return None


Reader = Callable[[Effects, str, str], Awaitable[Change]]
READERS: dict[str, Reader] = {
    "checkout.session.completed": Effects._session,  # noqa: SLF001
    "checkout.session.async_payment_succeeded": Effects._session,  # noqa: SLF001
    "checkout.session.async_payment_failed": Effects._session,  # noqa: SLF001
    "checkout.session.expired": Effects._session,  # noqa: SLF001
    "invoice.paid": Effects._invoice_paid,  # noqa: SLF001
    "invoice.payment_failed": Effects._invoice_failed,  # noqa: SLF001
    "customer.subscription.updated": Effects._subscription,  # noqa: SLF001
    "customer.subscription.deleted": Effects._subscription,  # noqa: SLF001
    "charge.refunded": Effects._refund,  # noqa: SLF001
    "charge.dispute.created": Effects._dispute,  # noqa: SLF001
    "charge.dispute.closed": Effects._dispute,  # noqa: SLF001
}
