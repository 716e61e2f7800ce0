"""Messages that were changed or taken back by whoever wrote them."""

import asyncio
from typing import Any

import pytest

from app.messaging.ingest import overtaking
from app.messaging.ingest.normalise import drain_once
from tests.edge.replies import accepted, claim_turn
from tests.fixtures.waha import ENGINES
from tests.worlds import Api, Shop, World, eventually

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("engine", ENGINES)
async def test_an_edit_before_the_turn_is_claimed_counts(
    world: World, api: Api, shop: Shop, engine: str
) -> None:
    waha = shop.waha(engine)
    await api.accept(shop, waha.message("two loafs", wa_id="3EB0E1"))
    await world.drain()
    await api.accept(shop, waha.edited("3EB0E1", "two loaves"))
    await world.drain()
    (row,) = await world.messages(shop)
    assert row["body"] == "two loaves"
    assert row["edited_at"] is not None
    assert len(await world.turns(shop)) == 1


async def test_an_edit_in_the_same_batch_counts(world: World, api: Api, shop: Shop) -> None:
    waha = shop.waha()
    await api.accept(shop, waha.message("a", wa_id="3EB0E2"), waha.edited("3EB0E2", "b"))
    await world.drain()
    assert [m["body"] for m in await world.messages(shop)] == ["b"]


async def test_of_edits_in_one_batch_the_last_counts(world: World, api: Api, shop: Shop) -> None:
    waha = shop.waha()
    await api.accept(shop, waha.message("0", wa_id="3EB0E6"))
    for n in range(1, 6):
        await api.accept(shop, waha.edited("3EB0E6", str(n)))
    await world.drain()
    assert [m["body"] for m in await world.messages(shop)] == ["5"]


async def test_an_edit_after_the_claim_does_not(world: World, api: Api, shop: Shop) -> None:
    waha = shop.waha()
    await api.accept(shop, waha.message("two loafs", wa_id="3EB0E3"))
    await world.drain()
    await claim_turn(world, shop)
    await api.accept(shop, waha.edited("3EB0E3", "twenty loaves"))
    await world.drain()
    (row,) = await world.messages(shop)
    assert (row["body"], row["edited_at"]) == ("two loafs", None)


async def test_an_own_edit_changes_the_own_message(world: World, api: Api, shop: Shop) -> None:
    waha = shop.waha()
    await api.accept(shop, waha.message("hello", wa_id="3EB0E4"))
    await api.accept(shop, waha.owner_writes("untill six", wa_id="3EB0E5"))
    await world.drain()
    await api.accept(shop, waha.edited("3EB0E5", "until six", from_me=True))
    await api.accept(shop, waha.edited("3EB0E4", "not mine to change", from_me=True))
    await world.drain()
    assert sorted(m["body"] for m in await world.messages(shop)) == ["hello", "until six"]


async def test_a_revoked_message_is_marked_and_kept(world: World, api: Api, shop: Shop) -> None:
    waha = shop.waha("WEBJS")
    await api.accept(shop, waha.message("forget it", wa_id="3EB0R1"))
    await world.drain()
    await api.accept(shop, waha.revoked("3EB0R1"))
    await world.drain()
    (row,) = await world.messages(shop)
    assert row["body"] == "forget it"
    assert row["revoked_at"] is not None
    await api.accept(shop, waha.revoked("3EB0R1"))
    await world.drain()
    (again,) = await world.messages(shop)
    assert again["revoked_at"] == row["revoked_at"]
    await world.assert_whole(shop)


async def test_a_reply_revoked_on_the_phone_is_marked(world: World, api: Api, shop: Shop) -> None:
    waha = shop.waha()
    await api.accept(shop, waha.message())
    await world.drain()
    await accepted(world, shop, "Until six.", wa_id="3EB0R2")
    await api.accept(shop, waha.revoked("3EB0R2", from_me=True))
    await world.drain()
    (reply,) = [m for m in await world.messages(shop) if m["direction"] == "out"]
    assert reply["revoked_at"] is not None


async def test_another_number_changes_nothing(world: World, api: Api, shop: Shop) -> None:
    await api.accept(shop, shop.waha().message("mine", wa_id="3EB0N1"))
    stranger = await world.open_shop()
    await api.accept(
        stranger, stranger.waha().edited("3EB0N1", "yours"), stranger.waha().revoked("3EB0N1")
    )
    await world.drain()
    (row,) = await world.messages(shop)
    assert (row["body"], row["revoked_at"]) == ("mine", None)


@pytest.mark.parametrize("together", [True, False])
async def test_a_change_that_overtook_its_message_counts(
    world: World, api: Api, shop: Shop, *, together: bool
) -> None:
    waha = shop.waha()
    await api.accept(shop, waha.edited("3EB0B1", "one loaf"), waha.revoked("3EB0B2"))
    await world.drain()
    await api.accept(shop, waha.edited("3EB0B1", "two loaves"))
    if not together:
        await world.drain()
    await api.accept(shop, waha.message("two loafs", wa_id="3EB0B1"))
    await api.accept(shop, waha.message("forget it", wa_id="3EB0B2"))
    await world.drain()
    found = {m["wa_id"]: m for m in await world.messages(shop)}
    assert found["3EB0B1"]["body"] == "two loaves"
    assert found["3EB0B1"]["edited_at"] is not None
    assert found["3EB0B2"]["revoked_at"] is not None
    await world.assert_whole(shop)


@pytest.mark.parametrize("first", ["message", "change"])
async def test_a_change_and_its_message_at_the_same_moment(
    world: World, api: Api, shop: Shop, monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    """Two workers have them; the first one's transaction is still open when the second comes."""
    waha = shop.waha()
    await api.accept(shop, waha.message("hello", wa_id="3EB0S0"))
    await world.drain()  # what is new of the number itself is known: nobody waits for its row
    step = "find" if first == "message" else "keep"
    original = getattr(overtaking, step)
    paused, go_on = asyncio.Event(), asyncio.Event()

    async def pausing(*given: Any) -> Any:
        found = await original(*given)
        if not paused.is_set():
            paused.set()
            await go_on.wait()
        return found

    monkeypatch.setattr(overtaking, step, pausing)
    bodies = [waha.message("two loafs", wa_id="3EB0S1"), waha.edited("3EB0S1", "two loaves")]
    workers = []
    for body in bodies if first == "message" else reversed(bodies):
        await api.accept(shop, body)
        workers.append(asyncio.create_task(drain_once(world.db, world.settings)))
        await asyncio.wait_for(paused.wait(), 30)

    async def second_waits_or_is_done() -> bool:
        waiting = (
            "select 1 from pg_stat_activity"
            " where datname = current_database() and wait_event_type = 'Lock'"
        )
        return workers[1].done() or bool(await world.column(waiting))

    await eventually(second_waits_or_is_done, "the second worker's turn")
    go_on.set()
    await asyncio.gather(*workers)
    assert {m["body"] for m in await world.messages(shop)} == {"hello", "two loaves"}
    await world.assert_whole(shop)
