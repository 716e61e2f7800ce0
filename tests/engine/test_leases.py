"""Leases: who has a turn, what happens when its holder is gone, and when it comes back."""

import asyncio
from dataclasses import replace

import pytest

from app.messaging.sends.delivering import deliver
from app.messaging.sends.recording import record_attempt, take_back
from app.messaging.turns.claiming import release, renew
from app.messaging.turns.generating import admit, generate, give_up, park
from app.messaging.turns.holding import hold
from app.messaging.turns.model import LeaseLostError
from app.messaging.turns.replying import queue_reply
from tests.engine.bench import Bench
from tests.engine.ports import MODEL, ProcessGone, says, waha_refuses
from tests.engine.wires import Turnstile
from tests.workers.conftest import until

pytestmark = pytest.mark.anyio
PHONE = "15550101"
FIRST, SECOND = "worker:1", "worker:2"


async def claimed_twice(bench: Bench):
    """The same turn, claimed by a worker that froze and by the one that took over."""
    shop = await bench.business()
    await bench.write(shop, PHONE, "hello")
    (stale,) = await bench.claim(FIRST, lease_s=10)
    assert await bench.claim(SECOND) == []
    await bench.age(11)
    (fresh,) = await bench.claim(SECOND)
    return shop, stale, fresh


async def test_an_expired_lease_is_claimed_again_with_a_new_epoch(bench: Bench):
    _, stale, fresh = await claimed_twice(bench)
    assert (fresh.id, fresh.state) == (stale.id, "claimed")
    assert fresh.epoch == stale.epoch + 1
    assert (stale.attempts, fresh.attempts) == (1, 2)


async def test_a_stale_worker_writes_nothing_before_the_model(bench: Bench):
    shop, stale, fresh = await claimed_twice(bench)
    with pytest.raises(LeaseLostError):
        await generate(bench.engine(FIRST), stale)
    assert bench.answerer.asked == []
    assert await bench.balance(shop) == (100, 0, 0)
    await bench.run([fresh], SECOND)
    assert bench.sender.texts() == ["hello"]


async def test_a_stale_worker_stores_no_answer(bench: Bench):
    shop = await bench.business()
    await bench.write(shop, PHONE, "hello")
    (stale,) = await bench.claim(FIRST, lease_s=10)

    async def freezes_and_is_replaced() -> None:
        await bench.age(70)
        assert await bench.work(SECOND) == 1

    bench.answerer.script = [freezes_and_is_replaced]
    with pytest.raises(LeaseLostError):
        await generate(bench.engine(FIRST), stale)
    assert bench.sender.texts() == ["hello"]
    assert await bench.balance(shop) == (99, 0, 1)


async def test_a_stale_worker_does_not_send(bench: Bench):
    shop = await bench.business()
    await bench.write(shop, PHONE, "hello")
    (stale,) = await bench.claim(FIRST)
    assert await generate(bench.engine(FIRST), stale)
    await bench.age(70)
    (fresh,) = await bench.claim(SECOND)
    assert fresh.state == "generated"
    with pytest.raises(LeaseLostError):
        await deliver(bench.engine(FIRST), stale)
    assert bench.sender.calls == []
    await bench.run([fresh], SECOND)
    assert bench.sender.texts() == ["hello"]
    assert len(bench.answerer.asked) == 1
    assert await bench.balance(shop) == (99, 0, 1)


async def test_old_and_new_lease_of_one_turn_in_one_batch_are_told_apart(bench: Bench):
    shop = await bench.business()
    await bench.write(shop, PHONE, "hello")
    (stale,) = await bench.claim(FIRST)
    await bench.age(70)
    (fresh,) = await bench.claim(FIRST)
    engine = bench.engine(FIRST)

    async def together(step):
        lost, kept = await asyncio.gather(step(stale), step(fresh), return_exceptions=True)
        assert isinstance(lost, LeaseLostError)
        return kept

    prepared = await together(lambda turn: hold(engine, turn))
    assert prepared.model == MODEL
    (part,) = await together(lambda turn: queue_reply(engine, turn, prepared, says("hello")))
    attempt = await together(lambda turn: record_attempt(engine, turn, part, idempotent=False))
    assert attempt == 1
    assert await bench.column("select attempts from send_parts") == [1]


