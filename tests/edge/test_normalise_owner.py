"""Messages of the business's own number: the owner takes over, and an echo does not."""

import pytest

from tests.edge.replies import accepted, claim_turn, part_row, sending
from tests.fixtures.waha import CUSTOMER, CUSTOMER_LID, ENGINES, OTHER_CUSTOMER
from tests.worlds import Api, Shop, World

pytestmark = pytest.mark.anyio
HOUR_S = 3_600


async def conversation_of(world: World, shop: Shop) -> dict[str, object]:
    (found,) = await world.conversations(shop)
    return found


@pytest.mark.parametrize("engine", ENGINES)
async def test_the_owner_takes_over_and_the_waiting_turn_is_cancelled(
    world: World, api: Api, shop: Shop, engine: str
) -> None:
    waha = shop.waha(engine)
    await api.accept(shop, waha.message("Hello?"))
    await world.drain()
    await api.accept(shop, waha.owner_writes("Hi, Tom here"))
    await world.drain()
    (turn,) = await world.turns(shop)
    assert (turn["state"], turn["end_reason"]) == ("cancelled", "human_takeover")
    first, own = await world.messages(shop)
    assert first["disposition"] == "human_owned"
    assert (own["direction"], own["author"], own["body"]) == ("out", "owner", "Hi, Tom here")
    found = await conversation_of(world, shop)
    assert (found["state"], found["handover_reason"]) == ("open", "human_takeover")
    await api.accept(shop, waha.message("Thanks Tom"))
    await world.drain()
    assert await world.outcomes(shop) == ["turn", "human_takeover", "human_owned"]
    await world.assert_whole(shop)


async def test_in_one_batch_too(world: World, api: Api, shop: Shop) -> None:
    waha = shop.waha()
    await api.accept(shop, waha.message("Hello?"), waha.owner_writes("Hi"), waha.message("Ah"))
    await world.drain()
    found = [m["disposition"] for m in await world.messages(shop) if m["direction"] == "in"]
    assert found == ["human_owned", "human_owned"]
    assert {t["state"] for t in await world.turns(shop)} == {"cancelled"}
    await world.assert_whole(shop)


async def test_the_takeover_is_over_after_twelve_hours(world: World, api: Api, shop: Shop) -> None:
    waha = shop.waha()
    await api.accept(shop, waha.owner_writes())
    await world.drain()
    await world.age(11.9 * HOUR_S)
    await api.accept(shop, waha.message("still there?"))
    await world.drain()
    await world.age(0.2 * HOUR_S)
    await api.accept(shop, waha.message("and now?"))
    await world.drain()
    assert await world.outcomes(shop) == ["human_takeover", "human_owned", "turn"]
    found = await conversation_of(world, shop)
    assert (found["state"], found["handover_reason"], found["human_until"]) == (
        "pending",
        None,
        None,
    )
    await world.assert_whole(shop)


async def test_each_message_of_a_person_arms_it_again(world: World, api: Api, shop: Shop) -> None:
    waha = shop.waha()
    await api.accept(shop, waha.owner_writes("one"))
    await world.drain()
    await world.age(8 * HOUR_S)
    await api.accept(shop, waha.owner_writes("two"))
    await world.drain()
    await world.age(8 * HOUR_S)
    await api.accept(shop, waha.message("?"))
    await world.drain()
    assert (await world.outcomes(shop))[-1] == "human_owned"


async def test_it_counts_from_when_the_owner_wrote(world: World, api: Api, shop: Shop) -> None:
    waha = shop.waha()
    await api.accept(shop, waha.owner_writes(sent_s=waha.timestamp_s() - 11 * HOUR_S))
    await world.drain()
    until = (await conversation_of(world, shop))["human_until"]
    left = await world.one("select extract(epoch from $1::timestamptz - now()) as s", until)
    assert float(left["s"]) == pytest.approx(HOUR_S, abs=60)


async def test_an_old_own_message_takes_nothing_over(world: World, api: Api, shop: Shop) -> None:
    waha = shop.waha()
    await api.accept(shop, waha.message())
    await world.drain()
    await api.accept(shop, waha.owner_writes(sent_s=waha.timestamp_s() - 13 * HOUR_S))
    await world.drain()
    assert [t["state"] for t in await world.turns(shop)] == ["waiting"]
    assert (await conversation_of(world, shop))["state"] == "pending"


async def test_another_customers_turn_goes_on(world: World, api: Api, shop: Shop) -> None:
    waha = shop.waha()
    await api.accept(shop, waha.message(), waha.message(chat=OTHER_CUSTOMER))
    await world.drain()
    await api.accept(shop, waha.owner_writes(chat=CUSTOMER))
    await world.drain()
    assert sorted(t["state"] for t in await world.turns(shop)) == ["cancelled", "waiting"]


