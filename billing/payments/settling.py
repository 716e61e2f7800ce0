"""Money that came: a top-up's credits, and a subscription's period with the credits of its plan."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from app.core import ids
from app.core.errors import ConflictError
from billing import plans
from billing.ledger import service as ledger
from billing.ledger.schemas import Grant, GrantOutcome
from billing.payments import auto_top_up, receipts, subscriptions
from billing.payments.periods import grant_period
from billing.payments.receipts import Payment, ref_of
from billing.payments.stripe_api import Object

AUTHOR = "system:stripe"
_INVOICES = UUID("8f3a52f0-3a5e-4c0e-9d1f-6a0f5b8f2b11")


async def settle_top_up(connection: AsyncConnection, payment: Payment, session: Object) -> str:
    """Grant what a paid Checkout Session bought, once (system scope; the payment is locked).

    Raises:
        ConflictError: another amount or currency than was offered.
    """
    if payment.state == "paid":
        return "paid before"
    paid = (session["amount_subtotal"], str(session["currency"]).upper())
    if paid != (payment.price_minor, payment.currency):
        raise ConflictError("A Checkout Session was paid with another amount than was offered.")
    await _grant_bought(connection, payment, receipts.session_facts(session))
    return "granted"


async def settle_auto_top_up(connection: AsyncConnection, payment: Payment, invoice: Object) -> str:
    """Grant what a paid invoice of a rule bought, once (system scope; the payment is locked).

    Raises:
        ConflictError: another amount or currency than was offered.
    """
    if payment.state == "paid":
        return "paid before"
    paid = (invoice["subtotal"], str(invoice["currency"]).upper())
    if paid != (payment.price_minor, payment.currency):
        raise ConflictError("An invoice was paid with another amount than was offered.")
    await _grant_bought(connection, payment, receipts.invoice_facts(invoice))
    await auto_top_up.free(connection, payment)
    return "granted"


async def _grant_bought(
    connection: AsyncConnection, payment: Payment, facts: dict[str, Any]
) -> None:
    """Fill in what was paid for a top-up, and grant its credits."""
    _, expires_at = await receipts.mark_paid(connection, payment, facts)
    lot_id = ids.derived_uuid(payment.id, "lot")
    whole_credits, rest = divmod(payment.credits_ucr, 1_000_000)
    unit_price, uneven = divmod(payment.price_minor, whole_credits) if whole_credits else (0, 1)
    even = not rest and not uneven
    outcome = await ledger.grant(
        connection,
        Grant(
            tenant_id=payment.tenant_id,
            lot_id=lot_id,
            source="purchase",
            source_ref=f"payment:{payment.id}",
            amount_ucr=payment.credits_ucr,
            expires_at=expires_at,
            payment_id=payment.id,
            unit_price_minor=unit_price if even else None,
            currency=payment.currency if even else None,
            reason=f"top-up {payment.package_code}",
            created_by=AUTHOR,
        ),
    )
    if outcome is not GrantOutcome.GRANTED:
        raise ConflictError(
            "The ledger refused the credits of a top-up: %(outcome)s.", outcome=outcome
        )
    await receipts.mark_granted(connection, payment, lot_id=lot_id, credits_ucr=payment.credits_ucr)


async def settle_invoice(
    connection: AsyncConnection, tenant_id: UUID, invoice: Object, details: Object
) -> str:
    """Begin the period that an invoice paid for and grant its plan's credits (system scope)."""
    terms = await plans.plan(connection, str(details["metadata"]["plan_code"]))
    payment = await _invoice_payment(connection, tenant_id, invoice, details, terms)
    if payment.state == "paid":
        return "paid before"
    await receipts.mark_paid(connection, payment, receipts.invoice_facts(invoice))
    current = await subscriptions.lock(connection, tenant_id)
    if invoice["billing_reason"] == "subscription_update":
        start, end = current.period_start, current.period_end
        await subscriptions.set_plan(connection, tenant_id, terms.code)
    else:
        start, end = _period(invoice)
        await subscriptions.begin_period(
            connection,
            current,
            plan_code=terms.code,
            start=start,
            end=end,
            provider_ref=ref_of(details["subscription"]) or "",
        )
    granted = await grant_period(
        connection, tenant_id, terms, start=start, end=end, payment_id=payment.id
    )
    lot_id, credits_ucr = granted or (None, 0)
    await receipts.mark_granted(
        connection, payment, lot_id=lot_id, credits_ucr=credits_ucr, start=start, end=end
    )
    return "granted" if granted else "paid, nothing to grant"


async def _invoice_payment(
    connection: AsyncConnection,
    tenant_id: UUID,
    invoice: Object,
    details: Object,
    terms: plans.Plan,
) -> Payment:
    """The payment row of an invoice: the first one's was made at the click."""
    clicked = details["metadata"].get("payment_id")
    first = invoice["billing_reason"] == "subscription_create" and clicked
    payment_id = UUID(clicked) if first else ids.derived_uuid(_INVOICES, str(invoice["id"]))
    await receipts.open_payment(
        connection,
        {
            "tenant_id": tenant_id,
            "id": payment_id,
            "kind": "subscription",
            "plan_code": terms.code,
            "credits_ucr": 0,
            "price_minor": max(0, int(invoice["amount_due"])),
            "currency": str(invoice["currency"]).upper(),
            "created_by": AUTHOR,
        },
    )
    payment = await receipts.lock(connection, tenant_id, payment_id)
    if payment is None:
        raise ConflictError("A subscription's payment id belongs to another tenant.")
    return payment


def _period(invoice: Object) -> tuple[datetime, datetime]:
    """The period that an invoice pays for: its line's, not the invoice's own (the one before)."""
    lines = [line["period"] for line in invoice["lines"]["data"] if not _is_proration(line)]
    found = max(lines or [line["period"] for line in invoice["lines"]["data"]], key=_end)
    return datetime.fromtimestamp(found["start"], UTC), datetime.fromtimestamp(found["end"], UTC)


def _end(period: Object) -> int:
    return int(period["end"])


def _is_proration(line: Object) -> bool:
    parent = line.get("parent") or {}
    return bool((parent.get("subscription_item_details") or {}).get("proration"))
