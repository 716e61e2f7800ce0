"""The scheduler: one leader, bells for what is due, and the housekeeping of the leader."""

import asyncio
import re
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import CursorResult, text

from app.messaging import data_rights
from app.messaging.turns import due
from tests.engine.bench import Bench, Business
from tests.workers.conftest import until
from workers import inbox
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


def plan_of(found: CursorResult[Any]) -> str:
    return "\n".join(found.scalars())


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


async def test_behind_a_backlog_the_queues_are_not_read_whole(bench: Bench):
    shop = await bench.business()
    superuser = bench.database.superuser
    async with superuser.transaction():
        await superuser.execute("set local session_replication_role = replica")
        await superuser.execute(
            "insert into turns (tenant_id, id, conversation_id, channel_id, state, first_at,"
            " due_at) select $1, gen_random_uuid(), gen_random_uuid(), $2, 'due', now(), now()"
            " from generate_series(1, 3000)",
            shop.tenant_id,
            shop.channel_id,
        )
        await superuser.execute(
            "insert into inbox_keys (tenant_id, channel_id, key, event_day, inbox_id)"
            " select $1, $2, decode(lpad(to_hex(n), 32, '0'), 'hex'), current_date,"
            " gen_random_uuid() from generate_series(1, 3000) n",
            shop.tenant_id,
            shop.channel_id,
        )
    await superuser.execute("analyze turns; analyze inbox_keys")
    async with bench.database.db.system() as connection:
        for statement in (due._OUTLOOK, inbox._STALE):
            told = plan_of(await connection.execute(text(f"explain {statement.text}")))
            assert "Seq Scan on turns" not in told, told
            assert "Seq Scan on inbox_keys" not in told, told


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


async def test_old_keys_are_pruned_and_pending_ones_kept(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(upkeep, "_PRUNE_BATCH", 1)
    shop = await bench.business()
    for _ in range(4):
        await bench.receive(shop, "session.status", {"status": "WORKING"})
    await bench.execute("update inbox_keys set event_day = current_date - 15")
    await bench.execute(
        "update inbox_keys set pending = false"
        " where key in (select key from inbox_keys order by key limit 3)"
    )
    await bench.chore("prune_keys")
    assert await bench.column("select pending from inbox_keys") == [True], "batch after batch"


async def _stored_days_ago(
    bench: Bench, days: int, *, shop: Business, pending: bool = False
) -> None:
    """An event that came some days ago."""
    await bench.receive(shop, "session.status", {"status": "WORKING"})
    if not pending:
        await bench.drain()
    moved = f"current_date - {days}"
    newest = "(select inbox_id from inbox_keys order by inbox_id desc limit 1)"
    await bench.execute(f"update inbox set received_day = {moved} where id = {newest}")
    await bench.execute(
        f"update inbox_keys set event_day = {moved}, received_at = {moved}"
        f" where inbox_id = {newest}"
    )


async def _ages_of_bodies(bench: Bench, shop: Business) -> list[int]:
    return await bench.column(
        "select current_date - received_day from inbox where tenant_id = :t order by 1",
        t=shop.tenant_id,
    )


async def test_bodies_leave_with_their_own_tenants_retention(bench: Bench):
    usual, short = await bench.business(), await bench.business()
    await bench.execute("update tenants set retention_days = 3 where id = :t", t=short.tenant_id)
    for shop in (usual, short):
        for days in (0, 3, 4, 20):
            await _stored_days_ago(bench, days, shop=shop)
    await bench.chore("prune_bodies")
    assert await _ages_of_bodies(bench, short) == [0, 3]
    assert await _ages_of_bodies(bench, usual) == [0, 3, 4, 20]


async def test_retention_looks_only_at_what_is_old(bench: Bench):
    shop = await bench.business()
    superuser = bench.database.superuser
    async with superuser.transaction():
        await superuser.execute("set local session_replication_role = replica")
        await superuser.execute(
            "insert into inbox (tenant_id, id, received_day, channel_id, event, body, request_id)"
            " select $1, gen_random_uuid(), current_date, $2, 'message', $3, 'req_test'"
            " from generate_series(1, 2000)",
            shop.tenant_id,
            shop.channel_id,
            b"{}" * 100,
        )
        await superuser.execute(
            "insert into messages (tenant_id, id, conversation_id, channel_id, direction, author,"
            " kind, body, sent_at) select $1, gen_random_uuid(), gen_random_uuid(), $2, 'out',"
            " 'assistant', 'text', 'We are open.', now() from generate_series(1, 2000)",
            shop.tenant_id,
            shop.channel_id,
        )
    await superuser.execute("analyze inbox; analyze messages")
    for work, statement in (
        (data_rights.enforce_retention, data_rights._OLD_MESSAGES),
        (upkeep.prune_bodies, upkeep._PRUNE_BODIES),
    ):
        async with bench.database.db.system() as connection:
            assert await work(connection) == 0
            plan = await connection.execute(text(f"explain {statement.text}"), {"batch_max": 5000})
            assert re.findall(r"Seq Scan on (?:messages|inbox_p)\w*", plan_of(plan)) == []


async def test_what_nobody_has_understood_yet_outlasts_the_retention(bench: Bench):
    shop = await bench.business()
    await bench.execute("update tenants set retention_days = 1")
    (day,) = await bench.column("select current_date - 5")
    await bench.database.superuser.execute(
        f"create table inbox_p{day:%Y%m%d} partition of inbox"
        f" for values from ('{day}') to ('{day + timedelta(days=1)}');"
        f"alter table inbox_p{day:%Y%m%d} owner to parley_owner"
    )
    await _stored_days_ago(bench, 9, shop=shop)
    await _stored_days_ago(bench, 5, shop=shop, pending=True)
    for chore in ("prune_bodies", "keep_partitions"):
        await bench.chore(chore)
    assert await _ages_of_bodies(bench, shop) == [5]
    await bench.drain()
    await bench.chore("keep_partitions")
    assert await _ages_of_bodies(bench, shop) == []


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
    await bench.chore("prune_beats")
    assert await bench.column("select instance from process_heartbeats") == ["new"]


async def _asked(follower: Scheduler) -> bool:
    await asyncio.sleep(0.05)
    return not follower._leads


async def _rung(bell: Bell) -> bool:
    return "reply" in bell.rung
