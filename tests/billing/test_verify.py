"""Every single-row corruption is found and named; the chain can be recomputed from outside."""

import hashlib
import json

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from app.core.db.engine import async_url
from billing.verify import verify_tenant
from tests.billing.ledger import CREDIT, Ledger

pytestmark = pytest.mark.anyio


async def lived_in(ledger: Ledger) -> None:
    """One of everything, so that each corruption has a row to sit in."""
    await ledger.grant(2 * CREDIT, ref="plan", source="plan")
    await ledger.grant(9 * CREDIT, ref="bought")
    charged = await ledger.charge(3 * CREDIT, 3 * CREDIT)
    await ledger.charge(CREDIT, 0)
    await ledger.refund(charged, 2 * CREDIT)
    await ledger.claw(CREDIT)
    await ledger.hold(ledger.holding(CREDIT))
    await ledger.assert_proved()


CHECKS = text(
    "select conname from pg_constraint where conrelid = cast(:table as text)::regclass"
    " and contype = 'c'"
)
HOLD = "(select id from credit_holds where state = '{}' order by created_at limit 1)"
CAPTURED, PENDING = HOLD.format("captured"), HOLD.format("pending")
BOUGHT = "(select id from credit_lots where source_ref = 'bought')"
# What a hand with a superuser's rights might change -> table and invariants that must notice.
CORRUPTIONS = {
    "balance raised": (
        "update wallets set issued_ucr = issued_ucr + 5, available_ucr = available_ucr + 5",
        "wallets",
        {2, 7},
    ),
    "bucket shifted": (
        "update wallets set spent_ucr = spent_ucr - 5, available_ucr = available_ucr + 5",
        "wallets",
        {2, 4, 7},
    ),
    "owed forgiven": ("update wallets set owed_ucr = 7, available_ucr = 0", "wallets", {1, 7}),
    "frozen without a word": ("update wallets set frozen_at = now()", "wallets", {1}),
    "day without an end": (
        "update wallets set day_until = day_until + interval '3 days'",
        "wallets",
        {13},
    ),
    "head replaced": ("update wallets set head_hash = 'x'", "wallets", {12}),
    "lot shifted": (
        (
            "update credit_lots set spent_ucr = spent_ucr - 1, available_ucr = available_ucr + 1"
            f" where id = {BOUGHT}"
        ),
        "credit_lots",
        {2},
    ),
    "lot made to last": (
        f"update credit_lots set expires_at = now() + interval '1 day' where id = {BOUGHT}",
        "credit_lots",
        {11},
    ),
    "grant re-attributed": (
        f"update credit_lots set created_by = 'else' where id = {BOUGHT}",
        "credit_lots",
        {11},
    ),
    "hold grown": (
        f"update credit_holds set amount_ucr = amount_ucr + 1 where id = {PENDING}",
        "credit_holds",
        {3, 8, 9},
    ),
    "charge lowered": (
        f"update credit_holds set captured_ucr = captured_ucr - 1 where id = {CAPTURED}",
        "credit_holds",
        {4, 8, 9},
    ),
    "charge moved to another job": (
        f"update credit_holds set job_id = gen_random_uuid() where id = {CAPTURED}",
        "credit_holds",
        {8},
    ),
    "usage rewritten": (
        f"""update credit_holds set usage = '{{}}' where id = {CAPTURED}""",
        "credit_holds",
        {8},
    ),
    "refund hidden": (
        f"update credit_holds set refunded_ucr = 0 where id = {CAPTURED}",
        "credit_holds",
        {4, 9, 10},
    ),
    "hold deleted": (f"delete from credit_holds where id = {PENDING}", "credit_holds", {3, 8}),
    "part changed": (
        (
            "update hold_parts set amount_ucr = amount_ucr + 1 where position = 1"
            f" and hold_id = {PENDING}"
        ),
        "hold_parts",
        {2, 9},
    ),
    "part out of order": (
        f"update hold_parts set position = 9 where position = 1 and hold_id = {PENDING}",
        "hold_parts",
        {9},
    ),
    "part deleted": (f"delete from hold_parts where hold_id = {PENDING}", "hold_parts", {2, 9}),
    "op deleted": ("delete from credit_ops where kind = 'refund'", "credit_ops", {10}),
    "op grown": (
        "update credit_ops set amount_ucr = amount_ucr + 1 where kind = 'claw'",
        "wallets",
        {7},
    ),
    "op re-attributed": (
        "update credit_ops set created_by = 'else' where kind = 'claw'",
        "credit_ops",
        {10},
    ),
    "refund asked for more": (
        "update credit_ops set amount_ucr = amount_ucr + 1 where kind = 'refund'",
        "credit_ops",
        {10},
    ),
    "op re-explained": (
        "update credit_ops set reason = 'other' where kind = 'claw'",
        "credit_ops",
        {10},
    ),
    "journal amount changed": (
        "update journal set amount_ucr = amount_ucr + 1 where seq = 3",
        "journal",
        {7, 12},
    ),
    "journal facts changed": (
        "update journal set facts = '{}' where seq = 3",
        "journal",
        {8, 12},
    ),
    "journal time changed": (
        "update journal set created_at = created_at + interval '1 hour' where seq = 4",
        "journal",
        {12},
    ),
    "journal row deleted": ("delete from journal where seq = 4", "journal", {6, 12}),
    "journal end cut off": (
        "delete from journal where seq = (select max(seq) from journal)",
        "journal",
        {6},
    ),
    "journal row added": (
        (
            "insert into journal select tenant_id, seq + 1, 'grant', 'issued', 'available', 5,"
            " available_after_ucr + 5, 'forged', null, null, null, '{}', null, null, now(), hash"
            " from journal order by seq desc limit 1"
        ),
        "journal",
        {6, 12},
    ),
}


