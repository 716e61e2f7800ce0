"""The proof over payments: each planted change of one row is found, and the row is named."""

from uuid import UUID

import pytest

from billing import approvals
from billing.payments.books import BOOKS
from billing.verify import verify_tenant
from tests.payments.conftest import ADMIN, Till
from tests.payments.test_reversals import CREDIT, bought

pytestmark = pytest.mark.anyio

PLANTED = {
    "payments": (
        "credits_ucr = credits_ucr + 1",
        "lot_id = null",
        "lot_id = gen_random_uuid()",
        "clawed_ucr = clawed_ucr - 1",
        "kind = 'subscription'",
        "state = 'failed', paid_at = null",
    ),
    "payment_reversals": (
        "clawed_ucr = clawed_ucr - 1",
        "clawed_ucr = 0",
        "state = 'won', kind = 'dispute'",
    ),
    "credit_lots": ("payment_id = gen_random_uuid()",),
    "credit_ops": (
        "amount_ucr = amount_ucr + 1",
        "created_by = 'nobody'",
        "approved_by = 'nobody'",
        "lot_id = null",
    ),
    "credit_requests": (
        "amount_ucr = amount_ucr + 1",
        "state = 'requested', applied_at = null",
        "requested_by = 'nobody'",
        "kind = 'grant', source = 'promo'",
    ),
}


async def findings(till: Till) -> set[tuple[int, str]]:
    async with till.db.system() as connection:
        proof = await verify_tenant(connection, till.tenant_id, invariants=BOOKS)
    return {(f.invariant, f.row) for f in proof.findings}


async def test_every_planted_change_is_found_by_its_row(till: Till):
    session = await bought(till)
    await till.happens("charge.refunded", session=session, amount=500)
    async with till.db.system() as connection:
        asked = approvals.Asked(
            tenant_id=till.tenant_id, kind="claw", amount_ucr=CREDIT, reason="a gift too many"
        )
        await approvals.request(connection, asked, ADMIN)
    await till.assert_proved()
    for table, changes in PLANTED.items():
        (before, *_) = await till.world.all(
            f"select * from {table} where tenant_id = $1 order by lot_id nulls last limit 1"
            if table in {"payments", "credit_ops"}
            else f"select * from {table} where tenant_id = $1 limit 1",
            till.tenant_id,
        )
        for change in changes:
            target = await _target(till, table, change, before["id"])
            await till.world.run(f"create table kept as select * from {table}")
            await till.world.run(f"update {table} set {change} where id = $1", target)
            assert await findings(till), f"{table}: {change}"
            columns = ", ".join(
                f"{name} = k.{name}" for name in before if name not in {"tenant_id", "id"}
            )
            await till.world.run(
                f"update {table} t set {columns} from kept k"
                " where k.tenant_id = t.tenant_id and k.id = t.id"
            )
            await till.world.run("drop table kept")
            assert await findings(till) == set()


async def _target(till: Till, table: str, change: str, first: UUID) -> UUID:
    """Operations of people have an approver, those of Stripe a lot."""
    if table != "credit_ops" or "approved_by" not in change:
        return first
    (row,) = await till.world.all(
        "select id from credit_ops where tenant_id = $1 and lot_id is null", till.tenant_id
    )
    found: UUID = row["id"]
    return found
