"""Payments: made at the click, filled in when Stripe says that money came, listed as receipts."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.payments.stripe_api import Object

_ROWS_MAX = 200
_COLUMNS = (
    "tenant_id, id, kind, state, plan_code, package_code, credits_ucr, valid_days, price_minor,"
    " amount_minor, tax_minor, currency, invoice_number, invoice_url, receipt_url, lot_id,"
    " period_start, period_end, clawed_ucr, billed_name, billed_address, billed_country,"
    " billed_tax_id, created_at, paid_at"
)
_OF_TENANT = text(
    f"""
    select {_COLUMNS}, (
        select coalesce(sum(r.amount_minor), 0) from payment_reversals r
        where r.tenant_id = p.tenant_id and r.payment_id = p.id and r.state <> 'won'
    ) as returned_minor
    from payments p where tenant_id = :tenant_id
    order by created_at desc, id desc limit :rows_max
    """  # noqa: S608
)
_BY_SESSION = text(
    f"select {_COLUMNS}, 0 as returned_minor from payments"  # noqa: S608
    " where tenant_id = :tenant_id and session_ref = :session_ref"
)
_LOCK = text(
    f"select {_COLUMNS}, 0 as returned_minor from payments"  # noqa: S608
    " where tenant_id = :tenant_id and id = :id for update"
)
_LOCK_BY_INTENT = text(
    f"select {_COLUMNS}, 0 as returned_minor from payments"  # noqa: S608
    " where intent_ref = :intent_ref order by created_at limit 1 for update"
)
_OPEN = text(
    """
    insert into payments (tenant_id, id, kind, plan_code, package_code, credits_ucr, valid_days,
                          price_minor, currency, created_by, request_id)
    values (:tenant_id, :id, :kind, :plan_code, :package_code, :credits_ucr, :valid_days,
            :price_minor, :currency, :created_by, :request_id)
    on conflict do nothing
    """
)
_PAID = text(
    """
    update payments set
        state = 'paid', paid_at = coalesce(paid_at, now()), amount_minor = :amount_minor,
        tax_minor = :tax_minor, intent_ref = :intent_ref, invoice_ref = :invoice_ref,
        invoice_number = :invoice_number, invoice_url = :invoice_url, receipt_url = :receipt_url,
        billed_name = :name, billed_address = :address, billed_country = :country,
        billed_tax_id = :tax_id
    where tenant_id = :tenant_id and id = :id
    returning paid_at, paid_at + make_interval(days => valid_days) as expires_at
    """
)
_GRANTED = text(
    """
    update payments set lot_id = :lot_id, credits_ucr = :credits_ucr, period_start = :start,
                        period_end = :end
    where tenant_id = :tenant_id and id = :id
    """
)
_ENDED = text(
    """
    update payments set state = :state
    where tenant_id = :tenant_id and id = :id and state = 'pending'
    """
)
_SESSION = text(
    "update payments set session_ref = :session_ref where tenant_id = :tenant_id and id = :id"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """One purchase; amounts are minor units, ``returned_minor`` is what went back."""

    tenant_id: UUID
    id: UUID
    kind: str
    state: str
    plan_code: str | None
    package_code: str | None
    credits_ucr: int
    valid_days: int | None
    price_minor: int
    amount_minor: int
    tax_minor: int
    currency: str
    invoice_number: str | None
    invoice_url: str | None
    receipt_url: str | None
    lot_id: UUID | None
    period_start: datetime | None
    period_end: datetime | None
    clawed_ucr: int
    billed_name: str | None
    billed_address: str | None
    billed_country: str | None
    billed_tax_id: str | None
    created_at: datetime
    paid_at: datetime | None
    returned_minor: int


async def payments_of(
    connection: AsyncConnection, tenant_id: UUID, *, rows_max: int = _ROWS_MAX
) -> list[Payment]:
    """List a tenant's payments, the newest first: its receipts."""
    values = {"tenant_id": tenant_id, "rows_max": rows_max}
    rows = await connection.execute(_OF_TENANT, values)
    return [Payment(**row._mapping) for row in rows]  # noqa: SLF001


async def by_session(
    connection: AsyncConnection, tenant_id: UUID, session_ref: str
) -> Payment | None:
    """Find the payment of a Checkout Session; None when there is none."""
    values = {"tenant_id": tenant_id, "session_ref": session_ref}
    row = (await connection.execute(_BY_SESSION, values)).one_or_none()
    return Payment(**row._mapping) if row else None  # noqa: SLF001


async def lock(connection: AsyncConnection, tenant_id: UUID, payment_id: UUID) -> Payment | None:
    """Read one payment and lock it."""
    values = {"tenant_id": tenant_id, "id": payment_id}
    row = (await connection.execute(_LOCK, values)).one_or_none()
    return Payment(**row._mapping) if row else None  # noqa: SLF001


