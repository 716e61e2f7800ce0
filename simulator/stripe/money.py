"""What happens to money at the simulated Stripe: paid, declined, renewed, refunded, disputed."""

from simulator.http import HttpError
from simulator.stripe.store import Object, Store, new_id, next_month, now_s, tax_of
from simulator.stripe.webhooks import Event, StripeWebhooks


class Money:
    """Moves money in the store and tells of it by events."""

    def __init__(self, store: Store, webhooks: StripeWebhooks) -> None:
        self._store = store
        self._webhooks = webhooks

    def pay(
        self,
        session: Object,
        *,
        delayed: bool = False,
        card: str | None = None,
        copies: int = 1,
    ) -> Event:
        """Complete a Checkout Session; `delayed` as with a bank debit: the money comes later.

        One that saves a card saves one that is declined when `card` says so.
        """
        _expect(session["status"] == "open", "this session is not open any more")
        session["status"] = "complete"
        session["customer_details"] = self._payer(session["customer"])
        if session["mode"] == "setup":
            self._save_card(session, declined=card == "declined")
        elif session["mode"] == "subscription":
            self._subscribe(session)
        elif not delayed:
            self._receive(session)
        return self._webhooks.emit("checkout.session.completed", session, copies=copies)

    def arrive(self, session: Object, *, copies: int = 1) -> Event:
        """The money of a delayed payment comes."""
        _expect(session["status"] == "complete", "this session was not completed")
        self._receive(session)
        kind = "checkout.session.async_payment_succeeded"
        return self._webhooks.emit(kind, session, copies=copies)

    def fail_later(self, session: Object) -> Event:
        """The money of a delayed payment does not come."""
        return self._webhooks.emit("checkout.session.async_payment_failed", session)

    def expire(self, session: Object) -> Event:
        """Nobody paid in time."""
        _expect(session["status"] == "open", "this session is not open any more")
        session["status"] = "expired"
        return self._webhooks.emit("checkout.session.expired", session)

    def renew(self, subscription: Object, *, paid: bool = True, copies: int = 1) -> Event:
        """A subscription's next period begins with an invoice, paid or not."""
        item = subscription["items"]["data"][0]
        if paid:
            start = item["current_period_end"]
            item |= {"current_period_start": start, "current_period_end": next_month(start)}
        invoice = self._bill(subscription, "subscription_cycle", _price(subscription))
        if not paid:
            subscription["status"] = "past_due"
            self._webhooks.emit("customer.subscription.updated", subscription)
            return self._webhooks.emit("invoice.payment_failed", invoice, copies=copies)
        self._store.pay_invoice(invoice)
        subscription["status"] = "active"
        self._webhooks.emit("customer.subscription.updated", subscription)
        return self._webhooks.emit("invoice.paid", invoice, copies=copies)

    def prorate(self, subscription: Object, amount: int) -> None:
        """Bill a change of price at once."""
        invoice = self._bill(subscription, "subscription_update", max(0, amount))
        self._store.pay_invoice(invoice)
        self._webhooks.emit("invoice.paid", invoice)

    def end(self, subscription: Object) -> Event:
        """A subscription is over."""
        subscription |= {"status": "canceled", "canceled_at": now_s()}
        return self._webhooks.emit("customer.subscription.deleted", subscription)

    def refund(self, charge: Object, amount: int | None, *, copies: int = 1) -> Event:
        """Give (part of) a charge back."""
        left = charge["amount"] - charge["amount_refunded"]
        amount = left if amount is None else amount
        _expect(0 < amount <= left, f"at most {left} of this charge can be refunded")
        charge["amount_refunded"] += amount
        charge["refunded"] = charge["amount_refunded"] == charge["amount"]
        return self._webhooks.emit("charge.refunded", charge, copies=copies)

    def dispute(
        self, charge: Object, amount: int | None, status: str | None = None, *, copies: int = 1
    ) -> Event:
        """The cardholder's bank takes money back, or with a `warning_…` status only asks."""
        charge["disputed"] = True
        dispute = {
            "id": new_id("dp"),
            "object": "dispute",
            "charge": charge["id"],
            "payment_intent": charge["payment_intent"],
            "amount": charge["amount"] if amount is None else amount,
            "currency": charge["currency"],
            "reason": "fraudulent",
            "status": status or "needs_response",
            "created": now_s(),
        }
        self._store.add("dispute", dispute)
        return self._webhooks.emit("charge.dispute.created", dispute, copies=copies)

    def close_dispute(self, dispute: Object, status: str, *, copies: int = 1) -> Event:
        """The bank decides: won, lost or warning_closed."""
        dispute["status"] = status
        return self._webhooks.emit("charge.dispute.closed", dispute, copies=copies)

    def collect(self, invoice: Object, card: Object) -> Event:
        """Charge an invoice to a saved card: it is paid, or stays open when that is declined."""
        if card["declined"]:
            invoice["attempt_count"] += 1
            return self._webhooks.emit("invoice.payment_failed", invoice)
        return self._webhooks.emit("invoice.paid", self._store.pay_invoice(invoice))

    def billed(self, customer_ref: str) -> Object:
        """What an invoice says of who pays it."""
        payer = self._payer(customer_ref)
        return {
            "customer_name": payer["name"],
            "customer_address": payer["address"],
            "customer_tax_ids": payer["tax_ids"],
        }

    def _save_card(self, session: Object, *, declined: bool) -> None:
        card = {
            "id": new_id("pm"),
            "object": "payment_method",
            "customer": session["customer"],
            "card": {"brand": "visa", "last4": "0341" if declined else "4242"},
            "declined": declined,
        }
        self._store.add("payment_method", card)
        intent = {"id": new_id("seti"), "object": "setup_intent", "payment_method": card["id"]}
        session["setup_intent"] = self._store.add("setup_intent", intent)["id"]

    def _receive(self, session: Object) -> None:
        intent = self._store.charge(session)
        session |= {"payment_status": "paid", "payment_intent": intent["id"]}
        if session.get("invoice_creation", {}).get("enabled"):
            session["invoice"] = self._store.invoice(
                customer=session["customer"],
                currency=session["currency"],
                status="paid",
                billing_reason="manual",
                amount_due=session["amount_total"],
                amount_paid=session["amount_total"],
                parent=None,
                lines={"object": "list", "data": []},
            )["id"]

    def _subscribe(self, session: Object) -> None:
        start = now_s()
        line = session["price"]
        subscription = self._store.add(
            "subscription",
            {
                "id": new_id("sub"),
                "object": "subscription",
                "customer": session["customer"],
                "status": "active",
                "currency": session["currency"],
                "cancel_at_period_end": False,
                "metadata": session["subscription_metadata"],
                "created": start,
                "items": {
                    "object": "list",
                    "data": [
                        {
                            "id": new_id("si"),
                            "object": "subscription_item",
                            "price": line,
                            "quantity": 1,
                            "current_period_start": start,
                            "current_period_end": next_month(start),
                        }
                    ],
                },
            },
        )
        invoice = self._bill(subscription, "subscription_create", _price(subscription))
        self._store.pay_invoice(invoice)
        session |= {
            "payment_status": "paid",
            "subscription": subscription["id"],
            "invoice": invoice["id"],
        }
        self._webhooks.emit("customer.subscription.created", subscription)
        self._webhooks.emit("customer.subscription.updated", subscription)
        self._webhooks.emit("invoice.paid", invoice)

    def _bill(self, subscription: Object, reason: str, amount: int) -> Object:
        item = subscription["items"]["data"][0]
        prorated = reason == "subscription_update"
        line = {
            "id": new_id("il"),
            "object": "line_item",
            "amount": amount,
            "period": {"start": item["current_period_start"], "end": item["current_period_end"]},
            "parent": {
                "type": "subscription_item_details",
                "subscription_item_details": {"proration": prorated},
            },
        }
        return self._store.invoice(
            customer=subscription["customer"],
            **self.billed(subscription["customer"]),
            currency=subscription["currency"],
            status="open",
            billing_reason=reason,
            amount_due=amount,
            amount_paid=0,
            parent={
                "type": "subscription_details",
                "subscription_details": {
                    "subscription": subscription["id"],
                    "metadata": dict(subscription["metadata"]),
                },
            },
            lines={"object": "list", "data": [line]},
        )

    def _payer(self, customer_ref: str) -> Object:
        customer = self._store.get("customer", customer_ref) or {}
        return {
            "name": customer.get("name"),
            "email": customer.get("email"),
            "address": {
                "line1": "Am Hafen 1",
                "postal_code": "20457",
                "city": "Hamburg",
                "state": None,
                "line2": None,
                "country": "DE",
            },
            "tax_ids": [{"type": "eu_vat", "value": "DE123456789"}],
        }


def total(session: Object, subtotal: int) -> Object:
    """A session with its amounts."""
    tax = tax_of(subtotal, taxed=session["automatic_tax"]["enabled"])
    return session | {
        "amount_subtotal": subtotal,
        "amount_total": subtotal + tax,
        "total_details": {"amount_tax": tax, "amount_discount": 0, "amount_shipping": 0},
    }


def _price(subscription: Object) -> int:
    return int(subscription["items"]["data"][0]["price"]["unit_amount"])


def _expect(holds: bool, message: str) -> None:  # noqa: FBT001 - reads as a sentence
    if not holds:
        raise HttpError(409, {"error": message})
