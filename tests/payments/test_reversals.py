"""Refunds and disputes: credits go back in proportion, a rest is owed, a win returns them."""

import pytest

from app.core.ids import uuid7
from billing.ledger import service as ledger
from billing.ledger.schemas import CloseRequest, HoldRequest, HoldVerdict
from tests.payments.conftest import Till

pytestmark = pytest.mark.anyio
CREDIT = 1_000_000


async def bought(till: Till) -> str:
    """A paid top-up of 1 000 credits for 20 euros; the session's id."""
    session = await till.click(package_code="c1000")
    await till.happens("checkout.session.completed", session=session)
    assert await till.credits() == (1000, 0, 0)
    return session


async def hold(till: Till, amount: int) -> tuple[HoldRequest, HoldVerdict]:
    request = HoldRequest(
        tenant_id=till.tenant_id,
        hold_id=uuid7(),
        job_id=uuid7(),
        amount_ucr=amount * CREDIT,
        price_version_id=1,
        created_by="test",
    )
    async with till.db.system() as connection:
        outcome = (await ledger.hold_many(connection, [request]))[request.hold_id]
    return request, outcome.verdict


async def spend(till: Till, amount: int) -> None:
    await till.world.run(
        "insert into price_versions (id, valid_from, per_reply_ucr, created_by)"
        " values (1, now() - interval '1 day', 1000000, 'test') on conflict do nothing"
    )
    request, verdict = await hold(till, amount)
    assert verdict is HoldVerdict.HELD
    close = CloseRequest(
        tenant_id=till.tenant_id, hold_id=request.hold_id, captured_ucr=request.amount_ucr
    )
    async with till.db.system() as connection:
        await ledger.close_many(connection, [close])


async def test_a_partial_refund_takes_its_part(till: Till):
    session = await bought(till)
    await till.happens("charge.refunded", session=session, amount=500, copies=5)
    assert await till.credits() == (750, 250, 0)
    await till.happens("charge.refunded", session=session, amount=500)
    assert await till.credits() == (500, 500, 0)
    await till.happens("charge.refunded", session=session)
    assert await till.credits() == (0, 1000, 0)
    (payment,) = await till.payments()
    assert payment.returned_minor == 2000
    await till.assert_proved()


async def test_parts_of_parts_add_up_to_the_whole(till: Till):
    session = await bought(till)
    for amount in (333, 333, 333, 1, 999, 1):
        await till.happens("charge.refunded", session=session, amount=amount)
    assert await till.credits() == (0, 1000, 0)
    await till.assert_proved()


async def test_what_was_spent_is_owed_and_blocks(till: Till):
    session = await bought(till)
    await spend(till, 900)
    await till.happens("charge.refunded", session=session)
    assert await till.credits() == (0, 100, 900)
    _, verdict = await hold(till, 1)
    assert verdict is HoldVerdict.BLOCKED
    second = await till.click(package_code="c1000")
    await till.happens("checkout.session.completed", session=second)
    assert await till.credits() == (100, 1000, 0)
    await till.assert_proved()


async def test_a_dispute_that_is_won_returns_what_it_took(till: Till):
    session = await bought(till)
    await spend(till, 400)
    await till.happens("charge.dispute.created", session=session, copies=5)
    assert await till.credits() == (0, 600, 400)
    await till.happens("charge.dispute.closed", status="won", copies=3)
    assert await till.credits() == (600, 1000, 0)
    _, verdict = await hold(till, 1)
    assert verdict is HoldVerdict.HELD
    (payment,) = await till.payments()
    assert (payment.clawed_ucr, payment.returned_minor) == (0, 0)
    await till.assert_proved()


async def test_a_dispute_that_is_lost_keeps_it(till: Till):
    session = await bought(till)
    await till.happens("charge.dispute.created", session=session, amount=1000)
    assert await till.credits() == (500, 500, 0)
    await till.happens("charge.dispute.closed", status="lost")
    await till.happens("charge.refunded", session=session)
    assert await till.credits() == (0, 1000, 0), "never more than was bought"
    await till.assert_proved()


async def test_an_inquiry_takes_nothing(till: Till):
    session = await bought(till)
    await till.happens("charge.dispute.created", session=session, status="warning_under_review")
    await till.happens("charge.dispute.closed", status="warning_closed")
    assert await till.credits() == (1000, 0, 0)


async def test_events_in_the_wrong_order_end_the_same(till: Till):
    session = await till.click(package_code="c1000")
    await till.outside.stripe("checkout.session.completed", session=session)
    await till.outside.stripe("charge.refunded", session=session, amount=500)
    await till.arrived()
    # The refund is processed first: nobody knows of the payment yet.
    await till.world.run(
        "update stripe_events set next_attempt_at = now() + interval '1 hour'"
        " where kind = 'checkout.session.completed' and state = 'pending'"
    )
    await till.processor.process_batch()
    assert await till.credits() == (0, 0, 0)
    await till.world.run("update stripe_events set next_attempt_at = now() where state = 'pending'")
    await till.settle()
    await till.settle()
    assert await till.credits() == (750, 250, 0)
    await till.assert_proved()


async def test_credits_that_expired_are_not_asked_back(till: Till):
    session = await bought(till)
    await till.world.run(
        "update credit_lots set effective_at = now() - interval '9 days',"
        " expires_at = now() - interval '1 s' where tenant_id = $1",
        till.tenant_id,
    )
    async with till.db.system() as connection:
        await ledger.expire(connection, till.tenant_id)
    await till.happens("charge.refunded", session=session)
    assert await till.credits() == (0, 0, 0)


async def test_a_foreign_charge_is_none_of_our_business(till: Till):
    await till.world.run(
        "insert into stripe_events (id, kind, object_ref)"
        " values ('evt_f', 'charge.refunded', 'ch_f')"
    )
    await till.processor.process_batch()
    (found,) = await till.world.all("select * from stripe_events where id = 'evt_f'")
    assert (found["state"], found["outcome"]) == ("done", "unknown at Stripe")
