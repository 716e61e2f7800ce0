"""Subscriptions: a period is granted when it is paid, once; plans change up now and down later."""

import pytest

from app.core.errors import ConflictError, NotFoundError, ProviderError, RefusedError
from billing import plans
from billing.payments.periods import roll_periods
from billing.payments.subscriptions import Subscription, subscription_of
from tests.payments.conftest import ADMIN, OWNER, Till

pytestmark = pytest.mark.anyio


async def subscribed(till: Till) -> Subscription:
    """A business on plan pro, paid."""
    session = await till.click(plan_code="pro")
    await till.happens("checkout.session.completed", session=session)
    return await subscription(till)


async def subscription(till: Till) -> Subscription:
    async with till.db.tenant(till.tenant_id) as connection:
        found = await subscription_of(connection, till.tenant_id)
    assert found is not None
    return found


async def plan_of(till: Till) -> str:
    return str(
        (await till.world.column("select plan_code from tenants where id = $1", till.tenant_id))[0]
    )


async def test_a_paid_plan_begins_with_its_credits(till: Till):
    now = await subscribed(till)
    assert (now.plan_code, now.provider_status) == ("pro", "active")
    assert await plan_of(till) == "pro"
    assert await till.credits() == (500, 0, 0)
    (lot,) = await till.world.all("select * from credit_lots where tenant_id = $1", till.tenant_id)
    assert (lot["source"], lot["priority"]) == ("plan", 10)
    assert lot["source_ref"] == f"plan:pro:{now.period_start.date().isoformat()}"
    assert lot["expires_at"] == now.period_end
    (payment,) = await till.payments()
    assert (payment.kind, payment.state, payment.amount_minor) == ("subscription", "paid", 4900)
    assert (payment.lot_id, payment.credits_ucr) == (lot["id"], 500_000_000)
    assert (payment.period_start, payment.period_end) == (now.period_start, now.period_end)
    await till.assert_proved()


async def test_each_period_is_granted_once_however_often_it_is_told(till: Till):
    first = await subscribed(till)
    await till.happens("invoice.paid", copies=5)
    second = await subscription(till)
    assert second.period_start == first.period_end
    assert await till.credits() == (1000, 0, 0), "the first period's lot still runs"
    await till.world.run("update stripe_events set state = 'pending', next_attempt_at = now()")
    await till.settle()
    assert await till.credits() == (1000, 0, 0)
    assert len(await till.payments()) == 2
    assert (await subscription(till)).period_end == second.period_end
    await till.assert_proved()


async def test_a_period_that_is_not_paid_brings_nothing_but_a_letter(till: Till):
    before = await subscribed(till)
    await till.happens("invoice.payment_failed", copies=3)
    now = await subscription(till)
    assert (now.period_end, now.provider_status) == (before.period_end, "past_due")
    assert await till.credits() == (500, 0, 0)
    assert await till.subjects() == ["Your payment of €49.00 did not go through"]


async def test_a_greater_plan_holds_at_once_for_what_it_has_more(till: Till):
    await subscribed(till)
    assert await till.checkout.change_plan(till.tenant_id, "max", OWNER) == "now"
    assert await plan_of(till) == "max"
    await till.settle()
    assert await till.credits() == (2000, 0, 0)
    amounts = sorted(p.amount_minor for p in await till.payments())
    assert amounts == [4900, 5000]
    await till.happens("invoice.paid")
    assert (await subscription(till)).plan_code == "max"
    assert await till.credits() == (4000, 0, 0)
    await till.assert_proved()


async def test_a_declined_upgrade_changes_nothing(till: Till):
    now = await subscribed(till)
    path = f"/v1/subscriptions/{now.provider_ref}"
    await till.outside.fault("stripe", path, delay_ms=1)
    declined = {"error": {"type": "card_error", "code": "card_declined", "message": "no"}}
    await till.outside.fault("stripe", path, status=402, body=declined)
    with pytest.raises(ProviderError) as failed:
        await till.checkout.change_plan(till.tenant_id, "max", OWNER)
    assert failed.value.status_code == 402
    assert await plan_of(till) == "pro"
    assert await till.checkout.change_plan(till.tenant_id, "max", OWNER) == "now"
    calls = [c for c in await till.outside.calls("stripe") if c["path"] == path]
    keys = [c["headers"].get("idempotency-key") for c in calls if c["method"] == "POST"]
    assert len(set(keys)) == len(keys) == 2, "a second try is not the declined one again"


