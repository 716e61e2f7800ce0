"""Stripe's API as far as a shop needs it: customers, products, Checkout, subscriptions."""

from typing import Any

from simulator.clock import ScaledClock
from simulator.faults import FaultPlan
from simulator.http import HttpError, Request, Response, Router, json_response
from simulator.settings import Settings
from simulator.stripe.forms import flag, parse_form
from simulator.stripe.invoices import Invoices
from simulator.stripe.money import Money, total
from simulator.stripe.store import Object, Store, expanded, new_id, now_s
from simulator.stripe.webhooks import StripeWebhooks

_READABLE = {
    "/v1/customers": "customer",
    "/v1/products": "product",
    "/v1/checkout/sessions": "session",
    "/v1/invoices": "invoice",
    "/v1/subscriptions": "subscription",
    "/v1/charges": "charge",
    "/v1/payment_intents": "payment_intent",
    "/v1/disputes": "dispute",
}


class Stripe:
    """Answers `/v1/…`; an idempotency key answers as it did the first time."""

    def __init__(self, settings: Settings, clock: ScaledClock, faults: FaultPlan) -> None:
        self.store = Store()
        self.webhooks = StripeWebhooks(
            settings.stripe_webhook_url, settings.stripe_webhook_secret, clock, faults
        )
        self.money = Money(self.store, self.webhooks)
        self._pages = settings.public_url
        self._answers: dict[str, tuple[tuple[str, bytes], Object]] = {}
        self._router = Router()
        self._router.add("POST", "/v1/customers", self.create_customer)
        self._router.add("POST", "/v1/products", self.create_product)
        self._router.add("POST", "/v1/checkout/sessions", self.create_session)
        self._router.add("POST", "/v1/billing_portal/sessions", self.create_portal)
        self._router.add("POST", "/v1/subscriptions/{id}", self.update_subscription)
        self._router.add("POST", "/v1/refunds", self.create_refund)
        Invoices(self.store, self.money, self._once, self._find).register(self._router)
        for path in _READABLE:
            self._router.add("GET", f"{path}/{{id}}", self.read)

    async def handle(self, request: Request) -> Response:
        """Answer one call, errors in Stripe's shape."""
        try:
            if not request.bearer() and not request.headers.get("authorization"):
                raise _error(401, "You did not provide an API key.")
            handler, _ = self._router.find(request)
            if handler is None:
                text = f"Unrecognized request URL ({request.method}: {request.path})."
                raise _error(404, text)
            return await handler(request)
        except HttpError as error:
            return error.response()

    def forget(self) -> int:
        """Forget objects, events and idempotency keys; returns how many objects there were."""
        self._answers.clear()
        self.webhooks.forget()
        return self.store.forget()

    async def read(self, request: Request) -> Response:
        """One object, expanded as asked."""
        kind = _READABLE[request.path.rpartition("/")[0]]
        item = self._find(kind, request.params["id"])
        names = [value for name, value in request.query.items() if name.startswith("expand")]
        return json_response(expanded(self.store, item, names))

    async def create_customer(self, request: Request) -> Response:
        """Make a customer."""

        def act(form: Object) -> Object:
            names = ("name", "email", "metadata")
            values = {name: form.get(name) for name in names}
            item = {"id": new_id("cus"), "object": "customer", "created": now_s()}
            return self.store.add("customer", {**item, **values})

        return self._once(request, act)

    async def create_product(self, request: Request) -> Response:
        """Make a product, under an id of the caller's where it gives one."""

        def act(form: Object) -> Object:
            ref = form.get("id") or new_id("prod")
            if self.store.get("product", ref) is not None:
                text = f"Product already exists: {ref}"
                raise _error(400, text, code="resource_already_exists")
            item = {"id": ref, "object": "product", "name": form.get("name"), "active": True}
            return self.store.add("product", item)

        return self._once(request, act)

    async def create_session(self, request: Request) -> Response:
        """Make a Checkout Session; its page is the simulator's."""

        def act(form: Object) -> Object:
            line = (form.get("line_items") or [{}])[0]
            price = line.get("price_data")
            if form.get("mode") == "setup":
                price = {"currency": form.get("currency"), "unit_amount": 0}
            if not price or form.get("mode") not in {"payment", "subscription", "setup"}:
                raise _error(400, "A session needs a mode and line_items with price_data.")
            if self.store.get("customer", form.get("customer", "")) is None:
                raise _error(400, f"No such customer: {form.get('customer')}")
            ref = new_id("cs_test")
            subtotal = int(price["unit_amount"]) * int(line.get("quantity", 1))
            session = {
                "id": ref,
                "object": "checkout.session",
                "mode": form["mode"],
                "status": "open",
                "payment_status": "unpaid",
                "customer": form["customer"],
                "client_reference_id": form.get("client_reference_id"),
                "currency": price["currency"],
                "metadata": form.get("metadata") or {},
                "success_url": form.get("success_url"),
                "cancel_url": form.get("cancel_url"),
                "automatic_tax": {"enabled": flag(form.get("automatic_tax", {}).get("enabled"))},
                "invoice_creation": {
                    "enabled": flag(form.get("invoice_creation", {}).get("enabled"))
                },
                "price": {**price, "unit_amount": int(price["unit_amount"])},
                "subscription_metadata": form.get("subscription_data", {}).get("metadata") or {},
                "payment_metadata": form.get("payment_intent_data", {}).get("metadata") or {},
                "name": self._name(price),
                "payment_intent": None,
                "invoice": None,
                "setup_intent": None,
                "subscription": None,
                "url": f"{self._pages}/checkout/{ref}",
                "created": now_s(),
            }
            return self.store.add("session", total(session, subtotal))

        return self._once(request, act)

    async def create_portal(self, request: Request) -> Response:
        """Make a session of the customer portal; its page is the simulator's."""

        def act(form: Object) -> Object:
            self._find("customer", form.get("customer", ""))
            ref = new_id("bps")
            item = {
                "id": ref,
                "object": "billing_portal.session",
                "customer": form["customer"],
                "return_url": form.get("return_url"),
                "url": f"{self._pages}/portal/{ref}",
            }
            return self.store.add("portal", item)

        return self._once(request, act)

    async def update_subscription(self, request: Request) -> Response:
        """Change price, metadata or the end; a higher price may be billed at once."""

        def act(form: Object) -> Object:
            item = self._find("subscription", request.params["id"])
            item["metadata"] |= form.get("metadata") or {}
            if "cancel_at_period_end" in form:
                item["cancel_at_period_end"] = flag(form["cancel_at_period_end"])
            change = (form.get("items") or [{}])[0].get("price_data")
            due = 0
            if change:
                line = item["items"]["data"][0]
                price = {**change, "unit_amount": int(change["unit_amount"])}
                due = price["unit_amount"] - line["price"]["unit_amount"]
                line["price"] = price
            if change and form.get("proration_behavior") == "always_invoice":
                self.money.prorate(item, due)
            self.webhooks.emit("customer.subscription.updated", item)
            return item

        return self._once(request, act)

    async def create_refund(self, request: Request) -> Response:
        """Refund a charge."""

        def act(form: Object) -> Object:
            intent = self.store.get("payment_intent", form.get("payment_intent", ""))
            ref = intent["latest_charge"] if intent else form.get("charge", "")
            charge = self._find("charge", ref)
            amount = int(form["amount"]) if "amount" in form else None
            self.money.refund(charge, amount)
            return {"id": new_id("re"), "object": "refund", "charge": ref, "status": "succeeded"}

        return self._once(request, act)

    def _name(self, price: Object) -> str:
        product = self.store.get("product", price.get("product", "")) or {}
        return str(price.get("product_data", {}).get("name") or product.get("name") or "")

    def _find(self, kind: str, ref: str) -> Object:
        item = self.store.get(kind, ref)
        if item is None:
            raise _error(404, f"No such {kind}: '{ref}'", code="resource_missing")
        return item

    def _once(self, request: Request, act: Any) -> Response:
        key = request.headers.get("idempotency-key")
        print_of = (request.path, request.body)
        if key and key in self._answers:
            before, answer = self._answers[key]
            if before != print_of:
                text = "Keys for idempotent requests can only be used with the same parameters."
                raise _error(400, text, kind="idempotency_error")
            return json_response(answer, headers=[("idempotent-replayed", "true")])
        answer = expanded(self.store, act(parse_form(request.body)), [])
        if key:
            self._answers[key] = (print_of, answer)
        return json_response(answer)


def _error(
    status: int, message: str, *, code: str | None = None, kind: str = "invalid_request_error"
) -> HttpError:
    return HttpError(status, {"error": {"type": kind, "message": message, "code": code}})
