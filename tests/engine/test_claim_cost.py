"""What claiming and renewing touch: as much as they are asked for, however much there is."""

from typing import Any

import pytest
from sqlalchemy.dialects.postgresql import asyncpg

from app.messaging.turns import claiming
from tests.engine.bench import Bench
from tests.engine.test_claiming import queue_turns

pytestmark = pytest.mark.anyio


async def test_of_a_backlog_only_what_is_claimed_is_locked(bench: Bench):
    shops = [await bench.business() for _ in range(4)]
    for shop in shops:
        await queue_turns(bench, shop, 20)
    assert len(await bench.claim(turns_max=8)) == 8
    # Whoever locks a row leaves his mark on it.
    left = "select count(*) from turns where state = 'waiting' and xmax::text {} '0'"
    assert await bench.column(left.format("=")) == [72]
    assert await bench.column(left.format("<>")) == [0]


async def renewal_plan(bench: Bench, turns: list[Any]) -> str:
    """How PostgreSQL renews leases: statement and statistics are those of a superuser."""
    statement = claiming._RENEW.compile(dialect=asyncpg.dialect())
    values = {
        "tenants": [t["tenant_id"] for t in turns],
        "ids": [t["id"] for t in turns],
        "epochs": [1] * len(turns),
        "owner": "worker:1",
        "lease_s": 60.0,
    }
    arguments = [values[name] for name in statement.positiontup or ()]
    sql = f"explain (analyze, timing off) {statement}"
    return "\n".join(r[0] for r in await bench.database.superuser.fetch(sql, *arguments))


async def test_leases_are_renewed_one_by_one_whatever_statistics_tell(bench: Bench):
    """Turns that ended have no lease, so statistics expect none: all were compared with all."""
    shop = await bench.business()
    await queue_turns(bench, shop, 600)
    superuser = bench.database.superuser
    transaction = superuser.transaction()
    await transaction.start()  # what was analysed is forgotten with it
    plans = {}
    try:
        await superuser.execute("update turns set state = 'done'")
        await superuser.execute("analyze turns")
        for count in (20, 60, 150):
            await superuser.execute(
                "update turns set state = 'held', lease_owner = 'worker:1', lease_epoch = 1"
                " where id in (select id from turns order by id limit $1)",
                count,
            )
            turns = await superuser.fetch("select tenant_id, id from turns where state = 'held'")
            plans[count] = await renewal_plan(bench, turns)
    finally:
        await transaction.rollback()
    assert [n for n, plan in plans.items() if "Removed by Join Filter" in plan] == []
    assert [n for n, plan in plans.items() if f"actual rows={n}" not in plan] == []
