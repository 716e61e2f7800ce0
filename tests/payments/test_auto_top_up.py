"""Credits that are bought by themselves: one purchase a crossing, whatever is lost or declined."""

import asyncio
from uuid import uuid4

import pytest

from app.core.errors import RefusedError
from app.core.money import UCR_PER_CREDIT
from billing import plans
from billing.ledger import service as ledger
from billing.ledger.schemas import Clawback
from billing.payments import auto_top_up
from billing.payments.auto_top_up import Rule
from billing.payments.money import parse_money
from tests.payments.conftest import OWNER, Till

pytestmark = pytest.mark.anyio

BACK = {"success_url": "https://parley.example/billing/auto"}
PACKAGE = "c1000"


async def switch_on(till: Till, *, threshold: int = 100, limit: int = 6000) -> bool:
    async with till.db.system() as connection:
        package = await plans.package(connection, PACKAGE)
    async with till.db.tenant(till.tenant_id) as connection:
        return await auto_top_up.switch_on(
            connection,
            till.tenant_id,
            package,
            threshold_ucr=threshold * UCR_PER_CREDIT,
            monthly_max_minor=limit,
            actor=OWNER,
        )


async def save_card(till: Till, status: str | None = None) -> None:
    url = await till.checkout.start_card_setup(
        till.tenant_id, currency="EUR", cancel_url=BACK["success_url"], **BACK
    )
    session = url.rpartition("/")[2]
    await till.happens("checkout.session.completed", session=session, status=status)


async def begin(till: Till) -> int:
    async with till.db.system() as connection:
        return await auto_top_up.begin_due(connection, till.notices)


async def charge(till: Till) -> None:
    await till.world.run("update auto_top_ups set next_attempt_at = now()")
    await till.charger.process_batch()


async def rule(till: Till) -> Rule:
    async with till.db.tenant(till.tenant_id) as connection:
        found = await auto_top_up.read(connection, till.tenant_id)
    assert found is not None
    return found


async def spend_all(till: Till) -> None:
    have = (await till.balance()).available_ucr
    op = Clawback(
        tenant_id=till.tenant_id, op_id=uuid4(), amount_ucr=have, reason="test", created_by="x"
    )
    async with till.db.system() as connection:
        await ledger.claw(connection, op)


async def states(till: Till) -> list[str]:
    return [p.state for p in reversed(await till.payments())]


async def pays(till: Till) -> int:
    calls = await till.outside.calls("stripe")
    return sum(c["path"].endswith("/pay") for c in calls)


async def test_a_low_balance_is_topped_up_once_with_an_invoice(till: Till):
    assert await switch_on(till) is False
    assert await begin(till) == 0, "no card yet"
    await save_card(till)
    assert (await rule(till)).at_work
    assert (await rule(till)).card_last4 == "4242"
    found = await asyncio.gather(*(begin(till) for _ in range(3)))
    assert sum(found) == 1
    assert await begin(till) == 0, "one is under way"
    assert (await rule(till)).buying
    await asyncio.gather(*(till.charger.process_batch() for _ in range(3)))
    await till.settle()
    assert await till.credits() == (1000, 0, 0)
    (paid,) = await till.payments()
    assert (paid.state, paid.amount_minor, paid.billed_country) == ("paid", 2000, "DE")
    assert paid.invoice_number
    assert await begin(till) == 0
    await spend_all(till)
    assert await begin(till) == 1, "the next crossing"
    await charge(till)
    assert await till.credits() == (1000, 1000, 0)
    assert (await rule(till)).spent_minor == 4000
    assert await pays(till) == 2
    actions = await till.world.column(
        "select action from audit_log where tenant_id = $1 and action like 'auto%' order by at, id",
        till.tenant_id,
    )
    assert sorted(actions) == [f"auto_top_up.{a}" for a in ("buy", "buy", "card", "switch_on")]