@pytest.fixture
async def tampering(database, ledger):
    """A connection that row level security, constraints and keys do not stop."""
    await lived_in(ledger)
    engine = create_async_engine(async_url(database.superuser_url))
    async with engine.connect() as connection:
        for table in ("wallets", "credit_lots", "credit_holds", "hold_parts"):
            for name in await connection.scalars(CHECKS, {"table": table}):
                await connection.execute(text(f"alter table {table} drop constraint {name}"))
        await connection.execute(text("set session_replication_role = replica"))
        await connection.commit()
        yield connection
    await engine.dispose()


async def test_each_corruption_is_found_and_named(ledger, tampering):
    missed = {}
    for name, (statement, table, invariants) in CORRUPTIONS.items():
        changed = await tampering.execute(text(statement))
        findings = (await verify_tenant(tampering, ledger.tenant_id)).findings
        await tampering.rollback()
        named = all(f.row and f.rule and f.detail for f in findings)
        seen = ({f.table for f in findings}, {f.invariant for f in findings})
        if changed.rowcount != 1 or not named or table not in seen[0] or not invariants <= seen[1]:
            missed[name] = (changed.rowcount, findings)
    assert missed == {}
    assert (await verify_tenant(tampering, ledger.tenant_id)).findings == ()


async def test_another_tenants_corruption_is_not_ones_own(ledger, tampering):
    other = await Ledger.with_tenant(ledger.db)
    await tampering.execute(text("update wallets set seq = seq + 1 where seq > 0"))
    await tampering.commit()
    await other.assert_proved()
    assert (await ledger.proof()).findings


async def test_the_chain_can_be_recomputed_without_the_database(database, ledger):
    await lived_in(ledger)
    connection = await asyncpg.connect(database.superuser_url)
    rows = await connection.fetch(
        "select *, (extract(epoch from created_at) * 1000000)::int8 as created_us,"
        " facts::text as facts_text from journal order by seq"
    )
    head = await connection.fetchval("select head_hash from wallets")
    await connection.close()
    previous = b""
    for row in rows:
        leading = ("tenant_id", "seq", "kind", "src", "dst", "amount_ucr", "available_after_ucr")
        values = [row[name] for name in (*leading, "key", "hold_id", "lot_id", "op_id")]
        texts = [
            *(json.dumps(v if v is None or isinstance(v, int) else str(v)) for v in values),
            row["facts_text"],
            json.dumps(row["created_by"]),
            json.dumps(row["request_id"]),
            str(row["created_us"]),
        ]
        previous = hashlib.sha256(previous + f"[{', '.join(texts)}]".encode()).digest()
        assert row["hash"] == previous
    assert head == previous
