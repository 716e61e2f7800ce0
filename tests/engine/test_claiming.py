"""Who is served when: fair over tenants, bounded for each, exclusive for all."""

import asyncio
from collections import Counter

import pytest
from sqlalchemy import text

from app.core import ids
from app.core.db.rows import as_rows
from tests.engine.bench import Bench, Business

pytestmark = pytest.mark.anyio

_QUEUED_TURNS = text(
    """
    with numbered as (
        select n, gen_random_uuid() as contact_id, gen_random_uuid() as conversation_id,
               gen_random_uuid() as turn_id
        from generate_series(1, :count) n
    ), contact as (
        insert into contacts (tenant_id, id) select :tenant_id, contact_id from numbered
    ), conversation as (
        insert into conversations (tenant_id, id, channel_id, contact_id, address, last_message_at)
        select :tenant_id, conversation_id, :channel_id, contact_id, n || '@lid', now()
        from numbered
    )
    insert into turns (tenant_id, id, conversation_id, channel_id, state, first_at, due_at)
    select :tenant_id, turn_id, conversation_id, :channel_id, 'waiting', now(),
           now() - make_interval(secs => :overdue_s) + n * interval '1 microsecond'
    from numbered
    """
)
_SATURATED = text(
    """
    with given as (
        select * from jsonb_to_recordset(cast(:rows as jsonb))
            as r(tenant_id uuid, channel_id uuid, contact_id uuid, conversation_id uuid,
                 working uuid, due uuid, slug text)
    ), tenant as (
        insert into tenants (id, slug, name, plan_code)
        select tenant_id, slug, slug, 'full' from given
    ), queue as (
        insert into tenant_queues (tenant_id, served_at)
        select tenant_id, now() - interval '1 hour' from given
    ), channel as (
        insert into channels (tenant_id, id, key, kind, name, session, webhook_secret)
        select tenant_id, channel_id, slug, 'waha', slug, slug, '' from given
    ), contact as (
        insert into contacts (tenant_id, id)
        select tenant_id, unnest(array[contact_id, working]) from given
    ), conversation as (
        insert into conversations (tenant_id, id, channel_id, contact_id, address, last_message_at)
        select tenant_id, conversation_id, channel_id, contact_id, slug, now() from given
        union all
        select tenant_id, due, channel_id, working, slug, now() from given
    )
    insert into turns (tenant_id, id, conversation_id, channel_id, state, first_at, due_at,
                       lease_owner, lease_until)
    select tenant_id, working, conversation_id, channel_id, 'held', now(), now(), 'worker:other',
           now() + interval '1 hour' from given
    union all
    select tenant_id, due, due, channel_id, 'waiting', now(), now() - interval '1 hour', null, null
    from given
    """
)


async def queue_turns(bench: Bench, business: Business, count: int, overdue_s: float = 1) -> None:
    async with bench.database.db.system() as connection:
        await connection.execute(
            _QUEUED_TURNS,
            {
                "tenant_id": business.tenant_id,
                "channel_id": business.channel_id,
                "count": count,
                "overdue_s": overdue_s,
            },
        )


async def claimed_by_tenant(bench: Bench, turns_max: int) -> Counter[object]:
    return Counter(turn.tenant_id for turn in await bench.claim(turns_max=turns_max))


async def test_hundreds_of_a_neighbours_turns_do_not_delay_mine(bench: Bench):
    noisy, quiet = await bench.business(), await bench.business()
    await queue_turns(bench, noisy, 500, overdue_s=3600)
    await queue_turns(bench, quiet, 1)
    first = await claimed_by_tenant(bench, 8)
    assert first == {noisy.tenant_id: 7, quiet.tenant_id: 1}


async def test_places_are_given_by_weight(bench: Bench):
    light = await bench.business(plan={"weight": 1})
    heavy = await bench.business(plan={"weight": 3})
    await queue_turns(bench, light, 40)
    await queue_turns(bench, heavy, 40)
    assert await claimed_by_tenant(bench, 16) == {light.tenant_id: 4, heavy.tenant_id: 12}