async def test_a_stale_worker_does_not_end_a_turn_that_people_overtook(bench: Bench):
    shop = await bench.business()
    await bench.write(shop, PHONE, "hello")
    (stale,) = await bench.claim(FIRST)
    (part,) = await generate(bench.engine(FIRST), stale)
    await bench.age(70)
    bench.sender.pause = asyncio.Event()
    sending = asyncio.create_task(bench.work(SECOND))
    await until(lambda: _called(bench), "the text is on its way")
    await bench.owner_types(shop, PHONE, "I am here too")
    with pytest.raises(LeaseLostError):
        await record_attempt(bench.engine(FIRST), stale, part, idempotent=True)
    bench.sender.pause.set()
    await sending
    assert await bench.turn_states(shop) == ["done"]
    assert await bench.dispositions(shop) == {"hello": "answered"}
    assert await bench.balance(shop) == (99, 0, 1)


async def _called(bench: Bench) -> bool:
    return bool(bench.sender.calls)


async def test_a_stale_worker_neither_parks_nor_gives_up(bench: Bench):
    shop, stale, fresh = await claimed_twice(bench)
    await park(bench.engine(FIRST), stale, 600)
    with pytest.raises(LeaseLostError):
        await give_up(bench.engine(FIRST), stale, reason="internal")
    assert await bench.owner_of(shop) == [("pending", None)]
    await bench.run([fresh], SECOND)
    assert await bench.turn_states(shop) == ["done"]


async def test_a_stale_worker_whose_tenant_is_limited_makes_nobody_wait(bench: Bench):
    shop, stale, fresh = await claimed_twice(bench)
    turnstile = Turnstile()
    turnstile.refusals = 1
    assert not await admit(replace(bench.engine(FIRST), limiter=turnstile), stale)
    assert await bench.column("select blocked_until from tenant_queues") == [None]
    await bench.run([fresh], SECOND)
    assert await bench.turn_states(shop) == ["done"]


async def test_an_attempt_that_another_has_overtaken_is_not_taken_back(bench: Bench):
    shop = await bench.business()
    await bench.write(shop, PHONE, "hello")
    (turn,) = await bench.claim()
    (part,) = await generate(bench.engine(), turn)
    numbers = [await record_attempt(bench.engine(), turn, part, idempotent=True) for _ in range(2)]
    for number, state in zip(numbers, ("sending", "queued"), strict=True):
        await take_back(bench.engine(), shop.tenant_id, part.id, number, waha_refuses(422))
        assert await bench.part_states(shop) == [state]


async def test_renewal_tells_which_leases_are_still_ours(bench: Bench):
    _, stale, fresh = await claimed_twice(bench)
    database = bench.database.db
    assert await renew(database, [stale], owner=FIRST, lease_s=60) == set()
    assert await renew(database, [fresh], owner=SECOND, lease_s=60) == {fresh.id}


async def test_a_renewed_lease_outlives_its_first_term(bench: Bench):
    shop = await bench.business()
    await bench.write(shop, PHONE, "hello")
    (turn,) = await bench.claim(FIRST, lease_s=10)
    await bench.age(8)
    await renew(bench.database.db, [turn], owner=FIRST, lease_s=10)
    await bench.age(8)
    assert await bench.claim(SECOND) == []
    await bench.run([turn], FIRST)
    assert await bench.turn_states(shop) == ["done"]


async def test_a_released_turn_is_due_at_once(bench: Bench):
    shop = await bench.business()
    await bench.write(shop, PHONE, "hello")
    turns = await bench.claim(FIRST)
    await release(bench.database.db, turns, owner=FIRST)
    assert await bench.turn_states(shop) == ["due"]
    assert len(await bench.claim(SECOND)) == 1


async def test_releasing_what_another_has_changes_nothing(bench: Bench):
    shop, stale, fresh = await claimed_twice(bench)
    await release(bench.database.db, [stale], owner=FIRST)
    assert await bench.turn_states(shop) == ["claimed"]
    await bench.run([fresh], SECOND)
    assert await bench.turn_states(shop) == ["done"]


async def test_a_lost_model_answer_is_asked_again_with_the_same_hold(bench: Bench):
    shop = await bench.business()
    await bench.write(shop, PHONE, "hello")
    (turn,) = await bench.claim(FIRST)

    async def machine_dies() -> None:
        raise ProcessGone

    bench.answerer.script = [machine_dies]
    with pytest.raises(ProcessGone):
        await generate(bench.engine(FIRST), turn)
    assert await bench.turn_states(shop) == ["held"]
    await bench.age(70)
    await bench.work(SECOND)
    assert len(await bench.column("select id from credit_holds")) == 1
    assert bench.sender.texts() == ["hello"]
    assert await bench.balance(shop) == (99, 0, 1)
