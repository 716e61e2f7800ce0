"""Top-ups: paid once, granted once, however often Stripe tells it, and taken back when it is."""

import asyncio

import httpx
import pytest

from app.core.errors import ConflictError, NotFoundError, RefusedError
from billing import plans
from tests.payments.conftest import ADMIN, OWNER, Till
from tests.worlds import World

pytestmark = pytest.mark.anyio


async def test_a_paid_top_up_brings_its_credits_and_a_receipt(till: Till):
    session = await till.click(package_code="c1000")
    (pending,) = await till.payments()
    assert (pending.state, pending.credits_ucr) == ("pending", 1_000_000_000)
    assert await till.credits() == (0, 0, 0)
    await till.happens("checkout.session.completed", session=session)
    assert await till.credits() == (1000, 0, 0)
    (paid,) = await till.payments()
    assert (paid.state, paid.amount_minor, paid.tax_minor, paid.currency) == (
        "paid",
        2000,
        0,
        "EUR",
    )
    assert paid.invoice_number
    assert paid.invoice_url
    assert paid.receipt_url
    assert (paid.billed_country, paid.billed_tax_id) == ("DE", "DE123456789")
    assert "Hamburg" in (paid.billed_address or "")
    await till.assert_proved()


async def test_five_deliveries_at_once_grant_once(till: Till):
    session = await till.click(package_code="c1000")
    event = await till.outside.stripe("checkout.session.completed", session=session, copies=5)
    await till.settle()
    await till.outside.post("/_sim/stripe/events", {"event": event["id"], "copies": 5})
    await till.settle()
    assert await till.credits() == (1000, 0, 0)
    # Another event of the same payment, processed by several workers at once, grants nothing.
    await till.world.run("update stripe_events set state = 'pending', next_attempt_at = now()")
    await asyncio.gather(*(till.processor.process_batch() for _ in range(4)))
    assert await till.credits() == (1000, 0, 0)
    await till.assert_proved()


async def test_a_click_costs_one_session_and_names_our_row(till: Till):
    session = await till.click(package_code="c1000")
    calls = await till.outside.calls("stripe")
    made = next(c for c in calls if c["path"] == "/v1/checkout/sessions")
    (payment,) = await till.payments()
    assert made["headers"]["idempotency-key"] == f"checkout:{payment.id}"
    assert made["headers"]["authorization"] == "***"
    assert made["body"]["metadata"] == {
        "tenant_id": str(till.tenant_id),
        "payment_id": str(payment.id),
    }
    again = await till.click(package_code="c1000")
    assert again != session
    paths = [c["path"] for c in await till.outside.calls("stripe")]
    assert paths.count("/v1/customers") == 1


async def test_a_lost_answer_is_asked_for_again_with_the_same_key(till: Till):
    await till.outside.fault("stripe", "/v1/checkout/sessions", drop="after")
    await till.outside.fault("stripe", "/v1/checkout/sessions", status=500, body={"error": {}})
    await till.click(package_code="c1000")
    calls = [
        c["headers"]["idempotency-key"]
        for c in await till.outside.calls("stripe")
        if c["path"] == "/v1/checkout/sessions"
    ]
    assert len(calls) == 3
    assert len(set(calls)) == 1


async def test_money_that_comes_later_is_credited_later(till: Till):
    session = await till.click(package_code="c1000")
    await till.happens("checkout.session.completed", session=session, delayed=True)
    assert await till.credits() == (0, 0, 0)
    await till.happens("checkout.session.async_payment_succeeded", session=session)
    assert await till.credits() == (1000, 0, 0)


async def test_money_that_does_not_come_is_told(till: Till):
    session = await till.click(package_code="c1000")
    await till.happens("checkout.session.completed", session=session, delayed=True)
    await till.happens("checkout.session.async_payment_failed", session=session)
    assert await till.credits() == (0, 0, 0)
    assert [p.state for p in await till.payments()] == ["failed"]
    assert await till.subjects() == ["Your payment of €20.00 did not go through"]


async def test_a_session_that_expires_ends_the_payment(till: Till):
    session = await till.click(package_code="c1000")
    await till.happens("checkout.session.expired", session=session)
    assert [p.state for p in await till.payments()] == ["expired"]