async def test_tenants_of_equal_weight_take_turns(bench: Bench):
    shops = [await bench.business() for _ in range(3)]
    for shop in shops:
        await queue_turns(bench, shop, 9)
    served = [(await bench.claim(turns_max=1))[0].tenant_id for _ in range(9)]
    assert Counter(served) == {shop.tenant_id: 3 for shop in shops}
    assert served[:3] == served[3:6] == served[6:]


async def test_no_tenant_exceeds_its_room(bench: Bench):
    shop = await bench.business(plan={"max_inflight": 5})
    await queue_turns(bench, shop, 20)
    assert len(await bench.claim()) == 5
    assert await bench.claim() == []


async def test_workers_that_claim_at_once_do_not_exceed_the_room_together(bench: Bench):
    shops = [await bench.business(plan={"max_inflight": 4}) for _ in range(5)]
    for shop in shops:
        await queue_turns(bench, shop, 60)
    claims = [bench.claim(f"worker:{n % 8}", turns_max=3) for n in range(40)]
    found = [turn for turns in await asyncio.gather(*claims) for turn in turns]
    while late := await bench.claim():
        found += late  # a tenant that was busy with another worker is left to the next claim
    assert len({turn.id for turn in found}) == len(found)
    assert Counter(turn.tenant_id for turn in found) == {shop.tenant_id: 4 for shop in shops}


async def test_many_tenants_without_room_do_not_hide_one_that_has(bench: Bench):
    shop = await bench.business()
    await queue_turns(bench, shop, 1)
    names = ("tenant_id", "channel_id", "contact_id", "conversation_id", "working", "due")
    rows = [{name: ids.uuid7() for name in names} | {"slug": f"full-{n}"} for n in range(80)]
    async with bench.database.db.system() as connection:
        await connection.execute(
            text("insert into plans (code, name, max_inflight) values ('full', 'Full', 1)")
        )
        await connection.execute(_SATURATED, {"rows": as_rows(rows)})
    assert await claimed_by_tenant(bench, 64) == {shop.tenant_id: 1}


async def test_what_a_dead_worker_had_takes_no_room_and_comes_first(bench: Bench):
    shop = await bench.business(plan={"max_inflight": 2})
    for phone in range(15550101, 15550105):
        await bench.write(shop, str(phone), "hello")
    taken = {turn.id for turn in await bench.claim("worker:dead")}
    assert len(taken) == 2
    await bench.age(120)
    assert {turn.id for turn in await bench.claim("worker:2")} == taken


async def test_a_turn_that_is_not_due_is_left_alone(bench: Bench):
    shop = await bench.business(idle_s=30, cap_s=60)
    await bench.write(shop, "15550101", "hello")
    assert await bench.claim() == []


async def test_the_turn_limit_makes_turns_wait_and_loses_none(bench: Bench):
    shop = await bench.business(plan={"turn_per_min": 6, "turn_burst": 1})
    for n in range(3):
        await bench.write(shop, f"1555010{n}", f"question {n}")
    await bench.work()
    assert len(bench.sender.texts()) == 1
    assert sorted(await bench.turn_states(shop)) == ["done", "waiting", "waiting"]
    waits = await bench.column(
        "select extract(epoch from due_at - now())::float8 from turns where state = 'waiting'"
    )
    assert all(5 < wait <= 20 for wait in waits)
    assert set((await bench.dispositions(shop)).values()) == {"answered", None}


async def test_a_limited_tenant_does_not_hold_up_others(bench: Bench):
    limited = await bench.business(plan={"turn_per_min": 1, "turn_burst": 1})
    other = await bench.business()
    for n in range(3):
        await bench.write(limited, f"1555010{n}", f"question {n}")
    await bench.write(other, "15550109", "mine")
    await bench.work()
    assert "mine" in bench.sender.texts()
