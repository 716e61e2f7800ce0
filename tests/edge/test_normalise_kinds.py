"""Every kind of event, from every engine, comes to its one end."""

import asyncio

import pytest

from tests.fixtures import cases
from tests.fixtures.waha import CUSTOMER, CUSTOMER_LID, ENGINES, encode
from tests.worlds import Api, Shop, World

pytestmark = pytest.mark.anyio
MIB = 1 << 20


@pytest.mark.parametrize("engine", ENGINES)
async def test_each_kind_has_its_outcome(world: World, api: Api, engine: str) -> None:
    chosen = [case for case in cases.every() if case.engine == engine]
    shops = [await world.open_shop() for _ in chosen]
    pairs = list(zip(chosen, shops, strict=True))
    await asyncio.gather(*(api.accept(shop, case.body(shop.session)) for case, shop in pairs))
    await world.drain()
    found = {str(case): await world.outcomes(shop) for case, shop in pairs}
    assert found == {str(case): [case.outcome] for case in chosen}
    for case, shop in pairs:
        messages = await world.messages(shop)
        ignored = case.outcome.startswith("ignored_kind:") or case.outcome == "processed"
        assert len(messages) == (0 if ignored else 1), case
        assert len(await world.turns(shop)) == (case.outcome == "turn"), case
        await world.assert_whole(shop)


async def test_the_channel_learns_what_it_runs_on(world: World, api: Api, shop: Shop) -> None:
    await api.accept(shop, shop.waha("GOWS").session_status("WORKING"))
    await world.drain()
    row = await world.one("select * from channels where id = $1", shop.channel_id)
    assert (row["engine"], row["engine_version"], row["status"]) == ("GOWS", "2026.7.1", "WORKING")
    assert row["own_address"] == "493019990000@c.us"
    assert row["status_at"] is not None
    await api.accept(shop, shop.waha("GOWS").session_status("DREAMING"))
    await world.drain()
    row = await world.one("select * from channels where id = $1", shop.channel_id)
    assert row["status"] == "DREAMING"


async def test_message_and_message_any_are_one(world: World, api: Api, shop: Shop) -> None:
    waha = shop.waha("WEBJS")
    first = waha.message(wa_id="3EB0AA")
    again = waha.message(wa_id="3EB0AA", event="message.any")
    await api.accept(shop, first, again)
    await world.drain()
    await api.accept(shop, waha.message(wa_id="3EB0AA", event="message.any"))
    await world.drain()
    assert await world.outcomes(shop) == ["turn", "duplicate", "duplicate"]
    assert len(await world.messages(shop)) == 1
    (turn,) = await world.turns(shop)
    assert turn["message_count"] == 1


@pytest.mark.parametrize("together", [True, False])
async def test_two_spellings_of_one_message_are_one(
    world: World, api: Api, shop: Shop, together: bool
) -> None:
    waha = shop.waha("GOWS")
    by_lid = waha.message(chat=CUSTOMER_LID, alternate=CUSTOMER, wa_id="3EB0AB")
    await api.accept(shop, by_lid)
    if not together:
        await world.drain()
    await api.accept(shop, waha.message(chat=CUSTOMER, wa_id="3EB0AB"))
    await world.drain()
    assert await world.outcomes(shop) == ["turn", "duplicate"]
    assert len(await world.messages(shop)) == len(await world.conversations(shop)) == 1


async def test_the_same_id_in_both_directions_is_two_messages(
    world: World, api: Api, shop: Shop
) -> None:
    waha = shop.waha()
    await api.accept(shop, waha.message(wa_id="3EB0AC"), waha.owner_writes(wa_id="3EB0AC"))
    await world.drain()
    assert [m["direction"] for m in await world.messages(shop)] == ["in", "out"]


async def test_the_message_is_kept_as_it_was_sent(world: World, api: Api, shop: Shop) -> None:
    waha = shop.waha()
    sent_s = waha.timestamp_s() - 60
    quoted = {"id": "3EB0QQ"}
    body = waha.message("Größe 🥐", sent_s=sent_s, replyTo=quoted, push_name="Ada")
    await api.accept(shop, body)
    await world.drain()
    (row,) = await world.messages(shop)
    assert (row["direction"], row["author"], row["kind"]) == ("in", "customer", "text")
    assert (row["body"], row["reply_to"]) == ("Größe 🥐", "3EB0QQ")
    assert int(row["sent_at"].timestamp()) == sent_s
    key = await world.one("select request_id from inbox where channel_id = $1", shop.channel_id)
    assert row["request_id"] == key["request_id"]
    contact = await world.one("select * from contacts where tenant_id = $1", shop.tenant_id)
    assert contact["push_name"] == "Ada"


async def test_a_large_body_is_cut_not_refused(world: World, api: Api, shop: Shop) -> None:
    body = shop.waha().message("x" * (MIB - 4_000))
    assert len(encode(body)) < MIB
    await api.accept(shop, body)
    await world.drain()
    (row,) = await world.messages(shop)
    assert len(row["body"]) == 65_536


async def test_a_row_that_cannot_be_normalised_is_set_aside_alone(
    world: World, api: Api, shop: Shop
) -> None:
    await world.run(
        "alter table messages add constraint no_poison check (body <> 'poison') not valid"
    )
    try:
        waha = shop.waha()
        texts = ["one", "two", "poison", "three"]
        await api.accept(shop, *(waha.message(text) for text in texts))
        calls = await world.drain()
    finally:
        await world.run("alter table messages drop constraint no_poison")
    assert calls == 5
    assert await world.outcomes(shop) == ["turn", "turn", "failed", "turn"]
    assert sorted(m["body"] for m in await world.messages(shop)) == ["one", "three", "two"]
    await world.assert_whole(shop)