async def lock_by_intent(connection: AsyncConnection, intent_ref: str) -> Payment | None:
    """Find the payment behind a PaymentIntent (system scope) and lock it."""
    row = (await connection.execute(_LOCK_BY_INTENT, {"intent_ref": intent_ref})).one_or_none()
    return Payment(**row._mapping) if row else None  # noqa: SLF001


async def open_payment(connection: AsyncConnection, values: dict[str, Any]) -> None:
    """Make a pending payment; one with this id is left as it is."""
    defaults = {"plan_code": None, "package_code": None, "valid_days": None, "request_id": None}
    await connection.execute(_OPEN, {**defaults, **values})


async def bind_session(
    connection: AsyncConnection, tenant_id: UUID, payment_id: UUID, session_ref: str
) -> None:
    """Remember the Checkout Session in which a payment is made."""
    values = {"tenant_id": tenant_id, "id": payment_id, "session_ref": session_ref}
    await connection.execute(_SESSION, values)


async def mark_paid(
    connection: AsyncConnection, payment: Payment, facts: dict[str, Any]
) -> tuple[datetime, datetime | None]:
    """Fill in what was paid; returns when it first was, and when its credits expire."""
    keys = {"tenant_id": payment.tenant_id, "id": payment.id}
    row = (await connection.execute(_PAID, {**keys, **facts})).one()
    return row.paid_at, row.expires_at


async def mark_granted(
    connection: AsyncConnection,
    payment: Payment,
    *,
    lot_id: UUID | None,
    credits_ucr: int,
    start: datetime | None = None,
    end: datetime | None = None,
) -> None:
    """Remember which lot a payment brought, and for which period."""
    values = {"lot_id": lot_id, "credits_ucr": credits_ucr, "start": start, "end": end}
    await connection.execute(_GRANTED, {"tenant_id": payment.tenant_id, "id": payment.id, **values})


async def mark_ended(connection: AsyncConnection, payment: Payment, state: str) -> bool:
    """End a pending payment as ``failed`` or ``expired``; False when it is not pending."""
    values = {"tenant_id": payment.tenant_id, "id": payment.id, "state": state}
    return bool((await connection.execute(_ENDED, values)).rowcount)


def session_facts(session: Object) -> dict[str, Any]:
    """What a paid Checkout Session (invoice and charge expanded) says for the receipt."""
    intent = session.get("payment_intent") or {}
    charge = intent.get("latest_charge") or {} if isinstance(intent, dict) else {}
    invoice = session.get("invoice") or {}
    invoice = invoice if isinstance(invoice, dict) else {"id": invoice}
    return {
        "amount_minor": session["amount_total"],
        "tax_minor": (session.get("total_details") or {}).get("amount_tax") or 0,
        "intent_ref": ref_of(intent),
        "invoice_ref": invoice.get("id"),
        "invoice_number": invoice.get("number"),
        "invoice_url": invoice.get("hosted_invoice_url"),
        "receipt_url": charge.get("receipt_url") if isinstance(charge, dict) else None,
        **_billed(session.get("customer_details") or {}),
    }


def invoice_facts(invoice: Object) -> dict[str, Any]:
    """What a paid invoice (payments expanded) says for the receipt."""
    payments = (invoice.get("payments") or {}).get("data") or []
    intents = [p["payment"].get("payment_intent") for p in payments if p["status"] == "paid"]
    details = {
        "name": invoice.get("customer_name"),
        "address": invoice.get("customer_address"),
        "tax_ids": invoice.get("customer_tax_ids"),
    }
    return {
        "amount_minor": invoice["amount_paid"],
        "tax_minor": sum(tax["amount"] for tax in invoice.get("total_taxes") or []),
        "intent_ref": ref_of(intents[0]) if intents else None,
        "invoice_ref": invoice["id"],
        "invoice_number": invoice.get("number"),
        "invoice_url": invoice.get("hosted_invoice_url"),
        "receipt_url": None,
        **_billed(details),
    }


def _billed(details: Object) -> dict[str, Any]:
    address = details.get("address") or {}
    lines = [address.get(k) for k in ("line1", "line2", "postal_code", "city", "state")]
    tax_ids = details.get("tax_ids") or []
    return {
        "name": details.get("name"),
        "address": ", ".join(line for line in lines if line) or None,
        "country": address.get("country"),
        "tax_id": tax_ids[0].get("value") if tax_ids else None,
    }


def ref_of(thing: Any) -> str | None:
    """The id of a thing that Stripe may have expanded."""
    found = thing.get("id") if isinstance(thing, dict) else thing
    return str(found) if found else None