async def test_yen_have_no_cents_and_credits_may_expire(till: Till, world: World):
    package = plans.Package(
        code="yen", name="Yen", credits_ucr=3_000_000, price_minor=500, currency="JPY", valid_days=9
    )
    async with world.db.system() as connection:
        await plans.save_package(connection, package, ADMIN, "Japan")
    session = await till.click(package_code="yen")
    await till.happens("checkout.session.completed", session=session)
    (paid,) = await till.payments()
    assert (paid.amount_minor, paid.currency) == (500, "JPY")
    lot = await world.one("select * from credit_lots where id = $1", paid.lot_id)
    assert lot["payment_id"] == paid.id
    assert (lot["expires_at"] - paid.paid_at).days == 9
    assert lot["unit_price_minor"] is None, "500 yen are not a whole number a credit"


async def test_taxes_are_on_top(till: Till):
    till.checkout._taxes = True
    session = await till.click(package_code="c1000")
    await till.happens("checkout.session.completed", session=session)
    (paid,) = await till.payments()
    assert (paid.price_minor, paid.amount_minor, paid.tax_minor) == (2000, 2380, 380)
    assert await till.credits() == (1000, 0, 0)


async def test_what_cannot_be_bought(till: Till, world: World):
    with pytest.raises(NotFoundError):
        await till.click(package_code="nothing")
    with pytest.raises(RefusedError):
        await till.click(package_code="c1000", plan_code="pro")
    with pytest.raises(RefusedError):
        await till.click()
    with pytest.raises(RefusedError):
        await till.checkout.start_portal(till.tenant_id, return_url="https://evil.example/")
    await world.run(
        "insert into top_up_packages (code, name, credits_ucr, price_minor, currency, offered)"
        " values ('gone', 'Gone', 1, 1, 'EUR', false) on conflict do nothing"
    )
    with pytest.raises(NotFoundError):
        await till.click(package_code="gone")
    assert await till.payments() == []


async def test_another_amount_than_was_offered_grants_nothing(till: Till, world: World):
    session = await till.click(package_code="c1000")
    await world.run("update payments set price_minor = 9900 where tenant_id = $1", till.tenant_id)
    await till.happens("checkout.session.completed", session=session)
    assert await till.credits() == (0, 0, 0)
    found = await world.one("select state, outcome from stripe_events where state = 'pending'")
    assert found["outcome"] == ConflictError.__name__


async def test_the_customer_pays_on_the_page_and_comes_back(till: Till):
    session = await till.click(package_code="c1000")
    async with httpx.AsyncClient(base_url=till.outside.url) as browser:
        page = await browser.get(f"/checkout/{session}")
        assert "20.00 EUR" in page.text
        assert "https://parley.example" in page.headers["content-security-policy"]
        paid = await browser.post(f"/checkout/{session}", data={"act": "pay"})
        portal = await till.checkout.start_portal(
            till.tenant_id, return_url="https://parley.example/billing"
        )
        assert "no subscription" in (await browser.get(portal)).text
    assert (paid.status_code, paid.headers["location"]) == (
        303,
        "https://parley.example/billing?paid=1",
    )
    await till.settle()
    assert await till.credits() == (1000, 0, 0)


async def test_an_actor_is_on_record(till: Till, world: World):
    await till.click(package_code="c1000")
    row = await world.one("select created_by from payments where tenant_id = $1", till.tenant_id)
    assert row["created_by"] == f"user:{OWNER.id}"


async def test_a_worker_that_dies_leaves_a_lease_that_runs_out(till: Till):
    session = await till.click(package_code="c1000")
    await till.outside.stripe("checkout.session.completed", session=session)
    await till.arrived()
    pending = "update stripe_events set attempts = 1, next_attempt_at = {} where state = 'pending'"
    await till.world.run(pending.format("now() + interval '60 s'"))
    await till.processor.process_batch()
    assert await till.credits() == (0, 0, 0)
    await till.world.run(pending.format("now()"))
    await till.processor.process_batch()
    assert await till.credits() == (1000, 0, 0)


async def test_stripe_away_is_waited_for(till: Till):
    session = await till.click(package_code="c1000")
    await till.outside.stripe("checkout.session.completed", session=session)
    await till.arrived()
    path = f"/v1/checkout/sessions/{session}"
    for _ in range(3):
        await till.outside.fault("stripe", path, status=503, body={"error": {"message": "away"}})
    await till.processor.process_batch()
    assert await till.credits() == (0, 0, 0)
    await till.processor.process_batch()
    assert await till.credits() == (1000, 0, 0)
