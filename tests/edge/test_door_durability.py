"""200 means stored, once; 503 means send it again."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import pytest

from app.cli.local.ports import free_port
from tests.edge.postgres_link import PostgresLink, linked
from tests.fixtures.waha import encode
from tests.worlds import Api, Shop, World, eventually, open_api, statuses

pytestmark = pytest.mark.anyio
SHARED = "/api/webhooks/whatsapp"


@pytest.fixture
def link(world: World) -> Iterator[PostgresLink]:
    with linked(world.settings.database_url) as link:
        yield link


async def test_the_same_delivery_three_times(world: World, api: Api, shop: Shop) -> None:
    raw = encode(shop.waha().message())
    answers = [await api.deliver(shop, raw) for _ in range(3)]
    assert statuses(answers) == [200] * 3
    assert [a.json()["status"] for a in answers] == ["accepted", "duplicate", "duplicate"]
    stored = await world.all("select body from inbox where channel_id = $1", shop.channel_id)
    assert [row["body"] for row in stored] == [raw]
    await world.drain()
    assert len(await world.messages(shop)) == 1
    again = await api.deliver(shop, raw)
    assert again.json()["status"] == "duplicate"
    await world.drain()
    assert len(await world.turns(shop)) == 1


async def test_fifty_deliveries_at_once(world: World, api: Api, shop: Shop) -> None:
    raw = encode(shop.waha().message())
    answers = await asyncio.gather(*(api.deliver(shop, raw) for _ in range(50)))
    assert statuses(answers) == [200] * 50
    assert [a.json()["status"] for a in answers].count("accepted") == 1
    assert len(await world.outcomes(shop)) == 1
    assert await world.column(
        "select count(*) from inbox where channel_id = $1", shop.channel_id
    ) == [1]


async def test_a_body_without_id_is_known_by_its_bytes(world: World, api: Api, shop: Shop) -> None:
    body = shop.waha().message()
    del body["id"]
    for _ in range(2):
        await api.accept(shop, body)
    await api.accept(shop, {**body, "timestamp": 1})
    assert len(await world.outcomes(shop)) == 2


async def test_the_same_id_under_two_events_is_two_events(
    world: World, api: Api, shop: Shop
) -> None:
    body = shop.waha().message()
    await api.accept(shop, body, {**body, "event": "message.any"}, body)
    assert len(await world.outcomes(shop)) == 2


async def test_one_event_at_both_doors_is_one_event(world: World, api: Api, shop: Shop) -> None:
    raw = encode(shop.waha().message())
    shared = await api.post(SHARED, raw, secret=world.settings.waha_webhook_secret)
    own = await api.deliver(shop, raw)
    assert [shared.json()["status"], own.json()["status"]] == ["accepted", "duplicate"]
    assert len(await world.outcomes(shop)) == 1


async def test_the_same_body_of_two_numbers_is_two_events(world: World, api: Api) -> None:
    first, second = await world.open_shop(), await world.open_shop()
    body = first.waha().message()
    await api.accept(first, body)
    await api.accept(second, {**body, "session": second.session})
    await world.drain()
    assert [len(await world.messages(s)) for s in (first, second)] == [1, 1]


async def test_what_is_stored_is_what_was_signed(world: World, api: Api, shop: Shop) -> None:
    raw = b' {"event" : "message","x":"\\ud800\\u0000","n":1.0, "n":2, "payload":{} }\r\n'
    response = await api.post(shop.path, raw, secret=shop.secret)
    row = await world.one("select * from inbox where channel_id = $1", shop.channel_id)
    assert bytes(row["body"]) == raw
    assert row["tenant_id"] == shop.tenant_id
    assert row["request_id"] == response.headers["x-request-id"]


async def test_without_a_database_nothing_is_acknowledged(world: World, shop: Shop) -> None:
    nowhere = f"postgresql://nobody:x@127.0.0.1:{free_port()}/nothing"
    settings = replace(world.settings, database_url=nowhere, database_system_url=nowhere)
    before = await world.snapshot()
    async with open_api(settings) as api:
        raw = encode(shop.waha().message())
        secret = settings.waha_webhook_secret
        answers = [await api.deliver(shop, raw), await api.post(SHARED, raw, secret=secret)]
    assert statuses(answers) == [503, 503]
    assert all(int(a.headers["retry-after"]) >= 1 for a in answers)
    assert {a.json()["code"] for a in answers} == {"unavailable"}
    assert await world.snapshot() == before


async def test_a_database_that_goes_and_comes_back(
    world: World, shop: Shop, link: PostgresLink
) -> None:
    settings = replace(
        world.settings,
        database_url=link.through(world.settings.database_url),
        database_system_url=link.through(world.settings.database_system_url),
    )
    bodies = [encode(shop.waha().message(f"number {n}")) for n in range(10)]
    async with open_api(settings) as api:
        assert (await api.deliver(shop, shop.waha().message())).status_code == 200
        link.cut()
        away = await asyncio.gather(*(api.deliver(shop, raw) for raw in bodies))
        assert statuses(away) == [503] * 10
        assert all(int(a.headers["retry-after"]) >= 1 for a in away)
        assert len(await world.outcomes(shop)) == 1
        link.mend()

        async def taken() -> bool:
            return set(statuses([await api.deliver(shop, raw) for raw in bodies])) == {200}

        await eventually(taken, "the retries' success")
    stored = await world.column("select body from inbox where channel_id = $1", shop.channel_id)
    assert set(bodies) <= set(stored)
    assert len(stored) == 11


async def test_a_row_that_cannot_be_stored_fails_alone(world: World, api: Api, shop: Shop) -> None:
    await world.run(
        "alter table inbox add constraint no_poison check (event <> 'poison') not valid"
    )
    try:
        waha = shop.waha()
        events = [waha.message(f"number {n}") for n in range(20)]
        events[7] = waha.emit("poison", {})
        answers = await asyncio.gather(*(api.deliver(shop, event) for event in events))
    finally:
        await world.run("alter table inbox drop constraint no_poison")
    expected = [200] * 20
    expected[7] = 503
    assert statuses(answers) == expected
    assert len(await world.outcomes(shop)) == 19
    assert (await api.deliver(shop, events[7])).status_code == 200
