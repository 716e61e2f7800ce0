"""The turn runner: claims by itself, renews what it holds, gives back what it cannot end."""

import asyncio
import time

import asyncpg
import pytest

from tests.database.catalog import connected
from tests.engine.bench import Bench
from tests.pace import stretched
from tests.workers.conftest import until
from workers.turns import TurnRunner

pytestmark = pytest.mark.anyio
PHONE = "15550101"


async def stuck_model(bench: Bench) -> asyncio.Event:
    """The next model call begins, and never ends."""
    asked = asyncio.Event()

    async def never_answers() -> None:
        asked.set()
        await asyncio.Event().wait()

    bench.answerer.script = [never_answers]
    return asked


async def test_a_bell_is_enough(bench: Bench):
    shop = await bench.business()
    bench.with_timings(sweep_s=60)
    runner = TurnRunner(bench.engine())
    runner.start()
    try:
        await bench.write(shop, PHONE, "hello")
        runner.kick()
        await until(lambda: _done(bench, shop, 1), "the turn is done")
    finally:
        await runner.stop(0.1)
    assert bench.sender.texts() == ["hello"]
    assert runner.running == 0


async def test_without_any_bell_the_sweep_finds_the_work(bench: Bench):
    shop = await bench.business()
    bench.with_timings(sweep_s=0.1)
    runner = TurnRunner(bench.engine())
    runner.start()
    try:
        await bench.write(shop, PHONE, "hello")
        await until(lambda: _done(bench, shop, 1), "the turn is done")
    finally:
        await runner.stop(0.1)


async def test_a_finished_turn_makes_room_for_the_next(bench: Bench):
    shop = await bench.business(plan={"max_inflight": 2})
    bench.with_timings(sweep_s=60)
    for n in range(9):
        await bench.write(shop, f"1555010{n + 1}", f"question {n}")
    runner = TurnRunner(bench.engine(), capacity=3)
    runner.start()
    try:
        runner.kick()
        await until(lambda: _done(bench, shop, 9), "nine turns are done")
    finally:
        await runner.stop(0.1)
    assert len(bench.sender.texts()) == 9
    assert await bench.balance(shop) == (91, 0, 9)


async def test_stopping_gives_running_turns_back(bench: Bench):
    shop = await bench.business()
    asked = await stuck_model(bench)
    runner = TurnRunner(bench.engine("worker:1"))
    await bench.write(shop, PHONE, "hello")
    runner.start()
    await asyncio.wait_for(asked.wait(), 30)
    began = time.monotonic()
    await runner.stop(0.1)
    took_s = time.monotonic() - began
    assert took_s < stretched(1)
    assert await bench.column("select lease_owner from turns") == [None]
    await bench.work("worker:2")
    assert bench.sender.texts() == ["hello"]
    assert await bench.balance(shop) == (99, 0, 1)


async def test_a_turn_whose_lease_ran_out_here_runs_once(bench: Bench):
    shop = await bench.business()
    bench.with_timings(sweep_s=60)
    asked = await stuck_model(bench)
    runner = TurnRunner(bench.engine())
    await bench.write(shop, PHONE, "hello")
    runner.start()
    try:
        await asyncio.wait_for(asked.wait(), 30)
        await bench.age(70)
        runner.kick()
        await until(lambda: _done(bench, shop, 1), "the turn is done")
        await until(_no_turn_runs, "the old lease's task has ended")
    finally:
        await runner.stop(0.1)
    assert bench.sender.texts() == ["hello"]
    assert await bench.balance(shop) == (99, 0, 1)


async def _no_turn_runs() -> bool:
    return not any(task.get_name().startswith("turn.") for task in asyncio.all_tasks())


async def test_stopping_lets_a_turn_end_that_is_nearly_done(bench: Bench):
    shop = await bench.business()
    bench.sender.pause = asyncio.Event()
    runner = TurnRunner(bench.engine())
    await bench.write(shop, PHONE, "hello")
    runner.start()
    await until(lambda: _sent(bench), "the text is on its way")
    stopping = asyncio.create_task(runner.stop(5))
    bench.sender.pause.set()
    await stopping
    assert await bench.turn_states(shop) == ["done"]


async def test_a_stop_during_a_claim_leaves_no_orphaned_lease(bench: Bench):
    shop = await bench.business()
    await stuck_model(bench)
    await bench.write(shop, PHONE, "hello")
    runner = TurnRunner(bench.engine())
    async with connected(bench.database.superuser_url) as connection:
        async with connection.transaction():
            await connection.execute("lock table turns in exclusive mode")
            runner.start()
            await until(lambda: _blocked(connection), "the claim waits for the table")
            stopping = asyncio.create_task(runner.stop(2))
            await asyncio.sleep(0)
        await stopping
    assert await bench.column("select lease_owner from turns") == [None]
    assert await bench.work("worker:2") == 1


async def test_after_a_stop_nothing_is_claimed(bench: Bench):
    shop = await bench.business()
    bench.with_timings(sweep_s=0.05)
    runner = TurnRunner(bench.engine())
    runner.start()
    await runner.stop(0.1)
    await bench.write(shop, PHONE, "hello")
    runner.kick()
    assert await bench.turn_states(shop) == ["waiting"]
    assert await bench.work() == 1


async def test_leases_are_renewed_while_the_model_thinks(bench: Bench):
    shop = await bench.business()
    bench.with_timings(lease_s=5, renew_s=0.05)
    asked = await stuck_model(bench)
    runner = TurnRunner(bench.engine("worker:1"))
    await bench.write(shop, PHONE, "hello")
    runner.start()
    try:
        await asyncio.wait_for(asked.wait(), 30)
        await bench.execute("update turns set lease_until = now() + interval '1 second'")
        await until(lambda: _lease_left(bench, 3), "the lease is renewed")
    finally:
        await runner.stop(0)


async def test_a_turn_that_another_worker_has_is_cancelled_here(bench: Bench):
    shop = await bench.business()
    bench.with_timings(lease_s=5, renew_s=0.05)
    asked = await stuck_model(bench)
    runner = TurnRunner(bench.engine("worker:1"))
    await bench.write(shop, PHONE, "hello")
    runner.start()
    try:
        await asyncio.wait_for(asked.wait(), 30)
        await bench.execute(
            "update turns set lease_owner = 'worker:2', lease_epoch = lease_epoch + 1,"
            " lease_until = now() + interval '1 minute'"
        )
        await until(lambda: _idle(runner), "the runner lets go")
    finally:
        await runner.stop(0)
    assert await bench.column("select lease_owner from turns") == ["worker:2"]


async def _done(bench: Bench, shop, count: int) -> bool:
    return (await bench.turn_states(shop)).count("done") == count


async def _blocked(connection: asyncpg.Connection) -> bool:
    return bool(await connection.fetchval("select count(*) from pg_locks where not granted"))


async def _sent(bench: Bench) -> bool:
    return bool(bench.sender.calls)


async def _idle(runner: TurnRunner) -> bool:
    return runner.running == 0


async def _lease_left(bench: Bench, seconds: float) -> bool:
    (left,) = await bench.column("select extract(epoch from lease_until - now()) from turns")
    return left > seconds
