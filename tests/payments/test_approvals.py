"""Credits by people: small ones at once, large ones by two, everything on record, nothing twice."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from app.core.errors import ConflictError, ForbiddenError, NotFoundError, RefusedError
from app.core.ids import uuid7
from billing import approvals
from billing.approvals import Asked, CreditRequest
from tenants.service import Actor
from tests.payments.conftest import ADMIN, Till

pytestmark = pytest.mark.anyio
SECOND = Actor("admin", "admin-2")
CREDIT = 1_000_000


@pytest.fixture(autouse=True)
async def _on_another_day(till: Till) -> None:
    """What others asked for counts no more: a day's gifts of one admin are one."""
    await till.world.run("update credit_requests set created_at = created_at - interval '2 days'")


async def ask(till: Till, amount: int, actor: Actor = ADMIN, **terms: object) -> CreditRequest:
    asked = {"kind": "grant", "source": "promo", "reason": "a warm welcome", **terms}
    async with till.db.system() as connection:
        return await approvals.request(
            connection,
            Asked(tenant_id=till.tenant_id, amount_ucr=amount * CREDIT, **asked),  # type: ignore[arg-type]
            actor,
        )


async def approve(till: Till, made: CreditRequest, actor: Actor) -> CreditRequest:
    async with till.db.system() as connection:
        return await approvals.approve(connection, till.tenant_id, made.id, actor, "agreed")


async def test_up_to_the_limit_one_person_is_enough(till: Till):
    made = await ask(till, 1000)
    assert (made.state, made.needs_approval, made.decided_by) == ("applied", False, None)
    assert await till.credits() == (1000, 0, 0)
    lot = await till.world.one("select * from credit_lots where tenant_id = $1", till.tenant_id)
    assert (lot["created_by"], lot["approved_by"], lot["reason"]) == (
        "admin:admin-1",
        None,
        "a warm welcome",
    )


async def test_above_it_a_second_person_approves(till: Till):
    made = await ask(till, 1001)
    assert (made.state, made.needs_approval) == ("requested", True)
    assert await till.credits() == (0, 0, 0)
    with pytest.raises(ForbiddenError):
        await approve(till, made, ADMIN)
    done = await approve(till, made, SECOND)
    assert (done.state, done.decided_by) == ("applied", "admin:admin-2")
    assert await till.credits() == (1001, 0, 0)
    with pytest.raises(ConflictError):
        await approve(till, made, SECOND)
    assert await till.credits() == (1001, 0, 0)
    lot = await till.world.one("select * from credit_lots where tenant_id = $1", till.tenant_id)
    assert lot["approved_by"] == "admin:admin-2"
    entries = await till.world.all(
        "select action, actor_id from audit_log where tenant_id = $1 and action like 'credits%'"
        " order by at, id",
        till.tenant_id,
    )
    assert [(e["action"], e["actor_id"]) for e in entries] == [
        ("credits.request", "admin-1"),
        ("credits.apply", "admin-2"),
    ]
    await till.assert_proved()


async def test_many_small_gifts_of_a_day_are_one(till: Till):
    assert (await ask(till, 600)).state == "applied"
    assert (await ask(till, 400)).state == "applied"
    assert (await ask(till, 1)).state == "requested", "1 001 within a day"
    assert (await ask(till, 1, SECOND)).state == "applied", "each admin has a day of their own"
    taken = await ask(till, 1000, kind="claw", source=None)
    assert taken.state == "applied", "taking back is counted apart"
    await till.world.run("update credit_requests set created_at = created_at - interval '1 day'")
    assert (await ask(till, 1000)).state == "applied"
    await till.assert_proved()


async def test_rejected_is_rejected(till: Till):
    made = await ask(till, 5000)
    async with till.db.system() as connection:
        done = await approvals.reject(connection, till.tenant_id, made.id, SECOND, "too much")
        assert (done.state, done.decision_reason) == ("rejected", "too much")
        assert done.id not in {r.id for r in await approvals.requests(connection)}
    with pytest.raises(ConflictError):
        await approve(till, made, SECOND)
    assert await till.credits() == (0, 0, 0)


async def test_the_limit_is_a_setting(till: Till):
    setting = "insert into platform_settings (name, value) values ($1, $2)"
    name = approvals.APPROVAL_LIMIT_SETTING
    await till.world.run(setting, name, '{"value": 5000000}')
    try:
        assert (await ask(till, 6)).state == "requested"
        assert (await ask(till, 5)).state == "applied"
    finally:
        await till.world.run("delete from platform_settings where name = $1", name)


async def test_taking_back_is_a_request_too(till: Till):
    await ask(till, 100)
    made = await ask(till, 30, kind="claw", source=None)
    assert made.state == "applied"
    assert await till.credits() == (70, 30, 0)
    await till.assert_proved()


async def test_a_refund_names_its_charge(till: Till):
    with pytest.raises(RefusedError, match="missing"):
        await ask(till, 1, kind="refund", source=None, hold_id=uuid7())
    count = "select count(*) from credit_requests where tenant_id = $1"
    assert await till.world.column(count, till.tenant_id) == [0], "nothing is half done"


@pytest.mark.parametrize(
    "terms",
    [
        {"reason": "  "},
        {"source": None},
        {"source": "purchase"},
        {"kind": "claw"},
        {"kind": "gift"},
        {"kind": "refund", "source": None},
        {"expires_at": datetime(2020, 1, 1, tzinfo=UTC)},
        {"expires_at": datetime(2120, 1, 1)},  # noqa: DTZ001 - what is refused
        {"kind": "claw", "source": None, "expires_at": datetime(2120, 1, 1, tzinfo=UTC)},
    ],
)
async def test_requests_that_cannot_be(till: Till, terms: dict[str, object]):
    with pytest.raises(RefusedError):
        await ask(till, 1, **terms)


async def test_the_database_itself_wants_two_people(till: Till):
    made = await ask(till, 5000)
    for change in (
        "state = 'applied', applied_at = now()",
        "state = 'approved'",
        "state = 'approved', decided_by = requested_by",
    ):
        with pytest.raises(Exception, match="check constraint"):
            async with till.db.system() as connection:
                await connection.execute(
                    text(f"update credit_requests set {change} where id = :id"), {"id": made.id}
                )


async def test_nobody_approves_for_another_business(till: Till):
    made = await ask(till, 5000)
    async with till.db.system() as connection:
        with pytest.raises(NotFoundError):
            await approvals.approve(connection, uuid7(), made.id, SECOND)
