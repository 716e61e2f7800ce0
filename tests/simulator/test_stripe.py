"""The simulated Stripe: its API's shape, its signed webhooks, its pages."""

import json
import time
from typing import Any

import pytest
import stripe
from stripe import StripeClient

from simulator.stripe.forms import parse_form
from simulator.stripe.store import next_month
from tests.simulator.conftest import Receiver, Sim, eventually

SECRET = "whsec_test"
PRICE = {"currency": "eur", "unit_amount": 2000, "product_data": {"name": "Credits"}}


@pytest.fixture
def shop(sim: Sim) -> StripeClient:
    """The real library, pointed here, with Stripe's memory empty."""
    assert sim.http.delete("/_sim/stripe/events").status_code == 200
    sim.post("/_sim/stripe/endpoint", {})
    return StripeClient(
        "sk_test_simulator",
        base_addresses={"api": f"{sim.url}/stripe"},
        max_network_retries=0,
        http_client=stripe.UrllibClient(),
    )


def checkout(shop: StripeClient, **more: Any) -> Any:
    customer = shop.v1.customers.create({"name": "Harbour Bakery"})
    return shop.v1.checkout.sessions.create(
        {
            "mode": "payment",
            "customer": customer.id,
            "line_items": [{"price_data": PRICE, "quantity": 1}],
            "success_url": "https://shop.example/ok?s={CHECKOUT_SESSION_ID}",
            "cancel_url": "https://shop.example/no",
            "metadata": {"order": "7"},
            **more,
        }
    )


def test_forms_are_read_with_their_brackets() -> None:
    raw = b"a[b][0][c]=1&a[b][1][c]=x%20y&metadata[k%5B]=v&flag=true"
    assert parse_form(raw) == {
        "a": {"b": [{"c": "1"}, {"c": "x y"}]},
        "metadata": {"k[": "v"},
        "flag": "true",
    }


def test_a_month_ends_where_the_next_one_does() -> None:
    january = 1_769_853_600  # 2026-01-31 10:00 UTC
    assert time.gmtime(next_month(january))[:5] == (2026, 2, 28, 10, 0)
    december = 1_798_711_200  # 2026-12-31 10:00 UTC
    assert time.gmtime(next_month(december))[:5] == (2027, 1, 31, 10, 0)


def test_the_library_pays_and_reads(sim: Sim, shop: StripeClient) -> None:
    session = checkout(shop)
    assert (session.status, session.amount_total, session.metadata["order"]) == ("open", 2000, "7")
    paid = sim.http.post(f"/checkout/{session.id}", data={"act": "pay"})
    assert paid.headers["location"] == f"https://shop.example/ok?s={session.id}"
    expand = {"expand": ["payment_intent.latest_charge"]}
    found = shop.v1.checkout.sessions.retrieve(session.id, expand)  # type: ignore[arg-type]
    assert found.payment_status == "paid"
    charge: Any = found.payment_intent.latest_charge  # type: ignore[union-attr]
    shop.v1.refunds.create({"charge": charge.id, "amount": 500})
    assert shop.v1.charges.retrieve(charge.id).amount_refunded == 500


def test_an_idempotency_key_answers_once(shop: StripeClient) -> None:
    first, again = (
        shop.v1.customers.create({"name": "A"}, {"idempotency_key": "k1"}) for _ in range(2)
    )
    assert first.id == again.id
    with pytest.raises(stripe.StripeError) as error:
        shop.v1.customers.create({"name": "B"}, {"idempotency_key": "k1"})
    assert error.value.http_status == 400


def test_what_is_not_there_is_404_and_no_key_is_401(sim: Sim, shop: StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError) as error:
        shop.v1.invoices.retrieve("in_none")
    assert (error.value.http_status, error.value.code) == (404, "resource_missing")
    assert sim.http.get("/stripe/v1/invoices/in_none").status_code == 401
    calls = sim.get("/_sim/calls", service="stripe")["calls"]
    assert [c["path"] for c in calls] == ["/v1/invoices/in_none"] * 2


def test_webhooks_carry_a_signature_the_library_accepts_and_come_again(
    sim: Sim, shop: StripeClient, receiver: Receiver
) -> None:
    sim.post("/_sim/stripe/endpoint", {"url": receiver.url, "secret": SECRET})
    receiver.answers = [(500, {}), (503, {})]
    session = checkout(shop)
    sim.post("/_sim/stripe/events", {"type": "checkout.session.completed", "session": session.id})
    eventually(lambda: len(receiver.requests) == 3, "two retries")
    for request in receiver.requests:
        signature = request.header("Stripe-Signature")
        event = stripe.Webhook.construct_event(request.body, signature, SECRET)
        assert event.type == "checkout.session.completed"
    assert len({json.loads(r.body)["id"] for r in receiver.requests}) == 1
    eventually(lambda: sim.get("/_sim/stripe/events")["events"][0]["delivered"], "delivered")


def test_a_subscription_renews_and_ends(sim: Sim, shop: StripeClient) -> None:
    price = {**PRICE, "recurring": {"interval": "month"}}
    session = checkout(shop, mode="subscription", line_items=[{"price_data": price, "quantity": 1}])
    sim.post("/_sim/stripe/events", {"type": "checkout.session.completed"})
    ref = shop.v1.checkout.sessions.retrieve(session.id).subscription
    before = shop.v1.subscriptions.retrieve(str(ref))["items"].data[0].current_period_end
    sim.post("/_sim/stripe/events", {"type": "invoice.paid"})
    after = shop.v1.subscriptions.retrieve(str(ref))["items"].data[0].current_period_start
    assert after == before
    sim.post("/_sim/stripe/events", {"type": "customer.subscription.deleted"})
    assert shop.v1.subscriptions.retrieve(str(ref)).status == "canceled"
    kinds = [e["type"] for e in sim.get("/_sim/stripe/events")["events"]]
    assert kinds.count("invoice.paid") == 2


def test_wrong_input_is_told(sim: Sim, shop: StripeClient) -> None:
    assert "type is one of" in sim.post("/_sim/stripe/events", {"type": "x"}, 400)["error"]
    assert (
        "no session"
        in sim.post("/_sim/stripe/events", {"type": "checkout.session.expired"}, 404)["error"]
    )
    assert sim.http.get("/checkout/cs_none").status_code == 404
