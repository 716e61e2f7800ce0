"""`/_sim/stripe/events`: let something happen at Stripe, and see what was told of it."""

from collections.abc import Callable
from typing import Any

import msgspec

from simulator.control import inputs
from simulator.control.inputs import refuse
from simulator.http import HttpError, Request, Response, Router, json_response
from simulator.stripe.service import Stripe
from simulator.stripe.store import Object
from simulator.stripe.webhooks import Event


class EventInput(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /_sim/stripe/events`: what happens, to what, and how often it is told."""

    type: str = ""
    event: str | None = None
    session: str | None = None
    subscription: str | None = None
    charge: str | None = None
    dispute: str | None = None
    object: dict[str, Any] | None = None
    amount: int | None = None
    status: str | None = None
    delayed: bool = False
    copies: int = 1


class EndpointInput(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /_sim/stripe/endpoint`; without a URL events are only listed."""

    url: str | None = None
    secret: str = ""


class StripeControl:
    """The control over the simulated Stripe."""

    def __init__(self, stripe: Stripe) -> None:
        self._stripe = stripe

    def register(self, router: Router) -> None:
        """Add the routes of this control."""
        router.add("POST", "/_sim/stripe/endpoint", self.endpoint)
        router.add("GET", "/_sim/stripe/events", self.events)
        router.add("POST", "/_sim/stripe/events", self.happen)
        router.add("DELETE", "/_sim/stripe/events", self.forget)

    async def endpoint(self, request: Request) -> Response:
        """Choose where events are sent, and with which secret they are signed."""
        given = inputs.read(request, EndpointInput)
        self._stripe.webhooks.url = given.url
        self._stripe.webhooks.secret = given.secret
        return json_response({"url": given.url})

    async def events(self, _: Request) -> Response:
        """Events with their deliveries, oldest first."""
        return json_response({"events": self._stripe.webhooks.views()})

    async def forget(self, _: Request) -> Response:
        """Forget everything that Stripe knows."""
        return json_response({"forgotten": self._stripe.forget()})

    async def happen(self, request: Request) -> Response:
        """Let something happen; 202 with the event that tells of it."""
        given = inputs.read(request, EventInput)
        if not 1 <= given.copies <= inputs.COPIES_MAX:
            raise refuse(f"copies is 1 to {inputs.COPIES_MAX}")
        return json_response(self._event(given).view(), status=202)

    def _event(self, given: EventInput) -> Event:
        stripe, money = self._stripe, self._stripe.money
        if given.event is not None:
            event = stripe.webhooks.find(given.event)
            if event is None:
                raise HttpError(404, {"error": f"there is no event {given.event!r}"})
            stripe.webhooks.send(event, copies=given.copies)
            return event
        copies = given.copies
        acts: dict[str, Callable[[], Event]] = {
            "checkout.session.completed": lambda: money.pay(
                self._named("session", given),
                delayed=given.delayed,
                card=given.status,
                copies=copies,
            ),
            "checkout.session.async_payment_succeeded": lambda: money.arrive(
                self._named("session", given), copies=copies
            ),
            "checkout.session.async_payment_failed": lambda: money.fail_later(
                self._named("session", given)
            ),
            "checkout.session.expired": lambda: money.expire(self._named("session", given)),
            "invoice.paid": lambda: money.renew(self._named("subscription", given), copies=copies),
            "invoice.payment_failed": lambda: money.renew(
                self._named("subscription", given), paid=False, copies=copies
            ),
            "customer.subscription.deleted": lambda: money.end(self._named("subscription", given)),
            "charge.refunded": lambda: money.refund(
                self._charge(given), given.amount, copies=copies
            ),
            "charge.dispute.created": lambda: money.dispute(
                self._charge(given), given.amount, given.status, copies=copies
            ),
            "charge.dispute.closed": lambda: money.close_dispute(
                self._named("dispute", given), given.status or "lost", copies=copies
            ),
        }
        if given.type in acts:
            return acts[given.type]()
        if given.object is None:
            raise refuse(f"type is one of {', '.join(acts)}; any other needs its object")
        return stripe.webhooks.emit(given.type, given.object, copies=copies)

    def _named(self, kind: str, given: EventInput) -> Object:
        """The object that the input names; the newest one where it names none."""
        ref = getattr(given, kind)
        found = self._stripe.store.get(kind, ref) if ref else None
        known = self._stripe.store.all(kind)
        if found is None and (ref is not None or not known):
            raise HttpError(404, {"error": f"there is no {kind} {ref or ''}".rstrip()})
        return found or known[-1]

    def _charge(self, given: EventInput) -> Object:
        if given.session is None:
            return self._named("charge", given)
        intent = self._stripe.store.get(
            "payment_intent", self._named("session", given)["payment_intent"] or ""
        )
        if intent is None:
            raise HttpError(409, {"error": "this session was not paid"})
        charge = self._stripe.store.get("charge", intent["latest_charge"])
        return charge or {}