async def test_a_turn_in_a_workers_hands_is_cancelled_until_it_sends(
    world: World, api: Api, shop: Shop
) -> None:
    waha = shop.waha()
    await api.accept(shop, waha.message())
    await world.drain()
    await claim_turn(world, shop)
    await api.accept(shop, waha.owner_writes())
    await world.drain()
    assert [t["state"] for t in await world.turns(shop)] == ["cancelled"]
    other = await world.open_shop()
    await api.accept(other, other.waha().message())
    await world.drain()
    await sending(world, other, "Until six.")
    await api.accept(other, other.waha().owner_writes("Until seven!"))
    await world.drain()
    assert [t["state"] for t in await world.turns(other)] == ["sending"]
    assert (await conversation_of(world, other))["state"] == "open"


async def test_a_name_typed_by_the_owner_is_not_the_customers(
    world: World, api: Api, shop: Shop
) -> None:
    await api.accept(shop, shop.waha().owner_writes(push_name="Harbour Bakery"))
    await world.drain()
    row = await world.one("select push_name from contacts where tenant_id = $1", shop.tenant_id)
    assert row["push_name"] is None


@pytest.mark.parametrize("engine", ["NOWEB", "GOWS"])
@pytest.mark.parametrize("source", ["api", "app"])
async def test_an_echo_with_our_id(
    world: World, api: Api, shop: Shop, engine: str, source: str
) -> None:
    waha = shop.waha(engine)
    await api.accept(shop, waha.message())
    await world.drain()
    part = await sending(world, shop, "Until six.")
    echo = waha.owner_writes("Until six.", wa_id=part.client_id, source=source)
    await api.accept(shop, echo)
    await world.drain()
    assert await world.outcomes(shop) == ["turn", "echo"]
    row = await part_row(world, part)
    assert (row["wa_id"], row["resolved_by"]) == (part.client_id, "echo")
    assert (await conversation_of(world, shop))["state"] == "pending"


@pytest.mark.parametrize("source", ["api", "app"])
async def test_an_echo_after_the_answer_is_known_by_the_id_it_told(
    world: World, api: Api, shop: Shop, source: str
) -> None:
    waha = shop.waha("WEBJS")
    await api.accept(shop, waha.message())
    await world.drain()
    await accepted(world, shop, "Until six.", wa_id="3EB0WEB1")
    await api.accept(shop, waha.owner_writes("Until six.", wa_id="3EB0WEB1", source=source))
    await world.drain()
    assert await world.outcomes(shop) == ["turn", "echo"]
    assert (await conversation_of(world, shop))["handover_reason"] is None


@pytest.mark.parametrize("source", ["api", "app"])
async def test_an_echo_before_the_answer_is_known_by_its_text(
    world: World, api: Api, shop: Shop, source: str
) -> None:
    # WEBJS chooses the id, shows the message before it answers, and may then still say "app".
    waha = shop.waha("WEBJS")
    await api.accept(shop, waha.message())
    await world.drain()
    part = await sending(world, shop, "Until six.")
    await api.accept(shop, waha.owner_writes("Until six.", wa_id="3EB0WEB2", source=source))
    await world.drain()
    assert await world.outcomes(shop) == ["turn", "echo"]
    assert (await part_row(world, part))["wa_id"] == "3EB0WEB2"
    assert (await conversation_of(world, shop))["state"] == "pending"


async def test_the_same_text_to_someone_else_is_no_echo(world: World, api: Api, shop: Shop) -> None:
    waha = shop.waha("WEBJS")
    await api.accept(shop, waha.message())
    await world.drain()
    await sending(world, shop, "Until six.")
    await api.accept(shop, waha.owner_writes("Until six.", chat=OTHER_CUSTOMER, source="api"))
    await world.drain()
    assert (await world.outcomes(shop))[-1] == "human_takeover"


async def test_a_person_who_sends_a_doubtful_reply_again_takes_over(
    world: World, api: Api, shop: Shop
) -> None:
    waha = shop.waha("WEBJS")
    await api.accept(shop, waha.message())
    await world.drain()
    part = await sending(world, shop, "Until six.", state="unknown")
    await api.accept(shop, waha.owner_writes("Until six.", source="app"))
    await world.drain()
    assert (await world.outcomes(shop))[-1] == "human_takeover"
    assert (await part_row(world, part))["state"] == "unknown"


async def test_an_echo_settles_a_doubtful_reply(world: World, api: Api, shop: Shop) -> None:
    waha = shop.waha("WEBJS")
    await api.accept(shop, waha.message())
    await world.drain()
    part = await sending(world, shop, "Until six.", state="unknown")
    await api.accept(shop, waha.owner_writes("Until six.", wa_id="3EB0WEB3", source="api"))
    await world.drain()
    row = await part_row(world, part)
    assert (row["state"], row["wa_id"], row["resolved_by"]) == ("accepted", "3EB0WEB3", "echo")


async def test_an_echo_under_the_other_address(world: World, api: Api, shop: Shop) -> None:
    waha = shop.waha("GOWS")
    await api.accept(shop, waha.message(chat=CUSTOMER_LID, alternate=CUSTOMER))
    await world.drain()
    part = await sending(world, shop, "Until six.")
    await api.accept(shop, waha.owner_writes("Until six.", chat=CUSTOMER, wa_id=part.client_id))
    await world.drain()
    assert await world.outcomes(shop) == ["turn", "echo"]