async def test_lost_answers_charge_once(till: Till, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("billing.payments.stripe_api._PAUSE_S", 0)
    await switch_on(till)
    await save_card(till)
    await begin(till)
    # Stripe's own word comes late: only the next tries can find out.
    await till.outside.post("/_sim/stripe/endpoint", {})
    for path in ("/v1/invoices", "/v1/invoiceitems"):
        await till.outside.fault("stripe", path, drop="after", times=3)
        await charge(till)
        assert await states(till) == ["pending"]
    (ref,) = await till.world.column(
        "select invoice_ref from payments where tenant_id = $1", till.tenant_id
    )
    await till.outside.fault("stripe", f"/v1/invoices/{ref}/pay", drop="after", times=3)
    await charge(till)
    assert await states(till) == ["pending"]
    assert await till.credits() == (0, 0, 0)
    await charge(till)
    assert await till.credits() == (1000, 0, 0)
    assert await states(till) == ["paid"]
    await till.assert_proved()


async def test_a_declined_card_pauses_the_rule_and_is_told(till: Till):
    await switch_on(till)
    await save_card(till, "declined")
    await begin(till)
    await charge(till)
    await till.settle()
    assert await states(till) == ["failed"]
    now = await rule(till)
    assert (now.paused_reason, now.at_work, now.buying) == ("declined", False, False)
    assert await begin(till) == 0
    assert await till.subjects() == ["Automatic top-up is paused"]
    assert await till.credits() == (0, 0, 0)
    paths = [c["path"] for c in await till.outside.calls("stripe")]
    assert sum(p.endswith("/void") for p in paths) == 1
    await save_card(till)
    assert (await rule(till)).at_work, "another card lets it go on"
    await begin(till)
    await charge(till)
    assert await till.credits() == (1000, 0, 0)


async def test_a_months_limit_and_a_dispute_end_it(till: Till):
    await switch_on(till, limit=3999)
    await save_card(till)
    await begin(till)
    await charge(till)
    await spend_all(till)
    assert [await begin(till), await begin(till)] == [0, 0]
    assert await till.subjects() == ["The monthly limit of automatic top-up is reached"]
    # A bank that takes the money back ends it, or it would buy what that takes.
    await till.settle()
    await till.happens("charge.dispute.created")
    assert await begin(till) == 0
    assert (await rule(till)).paused_reason == "taken_back"


async def test_switching_off_ends_what_was_not_asked_for_yet(till: Till):
    await switch_on(till)
    await save_card(till)
    await begin(till)
    async with till.db.system() as connection:
        assert await auto_top_up.switch_off(connection, till.tenant_id, actor=OWNER)
        assert not await auto_top_up.switch_off(connection, till.tenant_id, actor=OWNER)
    await charge(till)
    assert await states(till) == ["expired"]
    assert await pays(till) == 0
    assert not (await rule(till)).enabled


async def test_a_rule_that_cannot_work_is_refused(till: Till):
    for threshold, limit in ((0, 6000), (1000, 6000), (100, 1999)):
        with pytest.raises(RefusedError):
            await switch_on(till, threshold=threshold, limit=limit)


async def test_a_rule_that_ended_is_not_charged_at_the_next_try(
    till: Till, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("billing.payments.stripe_api._PAUSE_S", 0)
    await switch_on(till)
    await save_card(till)
    await begin(till)
    for path in ("/v1/invoices", "/v1/invoiceitems"):
        await till.outside.fault("stripe", path, drop="after", times=3)
        await charge(till)
    async with till.db.system() as connection:
        assert await auto_top_up.switch_off(connection, till.tenant_id, actor=OWNER)
    assert (await rule(till)).buying, "asked for already"
    await charge(till)
    assert await states(till) == ["expired"]
    now = await rule(till)
    assert (now.buying, now.paused_reason) == (False, None)
    assert await pays(till) == 0


async def test_another_card_between_two_tries_pays_once(
    till: Till, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("billing.payments.stripe_api._PAUSE_S", 0)
    await switch_on(till)
    await save_card(till)
    await begin(till)
    await till.outside.fault("stripe", "/v1/invoices", drop="after", times=3)
    await charge(till)
    assert await states(till) == ["pending"]
    await save_card(till)
    await charge(till)
    assert await states(till) == ["paid"]
    assert await till.credits() == (1000, 0, 0)
    assert (await rule(till)).at_work


async def test_a_wrong_key_of_ours_pauses_no_rule(till: Till):
    await switch_on(till)
    await save_card(till)
    await begin(till)
    await till.outside.fault("stripe", "/v1/invoices", status=401, times=1)
    await charge(till)
    assert await states(till) == ["pending"]
    assert (await rule(till)).at_work
    await charge(till)
    assert await states(till) == ["paid"]


@pytest.mark.parametrize(
    ("typed", "currency", "minor"),
    [("20", "EUR", 2000), ("20,5", "EUR", 2050), ("500", "JPY", 500), ("1.000", "BHD", 1000)],
)
def test_amounts_as_they_are_typed(typed: str, currency: str, minor: int):
    assert parse_money(typed, currency) == minor


@pytest.mark.parametrize(("typed", "currency"), [("1.000", "EUR"), ("-1", "EUR"), ("2.5", "JPY")])
def test_amounts_that_may_mean_something_else_are_refused(typed: str, currency: str):
    with pytest.raises(RefusedError):
        parse_money(typed, currency)
