"""Many clients at once: nobody overspends, nothing closes twice, batches do not deadlock."""

import asyncio
import json
import random
from collections import Counter
from dataclasses import asdict
from uuid import uuid4

import asyncpg
import pytest

from billing.ledger import service
from tests.billing.ledger import CREDIT, Ledger

pytestmark = pytest.mark.anyio
WORKERS = 64
TRIES = 50


async def test_64_workers_with_50_tries_each_settle_exactly_100_credits(database, ledger):
    await ledger.grant(100 * CREDIT)
    lowest: list[int] = []
    working = True

    async def drain() -> Counter:
        found: Counter = Counter()
        for _ in range(TRIES):
            request = ledger.holding(CREDIT)
            outcome = await ledger.hold(request)
            found[outcome] += 1
            if outcome == "held":
                found[await ledger.close(ledger.closing(request.hold_id, CREDIT))] += 1
        return found

    async def watch() -> None:
        while working:
            balance = await ledger.balance()
            lowest.append(min(balance.available_ucr, balance.held_ucr))
            await asyncio.sleep(0)

    watcher = asyncio.create_task(watch())
    total = sum(await asyncio.gather(*(drain() for _ in range(WORKERS))), Counter())
    working = False
    await watcher
    assert total == {"held": 100, "captured": 100, "insufficient": WORKERS * TRIES - 100}
    balance = await ledger.balance()
    assert (balance.available_ucr, balance.held_ucr, balance.spent_ucr) == (0, 0, 100 * CREDIT)
    assert len(lowest) > TRIES
    assert min(lowest) == 0
    await ledger.assert_proved()


async def test_one_credit_left_and_200_turns_hold_once(ledger):
    await ledger.grant(CREDIT)
    outcomes = Counter(
        await asyncio.gather(*(ledger.hold(ledger.holding(CREDIT)) for _ in range(200)))
    )
    assert outcomes == {"held": 1, "insufficient": 199}


async def test_the_same_request_from_many_clients_happens_once(ledger):
    await ledger.grant(10 * CREDIT)
    request = ledger.holding(2 * CREDIT)
    held = Counter(await asyncio.gather(*(ledger.hold(request) for _ in range(12))))
    assert held == {"held": 1, "exists:pending": 11}
    closing = ledger.closing(request.hold_id, CREDIT)
    closed = Counter(await asyncio.gather(*(ledger.close(closing) for _ in range(12))))
    assert closed == {"captured": 1, "exists": 11}
    op_id = uuid4()
    refunds = Counter(
        await asyncio.gather(
            *(ledger.refund(request.hold_id, CREDIT, op_id=op_id) for _ in range(12))
        )
    )
    assert refunds == {"refunded": 1, "exists": 11}
    granted = Counter(await asyncio.gather(*(ledger.grant(1, ref="once") for _ in range(12))))
    assert granted == {"granted": 1, "exists": 11}
    await ledger.assert_proved()


async def test_mixed_batches_in_random_orders_do_not_deadlock(database, ledger):
    tenants = [ledger, *[await Ledger.with_tenant(ledger.db) for _ in range(5)]]
    for tenant in tenants:
        await tenant.grant(1000 * CREDIT)

    async def drain(seed: int) -> int:
        chance = random.Random(seed)
        settled = 0
        for _ in range(6):
            batch = [tenant.holding(CREDIT) for tenant in tenants for _ in range(2)]
            chance.shuffle(batch)
            async with ledger.db.system() as connection:
                held = await service.hold_many(connection, batch)
            assert all(outcome.live for outcome in held.values())
            chance.shuffle(batch)
            closings = [
                next(t for t in tenants if t.tenant_id == r.tenant_id).closing(
                    r.hold_id, chance.choice([0, CREDIT])
                )
                for r in batch
            ]
            async with ledger.db.system() as connection:
                closed = await service.close_many(connection, closings)
            settled += sum(outcome.settled for outcome in closed.values())
        return settled

    assert sum(await asyncio.gather(*(drain(seed) for seed in range(8)))) == 8 * 6 * 12
    for tenant in tenants:
        await tenant.assert_proved()
        assert (await tenant.balance()).held_ucr == 0


async def test_a_connection_lost_in_the_middle_leaves_nothing(database, ledger):
    await ledger.grant(5 * CREDIT)
    before = await ledger.proof()
    request = ledger.holding(CREDIT)
    lost = await asyncpg.connect(database.system_url)
    await lost.execute("begin")
    items = json.dumps([asdict(request)], default=str)
    held = await lost.fetch("select outcome from credit_hold_many($1)", items)
    assert [row["outcome"] for row in held] == ["held"]
    lost.terminate()
    assert await ledger.proof() == before
    assert await ledger.hold(request) == "held"
    await ledger.assert_proved()
