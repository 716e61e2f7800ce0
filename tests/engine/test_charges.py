"""The charge rule end to end: what is charged, what is not, and that every reply has its charge."""

import json

import asyncpg
import pytest

from app.messaging.charges import PROOF
from billing import statements
from billing.statement_formats import as_json
from billing.verify import verify_tenant
from tests.engine.bench import Bench

pytestmark = pytest.mark.anyio
PHONE = "15550101"
# One row changed -> the table and the rules that must notice.
CORRUPTIONS = {
    "a charge made to look released": (
        "update credit_holds set state = 'released', captured_ucr = 0 where true",
        "sends",
        14,
    ),
    "a hold that is gone": ("delete from credit_holds", "sends", 14),
    "a charge moved to another turn": (
        "update credit_holds set job_id = gen_random_uuid()",
        "credit_holds",
        15,
    ),
    "a reply that is gone": ("delete from sends", "credit_holds", 15),
    "a reply that was never accepted": (
        "update send_parts set state = 'failed', accepted_at = null",
        "credit_holds",
        15,
    ),
    "a reply without its hold": ("update sends set hold_id = null", "credit_holds", 15),
    "a reply's price": ("update sends set price_ucr = price_ucr + 1", "sends", 14),
    "the day's counter": ("update wallets set day_ucr = day_ucr + 1", "wallets", 13),
}


async def answered(bench: Bench):
    shop = await bench.business()
    await bench.write(shop, PHONE, "hello")
    await bench.work()
    return shop


async def test_replies_and_charges_that_do_not_match_are_found_and_named(bench: Bench):
    shop = await answered(bench)
    superuser = await asyncpg.connect(bench.database.superuser_url)
    await superuser.execute("set session_replication_role = replica")
    missed = {}
    for name, (statement, table, rule) in CORRUPTIONS.items():
        snapshot = "send_parts", "sends", "credit_holds", "wallets"
        for each in snapshot:
            await superuser.execute(f"create table kept_{each} as table {each}")
        changed = await superuser.execute(statement)
        async with bench.database.db.system() as connection:
            proof = await verify_tenant(connection, shop.tenant_id, invariants=PROOF)
        found = {(f.table, f.invariant) for f in proof.findings if f.row and f.detail}
        if not changed.endswith(" 1") or (table, rule) not in found:
            missed[name] = (changed, proof.findings)
        for each in snapshot:
            await superuser.execute(f"delete from {each}")
            await superuser.execute(f"insert into {each} table kept_{each}")
            await superuser.execute(f"drop table kept_{each}")
    await superuser.close()
    assert missed == {}


async def test_a_refund_is_made_once_and_a_later_delivery_does_not_take_it_back(bench: Bench):
    shop = await answered(bench)
    shown = bench.sender.phone[0]
    for level in (-1, -1, 2, -1, 3):
        await bench.ack(shop, shown, level)
    assert await bench.balance(shop) == (100, 0, 0)
    assert await bench.column("select count(*) from credit_ops") == [1]


async def test_a_delivered_reply_is_not_refunded_by_a_late_error(bench: Bench):
    shop = await answered(bench)
    shown = bench.sender.phone[0]
    for level in (2, -1, -1):
        await bench.ack(shop, shown, level)
    assert await bench.balance(shop) == (99, 0, 1)


async def test_a_statement_leads_from_the_charge_to_the_reply(bench: Bench):
    shop = await answered(bench)
    await bench.ack(shop, bench.sender.phone[0], -1)
    (send,) = await bench.rows("select id, turn_id, conversation_id from sends")
    (month,) = await bench.column("select to_char(now(), 'YYYY-MM')")
    async with bench.database.db.tenant(shop.tenant_id) as connection:
        about = await statements.terms(connection, shop.tenant_id, month)
        lines = statements.lines(connection, about)
        written = "".join([piece async for piece in as_json(about, lines)])
    found = json.loads(written)
    assert [line["kind"] for line in found["lines"]] == ["grant", "capture", "refund"]
    for line in found["lines"][1:]:
        assert (line["turn_id"], line["send_id"], line["conversation_id"]) == (
            str(send.turn_id),
            str(send.id),
            str(send.conversation_id),
        )
        assert line["price_version"] == 1
    charge = found["lines"][1]
    assert (charge["model"], charge["input_tokens"], charge["output_tokens"]) == (
        "test-model",
        10,
        5,
    )
    assert PHONE not in written
    assert "hello" not in written


async def test_the_providers_cost_stands_beside_the_charge(bench: Bench):
    shop = await bench.business()
    connection = await asyncpg.connect(bench.database.superuser_url)
    await connection.execute(
        "update price_versions set provider_prices ="
        ' \'{"test-model": {"input_usd_micro": 150000, "output_usd_micro": 600000}}\''
    )
    await connection.close()
    await bench.write(shop, PHONE, "hello")
    await bench.work()
    (hold,) = await bench.rows("select cost_usd_micro, usage from credit_holds")
    assert hold.cost_usd_micro == 5  # 10 × 0.15 + 5 × 0.6 = 4.5 micro-dollars, rounded up
    assert hold.usage["cost_usd_micro"] == 5


async def test_new_prices_in_the_middle_of_a_turn_do_not_change_its_price(bench: Bench):
    shop = await bench.business()

    async def prices_change() -> None:
        connection = await asyncpg.connect(bench.database.superuser_url)
        await connection.execute("update price_versions set valid_until = now()")
        await connection.execute(
            "insert into price_versions (id, valid_from, per_reply_ucr, created_by)"
            " select 2, valid_until, 9000000, 'test' from price_versions"
        )
        await connection.close()

    bench.answerer.script = [prices_change]
    await bench.write(shop, PHONE, "hello")
    await bench.work()
    assert await bench.balance(shop) == (99, 0, 1)
    await bench.write(shop, PHONE, "again")
    await bench.work()
    assert await bench.balance(shop) == (90, 0, 10)
    versions = await bench.column("select price_version_id from credit_holds order by created_at")
    assert versions == [1, 2]
