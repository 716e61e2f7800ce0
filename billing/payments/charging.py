"""Charges of cards that Stripe keeps, for purchases that a business's rule began.

The invoice is what can be paid once: its id is stored before it is paid, and whatever is asked
again begins by reading it. A lost answer is asked for again until there is one; a definite no
voids the invoice, ends the purchase and pauses the rule. Where the rule was ended meanwhile the
invoice is voided, too, unless it is paid. Calls are made outside transactions.
"""

import logging
import random
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.config import Settings
from app.core.db.engine import Database
from app.core.errors import ConflictError, ProviderError
from app.core.observability.sentry import capture
from billing.notices.letters import Notices
from billing.payments import auto_top_up, receipts
from billing.payments.settling import settle_auto_top_up
from billing.payments.stripe_api import Object, StripeApi

log = logging.getLogger(__name__)

LEASE_S = 120.0
_BATCH = 10
_PAUSE_MAX_S = 3600.0
_DECLINED = 402
# Our own key is wrong: that says nothing of a customer's card.
_OUR_FAULT = {401, 403}

_CLAIM = text(
    """
    update auto_top_ups set attempts = attempts + 1,
                            next_attempt_at = now() + make_interval(secs => :lease_s)
    where tenant_id in (
        select tenant_id from auto_top_ups
        where payment_id is not null and next_attempt_at <= now()
        order by next_attempt_at limit :batch_max for update skip locked)
    returning tenant_id, payment_id, card_ref, attempts
    """
)
_FACTS = text(
    """
    select p.state, p.invoice_ref, p.price_minor, p.currency, b.customer_ref,
           coalesce(k.name, p.package_code) as title,
           coalesce(a.enabled_at is not null and a.paused_reason is null
                    and t.status = 'active', false) as wanted
    from payments p
    left join auto_top_ups a on a.tenant_id = p.tenant_id and a.payment_id = p.id
    left join tenants t on t.id = p.tenant_id
    left join billing_profiles b on b.tenant_id = p.tenant_id
    left join top_up_packages k on k.code = p.package_code
    where p.tenant_id = :tenant_id and p.id = :payment_id
    """
)
_BIND = text(
    "update payments set invoice_ref = :invoice_ref where tenant_id = :tenant_id and id = :id"
)
_LATER = text(
    """
    update auto_top_ups set next_attempt_at = now() + make_interval(secs => :pause_s)
    where tenant_id = :tenant_id and payment_id = :payment_id and attempts = :attempts
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Purchase:
    """One purchase that was claimed, with what its invoice needs.

    ``wanted`` is False when the rule was ended, or the business stopped, since it was begun.
    """

    tenant_id: UUID
    payment_id: UUID
    card_ref: str
    customer_ref: str
    invoice_ref: str | None
    price_minor: int
    currency: str
    title: str
    wanted: bool

    def key(self, step: str) -> str:
        """The idempotency key of one step: the same at every try."""
        return f"auto_top_up:{self.payment_id}:{step}"


class Charger:
    """Charges what is due. Use from one event loop."""

    def __init__(
        self, database: Database, settings: Settings, stripe: StripeApi, notices: Notices
    ) -> None:
        self._database = database
        self._stripe = stripe
        self._notices = notices
        self._taxes = settings.stripe_automatic_tax
        self._base_s = settings.timings.retry_base_s

    async def process_batch(self) -> bool:
        """Charge one batch, one after the other; True when more may wait."""
        async with self._database.system() as connection:
            values = {"lease_s": LEASE_S, "batch_max": _BATCH}
            rows = (await connection.execute(_CLAIM, values)).all()
        for row in rows:
            await self._process(row)
        return len(rows) == _BATCH

    async def _process(self, row: Any) -> None:
        purchase = await self._read(row)
        try:
            if purchase is None:
                await self._fail(row.tenant_id, row.payment_id, "refused")
                return
            await self._charge(purchase)
        except (ProviderError, ConflictError) as error:
            log.warning("a charge is not decided", extra={"attempt": row.attempts})
            await self._later(row)
            passes = isinstance(error, ProviderError) and error.retryable
            if row.attempts == 1 and not passes:
                capture(error)

    async def _read(self, row: Any) -> _Purchase | None:
        values = {"tenant_id": row.tenant_id, "payment_id": row.payment_id}
        async with self._database.system() as connection:
            facts = (await connection.execute(_FACTS, values)).one()
        if facts.customer_ref is None or row.card_ref is None:
            return None
        return _Purchase(
            **values,
            card_ref=row.card_ref,
            customer_ref=facts.customer_ref,
            invoice_ref=facts.invoice_ref,
            price_minor=facts.price_minor,
            currency=facts.currency,
            title=facts.title,
            wanted=facts.wanted,
        )

    async def _charge(self, purchase: _Purchase) -> None:
        """Pay the purchase's invoice, or learn that it cannot be paid; ProviderError: not known."""
        ref, reason = purchase.invoice_ref, "refused"
        try:
            if purchase.wanted:
                ref = ref or await self._open(purchase)
                await self._pay(purchase, ref)
        except ProviderError as error:
            if error.retryable or error.status_code in _OUR_FAULT:
                raise
            reason = "declined" if error.status_code == _DECLINED else "refused"
        invoice = await self._stripe.invoice(ref) if ref else {}
        if invoice.get("status") == "paid":
            async with self._database.system() as connection:
                await self._settle(connection, purchase, invoice)
            return
        if invoice.get("status") == "open":
            await self._stripe.void_invoice(str(ref), purchase.key("void"))
        told = reason if purchase.wanted else None
        await self._fail(purchase.tenant_id, purchase.payment_id, told)

    async def _open(self, purchase: _Purchase) -> str:
        """Make the invoice, and remember it before anything is charged."""
        ids = {"tenant_id": str(purchase.tenant_id), "payment_id": str(purchase.payment_id)}
        params = {
            "customer": purchase.customer_ref,
            "currency": purchase.currency.lower(),
            "collection_method": "charge_automatically",
            "auto_advance": False,
            "pending_invoice_items_behavior": "exclude",
            "automatic_tax": {"enabled": self._taxes},
            "metadata": ids,
        }
        invoice = await self._stripe.create_invoice(params, purchase.key("invoice"))
        async with self._database.system() as connection:
            values = {"tenant_id": purchase.tenant_id, "id": purchase.payment_id}
            await connection.execute(_BIND, {**values, "invoice_ref": invoice["id"]})
        return str(invoice["id"])

    async def _pay(self, purchase: _Purchase, ref: str) -> None:
        invoice = await self._stripe.invoice(ref)
        if invoice["status"] == "draft":
            if not (invoice.get("lines") or {}).get("data"):
                item = {
                    "customer": purchase.customer_ref,
                    "invoice": ref,
                    "amount": purchase.price_minor,
                    "currency": purchase.currency.lower(),
                    "description": purchase.title,
                }
                await self._stripe.create_invoice_item(item, purchase.key("item"))
            invoice = await self._stripe.finalize_invoice(ref, purchase.key("finalize"))
        if invoice["status"] == "open" and invoice["subtotal"] == purchase.price_minor:
            params = {"payment_method": purchase.card_ref, "off_session": True}
            # Stripe refuses a key that comes again with another card; an invoice is paid once.
            key = purchase.key(f"pay:{purchase.card_ref}")
            await self._stripe.pay_invoice(ref, params, key)

    async def _settle(
        self, connection: AsyncConnection, purchase: _Purchase, invoice: Object
    ) -> None:
        payment = await receipts.lock(connection, purchase.tenant_id, purchase.payment_id)
        if payment is not None:
            await settle_auto_top_up(connection, payment, invoice)
            log.info("automatic top-up paid")

    async def _fail(self, tenant_id: UUID, payment_id: UUID, reason: str | None) -> None:
        """End a purchase that nothing was paid for; with a reason, pause its rule and tell it."""
        async with self._database.system() as connection:
            payment = await receipts.lock(connection, tenant_id, payment_id)
            if payment is None or payment.state == "paid":
                return
            ended = await receipts.mark_ended(
                connection, payment, "failed" if reason else "expired"
            )
            await auto_top_up.free(connection, payment)
            if ended and reason:
                await auto_top_up.pause(connection, self._notices, tenant_id, reason)

    async def _later(self, row: Any) -> None:
        bound_s = min(_PAUSE_MAX_S, self._base_s * 2 ** min(row.attempts, 20))
        pause_s = random.uniform(0, bound_s)  # noqa: S311 - spreads retries
        values = {"tenant_id": row.tenant_id, "payment_id": row.payment_id}
        async with self._database.system() as connection:
            await connection.execute(
                _LATER, {**values, "attempts": row.attempts, "pause_s": pause_s}
            )
