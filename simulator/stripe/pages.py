"""Stripe's own pages, in small: pay or decline a Checkout Session, look after a subscription."""

from typing import Any
from urllib.parse import urlsplit

from simulator.http import HttpError, Request, Response, Router
from simulator.stripe.forms import parse_form
from simulator.stripe.service import Stripe
from simulator.stripe.store import Object

_ZERO_DECIMAL = frozenset(
    "bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf".split()  # noqa: SIM905
)
Render = Any


class StripePages:
    """The pages' handlers; `render` makes a page of a template."""

    def __init__(self, stripe: Stripe, render: Render) -> None:
        self._stripe = stripe
        self._render = render

    def register(self, router: Router) -> None:
        """Add the routes of these pages."""
        router.add("GET", "/checkout/{id}", self.checkout)
        router.add("POST", "/checkout/{id}", self.decide)
        router.add("GET", "/portal/{id}", self.portal)
        router.add("POST", "/portal/{id}", self.cancel)

    async def checkout(self, request: Request) -> Response:
        """What is paid, and the buttons."""
        session = self._find("session", request)
        return self._page(
            "checkout.html",
            [session["success_url"], session["cancel_url"]],
            session=session,
            amount=shown(session["amount_total"], session["currency"]),
            tax=shown(session["total_details"]["amount_tax"], session["currency"]),
        )

    async def decide(self, request: Request) -> Response:
        """Pay, or turn back."""
        session = self._find("session", request)
        act = parse_form(request.body).get("act")
        if session["status"] == "open" and act in {"pay", "pay_later", "declined"}:
            self._stripe.money.pay(session, delayed=act == "pay_later", card=act)
        target = session["cancel_url"] if act == "cancel" else session["success_url"]
        return _redirect(target.replace("{CHECKOUT_SESSION_ID}", session["id"]))

    async def portal(self, request: Request) -> Response:
        """The customer's subscriptions."""
        portal = self._find("portal", request)
        mine = [
            {**s, "amount": shown(s["items"]["data"][0]["price"]["unit_amount"], s["currency"])}
            for s in self._stripe.store.all("subscription")
            if s["customer"] == portal["customer"]
        ]
        return self._page("portal.html", [portal["return_url"]], portal=portal, subscriptions=mine)

    async def cancel(self, request: Request) -> Response:
        """Cancel at the period's end, or go back."""
        portal = self._find("portal", request)
        form = parse_form(request.body)
        found = self._stripe.store.get("subscription", form.get("subscription", ""))
        if found is not None and found["customer"] == portal["customer"]:
            found["cancel_at_period_end"] = True
            self._stripe.webhooks.emit("customer.subscription.updated", found)
        return _redirect(portal["return_url"])

    def _find(self, kind: str, request: Request) -> Object:
        item = self._stripe.store.get(kind, request.params["id"])
        if item is None:
            raise HttpError(404, {"error": f"there is no {kind} of this id"})
        return item

    def _page(self, template: str, leads_to: list[str | None], **values: Any) -> Response:
        """A page whose form may lead back to the shop: browsers check redirects of forms too."""
        response: Response = self._render(template, **values)
        origins = {f"{p.scheme}://{p.netloc}" for p in map(urlsplit, filter(None, leads_to))}
        response.headers = [
            (n, v.replace("form-action 'self'", f"form-action 'self' {' '.join(sorted(origins))}"))
            for n, v in response.headers
        ]
        return response


def shown(amount: int, currency: str) -> str:
    """An amount for people."""
    if currency in _ZERO_DECIMAL:
        return f"{amount} {currency.upper()}"
    return f"{amount // 100}.{amount % 100:02d} {currency.upper()}"


def _redirect(url: str) -> Response:
    return Response(status=303, headers=[("location", url), ("cache-control", "no-store")])
