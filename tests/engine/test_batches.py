"""Group commit for turns: what is shared, what is taken apart, and what it may never mix up."""

import asyncio
from collections.abc import Sequence
from itertools import permutations

import asyncpg
import pytest
from sqlalchemy import event

from app.core.errors import ProviderError
from app.messaging.turns.batches import BUSY, Batches
from tests.database.catalog import connected
from tests.engine.bench import Bench
from tests.engine.ports import ProcessGone, says
from tests.workers.conftest import until
from workers.turns import TurnRunner

pytestmark = pytest.mark.anyio
PHONE = "15550101"


class Log:
    """A step that remembers its batches, and stops where it is told."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.go_on = asyncio.Event()
        self.go_on.set()


async def double(log: Log, _scope: str, items: Sequence[int]) -> list[int]:
    log.batches.append(list(items))
    await log.go_on.wait()
    return [2 * n for n in items]


async def refuse_seven(log: Log, _scope: str, items: Sequence[int]) -> list[int]:
    log.batches.append(list(items))
    if 7 in items:
        raise ValueError("seven")
    return list(items)


async def vanish(_log: Log, _scope: str, _items: Sequence[int]) -> list[int]:
    raise ProcessGone


async def busy_in_company(log: Log, _scope: str, items: Sequence[int]) -> list[int]:
    log.batches.append(list(items))
    return [BUSY if n == 3 and len(items) > 1 else n for n in items]  # type: ignore[misc]


async def wait_when_alone(log: Log, _scope: str, items: Sequence[int]) -> list[int]:
    log.batches.append(list(items))
    if len(items) > 1:
        return [BUSY] * len(items)  # type: ignore[list-item]
    await log.go_on.wait()
    return list(items)


async def begun(log: Log) -> bool:
    return bool(log.batches)


async def alone(log: Log, count: int) -> bool:
    return sum(len(batch) == 1 for batch in log.batches) >= count


async def test_who_comes_together_is_served_together_and_gets_its_own_answer():
    log, batches = Log(), Batches()
    answers = await asyncio.gather(*(batches.join(double, log, "a", n) for n in range(5)))
    assert answers == [0, 2, 4, 6, 8]
    assert log.batches == [[0, 1, 2, 3, 4]]


async def test_who_comes_while_a_batch_runs_makes_up_the_next():
    log, batches = Log(), Batches(items_max=2)
    log.go_on.clear()
    waiting = [asyncio.create_task(batches.join(double, log, "a", n)) for n in range(1, 6)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    log.go_on.set()
    assert await asyncio.gather(*waiting) == [2, 4, 6, 8, 10]
    assert log.batches == [[1, 2], [3, 4], [5]]


async def test_scopes_never_share():
    log, batches = Log(), Batches()
    await asyncio.gather(*(batches.join(double, log, scope, 1) for scope in "abc"))
    assert log.batches == [[1], [1], [1]]


async def test_one_that_fails_fails_alone():
    log, batches = Log(), Batches()
    found = await asyncio.gather(
        *(batches.join(refuse_seven, log, "a", n) for n in (6, 7, 8)), return_exceptions=True
    )
    assert (found[0], found[2]) == (6, 8)
    assert isinstance(found[1], ValueError)
    assert log.batches == [[6, 7, 8], [6], [7], [8]]


async def test_one_whose_rows_are_taken_is_done_alone_beside_the_others():
    log, batches = Log(), Batches()
    found = await asyncio.gather(*(batches.join(busy_in_company, log, "a", n) for n in (2, 3, 4)))
    assert found == [2, 3, 4]
    assert log.batches == [[2, 3, 4], [3]]


async def test_those_who_wait_for_locks_leave_room_for_the_others():
    log, batches = Log(), Batches(at_once_max=5)
    log.go_on.clear()
    waiting = asyncio.gather(*(batches.join(wait_when_alone, log, "a", n) for n in range(20)))
    await until(lambda: alone(log, 4), "some wait for their locks")
    assert await batches.join(refuse_seven, Log(), "b", 1) == 1
    assert len(log.batches) == 5
    log.go_on.set()
    assert await waiting == list(range(20))


async def test_a_process_that_dies_answers_nobody():
    batches = Batches()
    found = await asyncio.gather(
        *(batches.join(vanish, Log(), "a", n) for n in (1, 2)), return_exceptions=True
    )
    assert all(isinstance(each, ProcessGone) for each in found)


async def test_a_cancelled_caller_leaves_the_batch_to_the_others():
    log, batches = Log(), Batches(items_max=1)
    log.go_on.clear()
    first, second, third = (
        asyncio.create_task(batches.join(double, log, "a", n)) for n in (1, 2, 3)
    )
    await asyncio.sleep(0)
    second.cancel()
    log.go_on.set()
    assert await asyncio.gather(first, third) == [2, 6]
    assert log.batches == [[1], [3]]


async def test_a_caller_cancelled_while_its_batch_runs_costs_the_others_nothing():
    log, batches = Log(), Batches()
    log.go_on.clear()
    tasks = [asyncio.create_task(batches.join(double, log, "a", n)) for n in (1, 2, 3)]
    await until(lambda: begun(log), "the batch runs")
    tasks[0].cancel()
    await asyncio.sleep(0)
    log.go_on.set()
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(found[0], asyncio.CancelledError)
    assert found[1:] == [4, 6]


async def test_closing_cuts_off_what_runs_and_who_waits():
    log, batches = Log(), Batches(items_max=1)
    log.go_on.clear()
    waiting = [asyncio.create_task(batches.join(double, log, "a", n)) for n in (1, 2)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await batches.close()
    found = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(each, asyncio.CancelledError) for each in found)


async def blocked(connection: asyncpg.Connection) -> bool:
    return bool(await connection.fetchval("select count(*) from pg_locks where not granted"))


async def shown(bench: Bench, count: int) -> bool:
    return len(bench.sender.texts()) >= count


async def many(bench: Bench, count: int):
    shop = await bench.business()
    for n in range(count):
        await bench.write(shop, f"155501{n:02d}", f"question {n}")
    return shop, await bench.claim()


async def test_a_drain_shares_its_transactions_and_its_ledger_calls(bench: Bench):
    shop, turns = await many(bench, 24)
    statements: list[str] = []
    pool = bench.database.db._app.sync_engine

    def note(_connection, _cursor, statement, *_more):
        statements.append(statement)

    event.listen(pool, "before_cursor_execute", note)
    try:
        await bench.run(turns)
    finally:
        event.remove(pool, "before_cursor_execute", note)
    assert await bench.turn_states(shop) == ["done"] * 24
    assert await bench.balance(shop) == (76, 0, 24)
    holds = [s for s in statements if "credit_hold_many" in s]
    settles = [s for s in statements if "credit_close_many" in s]
    assert len(holds) <= 3
    assert len(settles) <= 6
    assert len(statements) / 24 < 6, "a reply in company takes few round trips"


async def test_turns_of_one_batch_end_each_in_its_own_way(bench: Bench):
    shop, turns = await many(bench, 5)
    by_words = {
        "question 0": says("fine"),
        "question 1": says(handover="customer_request"),
        "question 2": ProviderError("llm", "answered 503", status_code=503),
        "question 3": says("one", "two"),
    }

    async def answer(prepared):
        words = bench.answerer.texts(prepared.prompt)[0]
        found = by_words.get(words)
        if isinstance(found, Exception):
            raise found
        if found is None:
            await bench.owner_types(shop, "15550104", "I am here myself")
        return found or says("too late")

    bench.answerer.answer = answer  # type: ignore[method-assign]
    await bench.run(turns)
    assert sorted(bench.sender.texts()) == ["fine", "one", "two"]
    assert await bench.dispositions(shop) == {
        "question 0": "answered",
        "question 1": "handed_off",
        "question 2": None,
        "question 3": "answered",
        "question 4": "human_owned",
    }
    assert await bench.balance(shop) == (97, 1, 2)


async def test_one_prompt_that_cannot_be_built_fails_no_neighbour(bench: Bench):
    shop, turns = await many(bench, 3)
    prepare = bench.answerer.prepare

    async def choosy(connection, questions):
        if any("question 1" in bench.answerer.texts(q) for q in questions):
            raise ValueError("a persona that cannot be read")
        return await prepare(connection, questions)

    bench.answerer.prepare = choosy  # type: ignore[method-assign]
    await bench.run(turns)
    assert sorted(bench.sender.texts()) == ["question 0", "question 2"]
    assert await bench.turn_states(shop) == ["done", "claimed", "done"]


async def test_a_conversation_that_is_locked_holds_up_nobody_else(bench: Bench):
    shop, turns = await many(bench, 3)
    async with connected(bench.database.superuser_url) as other:
        async with other.transaction():
            await other.execute(
                "select 1 from conversations where id = $1 for update", turns[1].conversation_id
            )
            running = asyncio.create_task(bench.run(turns))
            await until(lambda: shown(bench, 2), "the neighbours are answered")
            assert not running.done()
        await running
    assert await bench.turn_states(shop) == ["done"] * 3


async def test_a_stale_turn_in_a_batch_writes_nothing_and_stops_nobody(bench: Bench):
    shop, turns = await many(bench, 3)
    await bench.execute(
        "update turns set lease_epoch = lease_epoch + 1, lease_owner = 'worker:2' where id = :id",
        id=turns[1].id,
    )
    await bench.run(turns)
    assert sorted(await bench.turn_states(shop)) == ["claimed", "done", "done"]
    assert await bench.balance(shop) == (98, 0, 2)


async def test_a_stop_in_the_middle_of_a_batch_rolls_it_back(bench: Bench):
    shop, _ = await many(bench, 2)
    await bench.execute("update turns set lease_owner = null, lease_until = now(), state = 'due'")
    runner = TurnRunner(bench.engine("worker:1"))
    async with connected(bench.database.superuser_url) as other, other.transaction():
        await other.execute("lock table credit_holds in exclusive mode")
        runner.start()
        await until(lambda: blocked(other), "the batch waits for the table")
        await runner.stop(0.05)
    assert await bench.column("select lease_owner from turns") == [None, None]
    assert await bench.balance(shop) == (100, 0, 0)
    assert await bench.work("worker:2") == 2
    assert await bench.balance(shop) == (98, 0, 2)


@pytest.mark.parametrize("order", sorted(permutations((-1, 1, 2))), ids=str)
async def test_an_error_and_receipts_end_alike_in_every_order(bench: Bench, order):
    shop = await bench.business()
    await bench.write(shop, PHONE, "hello")
    await bench.work()
    for level in order:
        await bench.ack(shop, bench.sender.phone[0], level)
    (part,) = await bench.rows("select state, ack, error from send_parts")
    assert tuple(part) == ("delivered", 2, None)
