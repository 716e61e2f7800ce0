"""What each operation of the ledger does, and what its retry answers."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.core.ids import uuid7
from billing.guard import verdicts
from billing.ledger import service
from tests.billing.ledger import CREDIT, Ledger

pytestmark = pytest.mark.anyio
PAST = datetime(2001, 1, 1, tzinfo=UTC)
SOON = datetime(2999, 1, 1, tzinfo=UTC)


async def test_grant_is_idempotent_by_source_and_ref(ledger):
    assert await ledger.grant(5 * CREDIT, ref="evt_1") == "granted"
    assert await ledger.grant(5 * CREDIT, ref="evt_1") == "exists"
    assert await ledger.grant(6 * CREDIT, ref="evt_1") == "conflict"
    assert await ledger.grant(5 * CREDIT, ref="evt_1", source="promo") == "granted"
    assert (await ledger.balance()).available_ucr == 10 * CREDIT
    await ledger.assert_proved()


async def test_one_lot_id_is_one_grant(ledger):
    lot_id = uuid7()
    assert await ledger.grant(CREDIT, ref="a", lot_id=lot_id) == "granted"
    assert await ledger.grant(CREDIT, ref="b", lot_id=lot_id) == "conflict"


async def test_hold_then_settle_releases_the_rest(ledger):
    await ledger.grant(10 * CREDIT)
    request = ledger.holding(5 * CREDIT)
    assert await ledger.hold(request) == "held"
    assert (await ledger.balance()).held_ucr == 5 * CREDIT
    closing = ledger.closing(request.hold_id, 2 * CREDIT, usage={"input_tokens": 7})
    assert await ledger.close(closing) == "captured"
    balance = await ledger.balance()
    assert (balance.available_ucr, balance.held_ucr, balance.spent_ucr) == (
        8 * CREDIT,
        0,
        2 * CREDIT,
    )
    await ledger.assert_proved()


async def test_hold_retry_and_conflicts(ledger):
    await ledger.grant(10 * CREDIT)
    request = ledger.holding(CREDIT)
    assert await ledger.hold(request) == "held"
    assert await ledger.hold(request) == "exists:pending"
    other_amount = ledger.holding(2 * CREDIT, hold_id=request.hold_id, job_id=request.job_id)
    assert await ledger.hold(other_amount) == "conflict"
    second_hold_of_the_job = ledger.holding(CREDIT, job_id=request.job_id)
    assert await ledger.hold(second_hold_of_the_job) == "conflict"
    assert await ledger.close(ledger.closing(request.hold_id, 0)) == "released"
    assert await ledger.hold(request) == "exists:released"
    assert await ledger.hold(second_hold_of_the_job) == "held"
    assert await ledger.close(ledger.closing(second_hold_of_the_job.hold_id, CREDIT)) == "captured"
    assert await ledger.hold(ledger.holding(CREDIT, job_id=request.job_id)) == "conflict"
    assert (await ledger.balance()).spent_ucr == CREDIT
    await ledger.assert_proved()


async def test_a_hold_closes_exactly_once(ledger):
    await ledger.grant(10 * CREDIT)
    request = ledger.holding(3 * CREDIT)
    await ledger.hold(request)
    assert await ledger.close(ledger.closing(request.hold_id, 4 * CREDIT)) == "exceeds"
    assert await ledger.close(ledger.closing(request.hold_id, CREDIT)) == "captured"
    assert await ledger.close(ledger.closing(request.hold_id, CREDIT)) == "exists"
    assert await ledger.close(ledger.closing(request.hold_id, 0)) == "closed:captured"
    assert await ledger.close(ledger.closing(uuid4(), 0)) == "missing"
    assert (await ledger.balance()).spent_ucr == CREDIT
    await ledger.assert_proved()


async def test_insufficient_writes_nothing(ledger):
    await ledger.grant(CREDIT)
    before = await ledger.proof()
    assert await ledger.hold(ledger.holding(CREDIT + 1)) == "insufficient"
    after = await ledger.proof()
    assert (after.entries, after.holds, after.balance) == (
        before.entries,
        before.holds,
        before.balance,
    )


async def test_a_free_job_is_on_record_and_costs_nothing(ledger):
    free = ledger.holding(0)
    assert await ledger.hold(free) == "held"
    assert await ledger.close(ledger.closing(free.hold_id, 0, delivered=True)) == "captured"
    assert await ledger.close(ledger.closing(free.hold_id, 0, delivered=True)) == "exists"
    assert await ledger.close(ledger.closing(free.hold_id, 0)) == "closed:captured"
    await ledger.assert_proved()


async def test_lots_burn_by_priority_then_soonest_expiry(ledger):
    await ledger.grant(2 * CREDIT, ref="bought")
    await ledger.grant(2 * CREDIT, ref="promo-late", source="promo")
    await ledger.grant(2 * CREDIT, ref="promo-soon", source="promo", expires_at=SOON)
    await ledger.grant(2 * CREDIT, ref="plan", source="plan")
    await ledger.charge(5 * CREDIT, 5 * CREDIT)
    spent = {ref: buckets[2] for ref, buckets in (await ledger.lots()).items()}
    assert spent == {
        "plan": 2 * CREDIT,
        "promo-soon": 2 * CREDIT,
        "promo-late": CREDIT,
        "bought": 0,
    }


async def test_refund_unwinds_against_the_burn_order(ledger):
    await ledger.grant(2 * CREDIT, ref="plan", source="plan")
    await ledger.grant(2 * CREDIT, ref="bought")
    hold_id = await ledger.charge(3 * CREDIT, 3 * CREDIT)
    op_id = uuid4()
    assert await ledger.refund(hold_id, 2 * CREDIT, op_id=op_id) == "refunded"
    assert await ledger.refund(hold_id, 2 * CREDIT, op_id=op_id) == "exists"
    assert await ledger.refund(hold_id, CREDIT, op_id=op_id) == "conflict"
    assert await ledger.refund(hold_id, 2 * CREDIT) == "exceeds"
    assert await ledger.refund(uuid4(), CREDIT) == "missing"
    lots = await ledger.lots()
    assert (lots["bought"][2], lots["plan"][2]) == (0, CREDIT)
    await ledger.assert_proved()


async def test_expiry_takes_what_is_left_and_spares_what_is_held(ledger):
    await ledger.grant(5 * CREDIT, ref="old", effective_at=PAST, expires_at=SOON)
    request = ledger.holding(2 * CREDIT)
    await ledger.hold(request)
    short = datetime.now(UTC) + timedelta(days=-1)
    await ledger.grant(3 * CREDIT, ref="over", effective_at=PAST, expires_at=short, source="plan")
    assert await ledger.hold(ledger.holding(4 * CREDIT)) == "insufficient"
    assert await ledger.expire() == 3 * CREDIT
    assert await ledger.expire() == 0
    assert await ledger.close(ledger.closing(request.hold_id, CREDIT)) == "captured"
    balance = await ledger.balance()
    assert (balance.available_ucr, balance.expired_ucr) == (4 * CREDIT, 3 * CREDIT)
    await ledger.assert_proved()


async def test_a_refund_into_an_expired_lot_expires_at_the_next_run(ledger):
    await ledger.grant(2 * CREDIT, ref="lot", effective_at=PAST, expires_at=SOON)
    await ledger.grant(2 * CREDIT, ref="later", source="plan", effective_at=SOON)
    hold_id = await ledger.charge(2 * CREDIT, 2 * CREDIT)
    assert await ledger.hold(ledger.holding(CREDIT)) == "insufficient"
    assert await ledger.refund(hold_id, CREDIT) == "refunded"
    assert await ledger.hold(ledger.holding(CREDIT)) == "held"
    await ledger.assert_proved()


async def test_clawback_takes_the_named_lot_first_and_the_rest_is_owed(ledger):
    lot_id, op_id = uuid7(), uuid4()
    await ledger.grant(3 * CREDIT, ref="kept")
    await ledger.grant(3 * CREDIT, ref="disputed", lot_id=lot_id, source="promo")
    assert await ledger.claw(3 * CREDIT, op_id=op_id, lot_id=lot_id) == "clawed"
    assert await ledger.claw(3 * CREDIT, op_id=op_id, lot_id=lot_id) == "exists"
    assert await ledger.claw(4 * CREDIT, op_id=op_id, lot_id=lot_id) == "conflict"
    assert (await ledger.lots())["kept"][0] == 3 * CREDIT
    assert await ledger.claw(5 * CREDIT) == "clawed"
    balance = await ledger.balance()
    assert (balance.available_ucr, balance.owed_ucr) == (0, 2 * CREDIT)
    assert await ledger.hold(ledger.holding(0)) == "blocked"
    await ledger.assert_proved()


async def test_what_comes_in_pays_what_is_owed_first(ledger):
    await ledger.grant(4 * CREDIT)
    request = ledger.holding(CREDIT)
    await ledger.hold(request)
    refundable = await ledger.charge(CREDIT, CREDIT)
    assert await ledger.claw(7 * CREDIT) == "clawed"
    assert (await ledger.balance()).owed_ucr == 5 * CREDIT
    await ledger.close(ledger.closing(request.hold_id, 0))
    assert (await ledger.balance()).owed_ucr == 4 * CREDIT
    await ledger.refund(refundable, CREDIT)
    assert (await ledger.balance()).owed_ucr == 3 * CREDIT
    await ledger.grant(10 * CREDIT)
    balance = await ledger.balance()
    assert (balance.owed_ucr, balance.available_ucr) == (0, 7 * CREDIT)
    assert await ledger.hold(ledger.holding(CREDIT)) == "held"
    await ledger.assert_proved()


async def test_a_frozen_wallet_blocks_holds_and_still_settles(ledger):
    await ledger.grant(4 * CREDIT)
    request = ledger.holding(CREDIT)
    await ledger.hold(request)
    async with ledger.db.system() as connection:
        assert await service.freeze(connection, ledger.tenant_id, "a proof failed")
    assert await ledger.hold(ledger.holding(CREDIT)) == "blocked"
    assert await ledger.close(ledger.closing(request.hold_id, CREDIT)) == "captured"
    async with ledger.db.system() as connection:
        await service.freeze(connection, ledger.tenant_id, None)
    assert await ledger.hold(ledger.holding(CREDIT)) == "held"


async def test_verdicts_err_in_the_tenants_favour_only(ledger):
    poor = await Ledger.with_tenant(ledger.db)
    owing = await Ledger.with_tenant(ledger.db)
    await ledger.grant(CREDIT)
    await poor.grant(CREDIT - 1)
    await owing.grant(CREDIT)
    await owing.claw(2 * CREDIT)
    await ledger.hold(ledger.holding(CREDIT))
    stranger = uuid7()
    async with ledger.db.system() as connection:
        found = await verdicts(
            connection, [ledger.tenant_id, poor.tenant_id, owing.tenant_id, stranger]
        )
    assert found == {
        ledger.tenant_id: True,
        poor.tenant_id: False,
        owing.tenant_id: False,
        stranger: False,
    }


async def test_malformed_requests_raise_and_write_nothing(ledger):
    await ledger.grant(5 * CREDIT)
    request = ledger.holding(CREDIT)
    await ledger.hold(request)
    before = await ledger.proof()
    for bad in (
        ledger.hold(ledger.holding(-1)),
        ledger.close(ledger.closing(request.hold_id, -1)),
        ledger.close(ledger.closing(request.hold_id, 1, delivered=False)),
        ledger.refund(request.hold_id, 0),
        ledger.grant(0),
        ledger.claw(-5),
    ):
        with pytest.raises(DBAPIError):
            await bad
    assert await ledger.proof() == before


async def test_an_unknown_price_version_is_refused(ledger):
    await ledger.grant(5 * CREDIT)
    items = text(
        "select * from credit_hold_many(jsonb_build_array(jsonb_build_object("
        "'tenant_id', cast(:t as uuid), 'hold_id', gen_random_uuid(), 'job_id',"
        " gen_random_uuid(), 'amount_ucr', 1, 'price_version_id', 99,"
        " 'created_by', 'x')))"
    )
    with pytest.raises(DBAPIError, match="price version"):
        async with ledger.db.system() as connection:
            await connection.execute(items, {"t": ledger.tenant_id})
