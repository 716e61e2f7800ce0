"""The scheduler: one leader, bells for what is due, and the housekeeping of the leader."""

import asyncio

import pytest

from app.messaging.turns import due
from tests.engine.bench import Bench
from tests.workers.conftest import until
from workers.heartbeat import beat_for_ever, stop_beating
from workers.scheduler import upkeep
from workers.scheduler.leadership import Leadership
from workers.scheduler.main import Scheduler

pytestmark = pytest.mark.anyio
PHONE = "15550101"


class Bell:
    def __init__(self) -> None:
        self.rung: list[str] = []

    async def ring(self, queue: str) -> None:
        self.rung.append(queue)


def leadership(bench: Bench, owner: str) -> Leadership:
    return Leadership(bench.database.db, name="dispatcher", owner=owner, lease_s=10)


def scheduler(bench: Bench, bell: Bell, owner: str = "scheduler:1") -> Scheduler:
    return Scheduler(bench.database.db, bell, bench.settings, owner=owner)


async def test_one_leads_at_a_time(bench: Bench):
    first, second = leadership(bench, "one"), leadership(bench, "two")
    assert [await first.take(), await second.take(), await first.take()] == [True, False, True]


async def test_a_leader_that_is_gone_is_followed(bench: Bench):
    first, second = leadership(bench, "one"), leadership(bench, "two")
    await first.take()
    await bench.age(11)
    assert await second.take()
    assert not await first.take()
    assert await bench.column("select epoch from leases") == [1]


async def test_a_leader_that_steps_down_is_followed_at_once(bench: Bench):
    first, second = leadership(bench, "one"), leadership(bench, "two")
    await first.take()
    await second.release()
    assert not await second.take()
    await first.release()
    assert await second.take()


async def test_a_turn_that_became_due_is_rung_for_once(bench: Bench):
    shop = await bench.business()
    bell = Bell()
    dispatcher = scheduler(bench, bell)
    await bench.write(shop, PHONE, "hello")
    await dispatcher._dispatch()
    await dispatcher._dispatch()
    assert bell.rung == ["reply"]
    assert await bench.turn_states(shop) == ["due"]


async def test_many_that_become_due_together_are_rung_for_in_steps(bench: Bench, monkeypatch):
    monkeypatch.setattr(due, "PROMOTED_MAX", 2)
    shop = await bench.business()
    bell = Bell()
    dispatcher = scheduler(bench, bell)
    for n in range(3):
        await bench.write(shop, f"1555010{n}", "hello")
    assert await dispatcher._dispatch() == 0.01
    assert sorted(await bench.turn_states(shop)) == ["due", "due", "waiting"]
    await dispatcher._dispatch()
    assert await bench.turn_states(shop) == ["due"] * 3
    assert bell.rung == ["reply", "reply"]


async def test_the_next_look_is_planned_for_the_next_due_time(bench: Bench):
    shop = await bench.business(idle_s=30, cap_s=60)
    bell = Bell()
    await bench.write(shop, PHONE, "hello")
    await bench.execute("update turns set due_at = now() + interval '0.9 s'")
    wait_s = await scheduler(bench, bell)._dispatch()
    assert bell.rung == []
    assert 0.01 <= wait_s <= 0.91


async def test_with_nothing_to_do_it_looks_once_a_second(bench: Bench):
    assert await scheduler(bench, Bell())._dispatch() == 1.0


async def test_abandoned_turns_and_stale_events_are_rung_for(bench: Bench):
    shop = await bench.business()
    bell = Bell()
    await bench.write(shop, PHONE, "hello")
    await bench.claim("worker:gone")
    await bench.receive(shop, "session.status", {"status": "WORKING"})
    await bench.age(70)
    await scheduler(bench, bell)._dispatch()
    assert sorted(bell.rung) == ["ingest", "reply"]


async def test_a_follower_rings_for_nothing(bench: Bench):
    shop = await bench.business()
    await leadership(bench, "another").take()
    await bench.write(shop, PHONE, "hello")
    bell = Bell()
    follower = scheduler(bench, bell)
    task = asyncio.create_task(follower.dispatch_for_ever())
    try:
        await until(lambda: _asked(follower), "the follower has looked")
        assert bell.rung == []
        await bench.age(11)
        follower.wake()
        await until(lambda: _rung(bell), "it leads and rings")
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_partitions_are_kept_ahead(bench: Bench):
    await bench.chore("keep_partitions")
    (days,) = await bench.column(
        "select max(to_date(right(c.relname, 8), 'YYYYMMDD')) - current_date from pg_inherits i"
        " join pg_class c on c.oid = i.inhrelid where c.relname ~ '^inbox_p[0-9]+$'"
    )
    assert days == upkeep.INBOX_DAYS_AHEAD


async def test_old_keys_are_pruned_and_pending_ones_kept(bench: Bench):
    shop = await bench.business()
    for _ in range(2):
        await bench.receive(shop, "session.status", {"status": "WORKING"})
    await bench.execute("update inbox_keys set event_day = current_date - 15")
    await bench.execute(
        "update inbox_keys set pending = false"
        " where key = (select key from inbox_keys order by key limit 1)"
    )
    await bench.chore("prune")
    assert await bench.column("select pending from inbox_keys") == [True]


async def test_a_heartbeat_comes_and_goes(bench: Bench):
    db = bench.database.db
    task = asyncio.create_task(
        beat_for_ever(db, service="worker", instance="worker:x", figures=lambda: {"running": 3})
    )
    try:
        await until(lambda: bench.column("select 1 from process_heartbeats"), "a beat")
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert await bench.column("select figures ->> 'running' from process_heartbeats") == ["3"]
    await stop_beating(db, instance="worker:x")
    assert await bench.column("select 1 from process_heartbeats") == []


async def test_dead_heartbeats_are_pruned(bench: Bench):
    await bench.execute(
        "insert into process_heartbeats (instance, service, beat_at) values"
        " ('old', 'worker', now() - interval '2 hours'), ('new', 'worker', now())"
    )
    await bench.chore("prune")
    assert await bench.column("select instance from process_heartbeats") == ["new"]


async def _asked(follower: Scheduler) -> bool:
    await asyncio.sleep(0.05)
    return not follower._leads


async def _rung(bell: Bell) -> bool:
    return "reply" in bell.rung