async def test_a_smaller_plan_waits_for_the_periods_end(till: Till):
    await subscribed(till)
    await till.checkout.change_plan(till.tenant_id, "max", OWNER)
    await till.settle()
    assert await till.checkout.change_plan(till.tenant_id, "pro", OWNER) == "at_period_end"
    await till.settle()
    now = await subscription(till)
    assert (now.plan_code, now.next_plan_code, await plan_of(till)) == ("max", "pro", "max")
    await till.happens("invoice.paid")
    now = await subscription(till)
    assert (now.plan_code, now.next_plan_code, await plan_of(till)) == ("pro", None, "pro")


async def test_a_subscription_that_ends_falls_back_to_a_plan_without_a_price(till: Till):
    await subscribed(till)
    await till.happens("customer.subscription.deleted", copies=2)
    now = await subscription(till)
    assert (now.provider_ref, now.next_plan_code) == (None, "starter")
    assert await till.credits() == (500, 0, 0), "what was paid for stays until it expires"
    audit = "select action, actor_id from audit_log where tenant_id = $1 and action like 'plan%'"
    assert await till.world.all(audit, till.tenant_id) == []


async def test_a_plan_that_is_no_longer_paid_is_not_given_away(till: Till):
    await subscribed(till)
    free = await till.world.column("select code from plans where price_minor = 0 and offered")
    await till.world.run("update plans set offered = false where code = any($1)", free)
    try:
        await till.happens("customer.subscription.deleted")
    finally:
        await till.world.run("update plans set offered = true where code = any($1)", free)
    for _ in range(2):
        await till.world.run(
            "update subscriptions set anchor_at = now() - interval '1 month',"
            " period_start = now() - interval '1 month', period_end = now() where tenant_id = $1",
            till.tenant_id,
        )
        await till.world.run(
            "update credit_lots set source_ref = 'plan:pro:2020-01-01' where tenant_id = $1",
            till.tenant_id,
        )
        async with till.db.system() as connection:
            await roll_periods(connection)
        assert await till.credits() == (500, 0, 0)


async def test_a_refund_of_a_period_takes_its_credits(till: Till):
    await subscribed(till)
    await till.happens("charge.refunded", amount=2450)
    assert await till.credits() == (250, 250, 0)
    await till.assert_proved()


async def test_what_cannot_be_changed(till: Till):
    change = till.checkout.change_plan
    with pytest.raises(NotFoundError):
        await change(till.tenant_id, "nothing", OWNER)
    with pytest.raises(RefusedError, match="checkout"):
        await change(till.tenant_id, "pro", OWNER)
    with pytest.raises(RefusedError):
        await till.click(plan_code="starter")
    await subscribed(till)
    with pytest.raises(ConflictError):
        await till.click(plan_code="max")
    with pytest.raises(ConflictError):
        await change(till.tenant_id, "pro", OWNER)
    with pytest.raises(RefusedError, match="Cancel the subscription"):
        await change(till.tenant_id, "starter", OWNER)


async def test_changes_are_on_record(till: Till):
    assert await till.checkout.change_plan(till.tenant_id, "pro", ADMIN) == "now"
    assert await till.credits() == (500, 0, 0), "an operator may give a plan without a payment"
    entry = await till.world.one(
        "select * from audit_log where tenant_id = $1 and action = 'plan.change'", till.tenant_id
    )
    assert (entry["actor_kind"], entry["actor_id"], entry["subject"]) == ("admin", "admin-1", "pro")


async def test_edits_of_plans_are_on_record_with_before_and_after(till: Till):
    terms = plans.Plan(code="team", name="Team", price_minor=100)
    async with till.db.system() as connection:
        await plans.save_plan(connection, terms, ADMIN, "new")
        more = plans.Plan(code="team", name="Team", price_minor=200, weight=3)
        await plans.save_plan(connection, more, ADMIN, "dearer")
        assert await plans.plan(connection, "team") == more
        assert more in await plans.plans(connection)
    entries = await till.world.all(
        "select action, before::text, after::text, reason, actor_id from account_log"
        " where subject = 'team' order by at, id"
    )
    assert [e["action"] for e in entries] == ["plan.create", "plan.change"]
    assert (entries[1]["before"], entries[1]["after"], entries[1]["reason"]) == (
        '{"weight": 1, "price_minor": 100}',
        '{"weight": 3, "price_minor": 200}',
        "dearer",
    )


@pytest.mark.parametrize(
    "change",
    [
        {"weight": 0},
        {"price_minor": -1},
        {"monthly_credits_ucr": -1},
        {"currency": "eur"},
        {"turn_per_min": 0},
        {"code": "a b"},
        {"code": ""},
    ],
)
async def test_plans_that_cannot_be(till: Till, change: dict[str, object]):
    terms = plans.Plan(**{"code": "odd", "name": "Odd", **change})  # type: ignore[arg-type]
    async with till.db.system() as connection:
        with pytest.raises(RefusedError):
            await plans.save_plan(connection, terms, ADMIN, "why not")
