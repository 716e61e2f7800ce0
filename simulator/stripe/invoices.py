"""Invoices that a shop makes itself: drafted, finalised, paid from a saved card, or voided."""

from collections.abc import Callable
from typing import Any

from simulator.http import HttpError, Request, Response, Router
from simulator.stripe.forms import flag
from simulator.stripe.money import Money
from simulator.stripe.store import Object, Store, new_id, tax_of

Once = Callable[[Request, Any], Response]
Find = Callable[[str, str], Object]


class Invoices:
    """Answers `/v1/invoices…` and `/v1/invoiceitems`; a declined card is a 402, as at Stripe."""

    def __init__(self, store: Store, money: Money, once: Once, find: Find) -> None:
        self._store = store
        self._money = money
        self._once = once
        self._find = find

    def register(self, router: Router) -> None:
        """Add the routes."""
        router.add("POST", "/v1/invoices", self.create)
        router.add("POST", "/v1/invoiceitems", self.add_item)
        router.add("POST", "/v1/invoices/{id}/finalize", self.finalize)
        router.add("POST", "/v1/invoices/{id}/pay", self.pay)
        router.add("POST", "/v1/invoices/{id}/void", self.void)

    async def create(self, request: Request) -> Response:
        """Make a draft."""

        def act(form: Object) -> Object:
            customer = self._find("customer", form.get("customer", ""))
            return self._store.invoice(
                customer=customer["id"],
                **self._money.billed(customer["id"]),
                currency=form["currency"],
                status="draft",
                billing_reason="manual",
                default_payment_method=form.get("default_payment_method"),
                automatic_tax={"enabled": flag(form.get("automatic_tax", {}).get("enabled"))},
                metadata=form.get("metadata") or {},
                subtotal=0,
                amount_due=0,
                amount_paid=0,
                parent=None,
                lines={"object": "list", "data": []},
            )

        return self._once(request, act)

    async def add_item(self, request: Request) -> Response:
        """Put a line on a draft."""

        def act(form: Object) -> Object:
            invoice = self._of(form.get("invoice", ""), "draft")
            line = {
                "id": new_id("il"),
                "object": "line_item",
                "amount": int(form["amount"]),
                "description": form.get("description"),
            }
            invoice["lines"]["data"].append(line)
            invoice["subtotal"] += line["amount"]
            return {"id": new_id("ii"), "object": "invoiceitem", "invoice": invoice["id"]}

        return self._once(request, act)

    async def finalize(self, request: Request) -> Response:
        """Add taxes and let a draft be paid."""

        def act(_: Object) -> Object:
            invoice = self._of(request.params["id"], "draft")
            taxed = invoice["automatic_tax"]["enabled"]
            tax = tax_of(invoice["subtotal"], taxed=taxed)
            invoice |= {"status": "open", "amount_due": invoice["subtotal"] + tax}
            invoice["total_taxes"] = [{"amount": tax}] if tax else []
            return invoice

        return self._once(request, act)

    async def pay(self, request: Request) -> Response:
        """Charge a saved card."""

        def act(form: Object) -> Object:
            invoice = self._of(request.params["id"], "open")
            ref = form.get("payment_method") or invoice["default_payment_method"] or ""
            card = self._find("payment_method", ref)
            if card["customer"] != invoice["customer"]:
                raise _refused(400, "The payment method belongs to another customer.", None)
            self._money.collect(invoice, card)
            if invoice["status"] != "paid":
                raise _refused(402, "Your card was declined.", "card_declined")
            return invoice

        return self._once(request, act)

    async def void(self, request: Request) -> Response:
        """Make sure that nobody pays it any more."""

        def act(_: Object) -> Object:
            invoice = self._of(request.params["id"], "open")
            invoice["status"] = "void"
            return invoice

        return self._once(request, act)

    def _of(self, ref: str, status: str) -> Object:
        invoice = self._find("invoice", ref)
        if invoice["status"] != status:
            text = f"This invoice is {invoice['status']}, not {status}."
            raise _refused(400, text, "invoice_not_editable")
        return invoice


def _refused(status: int, message: str, code: str | None) -> HttpError:
    kind = "card_error" if status == 402 else "invalid_request_error"  # noqa: PLR2004
    return HttpError(status, {"error": {"type": kind, "message": message, "code": code}})
