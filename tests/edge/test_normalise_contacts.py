"""One person, two addresses: found out late, joined without loss."""

import pytest

from tests.edge.replies import claim_turn, sending
from tests.fixtures.waha import CUSTOMER, CUSTOMER_LID, OTHER_CUSTOMER, OWN_PHONE
from tests.worlds import Api, Shop, World

pytestmark = pytest.mark.anyio


async def two_strangers(world: World, api: Api, shop: Shop) -> None:
    """The same person has written under both addresses, and nobody knows."""
    waha = shop.waha("GOWS")
    await api.accept(shop, waha.message("by phone", chat=CUSTOMER))
    await world.drain()
    await api.accept(shop, waha.message("by lid", chat=CUSTOMER_LID))
    await world.drain()
    assert len(await world.conversations(shop)) == 2


async def open_ones(world: World, shop: Shop) -> list[dict[str, object]]:
    return [c for c in await world.conversations(shop) if c["state"] != "resolved"]


async def bodies(world: World, shop: Shop) -> list[str]:
    return sorted(m["body"] for m in await world.messages(shop))


async def test_a_stranger_with_a_hint_is_one_contact(world: World, api: Api, shop: Shop) -> None:
    await api.accept(shop, shop.waha("GOWS").message(chat=CUSTOMER_LID, alternate=CUSTOMER))
    await api.accept(shop, shop.waha("WEBJS").message("by phone", chat=CUSTOMER))
    await world.drain()
    assert len(await world.conversations(shop)) == 1
    addresses = await world.column(
        "select address from contact_addresses where tenant_id = $1 order by 1", shop.tenant_id
    )
    assert addresses == sorted([CUSTOMER_LID, CUSTOMER])


async def test_our_own_number_joins_nobody(world: World, api: Api, shop: Shop) -> None:
    waha = shop.waha("GOWS")
    for n, chat in enumerate((CUSTOMER_LID, "270000000000077@lid")):
        mine = waha.message(f"typed {n}", chat=chat, from_me=True, alternate=f"{OWN_PHONE}@c.us")
        await api.accept(shop, mine)
    await world.drain()
    assert len(await open_ones(world, shop)) == 2


@pytest.mark.parametrize(
    ("chat", "alternate"), [(CUSTOMER_LID, CUSTOMER), (CUSTOMER, CUSTOMER_LID)]
)
async def test_two_contacts_become_one(
    world: World, api: Api, shop: Shop, chat: str, alternate: str
) -> None:
    await two_strangers(world, api, shop)
    await api.accept(shop, shop.waha("GOWS").message("both", chat=chat, alternate=alternate))
    await world.drain()
    (conversation,) = await open_ones(world, shop)
    messages = await world.messages(shop)
    assert sorted(m["body"] for m in messages) == ["both", "by lid", "by phone"]
    assert {m["conversation_id"] for m in messages} == {conversation["id"]}
    assert conversation["address"] == chat
    live = [t for t in await world.turns(shop) if t["state"] == "waiting"]
    assert len(live) == 1
    assert {m["turn_id"] for m in messages} == {live[0]["id"]}
    contacts = await world.all(
        "select * from contacts where tenant_id = $1 order by id", shop.tenant_id
    )
    assert [c["merged_into"] for c in contacts] == [None, contacts[0]["id"]]


async def test_merged_in_one_batch(world: World, api: Api, shop: Shop) -> None:
    waha = shop.waha("NOWEB")
    await api.accept(
        shop,
        waha.message("by phone", chat=CUSTOMER),
        waha.message("by lid", chat=CUSTOMER_LID),
        waha.message("both", chat=CUSTOMER_LID, alternate=CUSTOMER),
        waha.message("someone else", chat=OTHER_CUSTOMER),
    )
    await world.drain()
    assert len(await open_ones(world, shop)) == 2
    assert await bodies(world, shop) == ["both", "by lid", "by phone", "someone else"]
    await world.assert_whole(shop)


async def test_the_owners_message_that_joins_them_leaves_nothing_waiting(
    world: World, api: Api, shop: Shop
) -> None:
    await two_strangers(world, api, shop)
    note = shop.waha("GOWS").owner_writes("It is me", chat=CUSTOMER_LID, alternate=CUSTOMER)
    await api.accept(shop, note)
    await world.drain()
    found = [m["disposition"] for m in await world.messages(shop) if m["direction"] == "in"]
    assert found == ["human_owned", "human_owned"]
    assert not [t for t in await world.turns(shop) if t["state"] == "waiting"]
    await world.assert_whole(shop)


async def test_a_message_without_a_turn_joins_them_all_the_same(
    world: World, api: Api, shop: Shop
) -> None:
    await two_strangers(world, api, shop)
    sticker = shop.waha("GOWS").sticker(chat=CUSTOMER_LID, alternate=CUSTOMER)
    await api.accept(shop, sticker)
    await world.drain()
    messages = await world.messages(shop)
    (live,) = [t for t in await world.turns(shop) if t["state"] == "waiting"]
    assert [m["turn_id"] for m in messages if m["disposition"] is None] == [live["id"]] * 2


async def test_a_turn_in_a_workers_hands_is_taken_from_it(
    world: World, api: Api, shop: Shop
) -> None:
    waha = shop.waha("GOWS")
    await api.accept(shop, waha.message(None, chat=CUSTOMER))
    await world.drain()
    await api.accept(shop, waha.message("by lid", chat=CUSTOMER_LID))
    await world.drain()
    turn = await claim_turn(world, shop)
    await api.accept(shop, waha.message("both", chat=CUSTOMER_LID, alternate=CUSTOMER))
    await world.drain()
    old, new = await world.turns(shop)
    assert (old["id"], old["state"]) == (turn.id, "superseded")
    assert (old["lease_owner"], old["lease_epoch"]) == (None, turn.epoch + 1)
    assert new["state"] == "waiting"
    open_messages = [m for m in await world.messages(shop) if m["disposition"] is None]
    assert [m["turn_id"] for m in open_messages] == [new["id"]] * 2


async def test_a_reply_on_its_way_goes_on(world: World, api: Api, shop: Shop) -> None:
    waha = shop.waha("GOWS")
    await api.accept(shop, waha.message(None, chat=CUSTOMER))
    await world.drain()
    await api.accept(shop, waha.message("by lid", chat=CUSTOMER_LID))
    await world.drain()
    await sending(world, shop, "Until six.")
    await api.accept(shop, waha.message("both", chat=CUSTOMER_LID, alternate=CUSTOMER))
    await world.drain()
    states = [t["state"] for t in await world.turns(shop)]
    assert states == ["sending", "waiting"]
    (conversation,) = await open_ones(world, shop)
    messages = await world.messages(shop)
    assert {m["conversation_id"] for m in messages} == {conversation["id"]}
    assert sorted(filter(None, (m["body"] for m in messages))) == ["Until six.", "both", "by lid"]


async def test_people_who_own_one_own_the_joined_one(world: World, api: Api, shop: Shop) -> None:
    await two_strangers(world, api, shop)
    await api.accept(shop, shop.waha().owner_writes(chat=CUSTOMER_LID))
    await world.drain()
    await api.accept(shop, shop.waha("GOWS").message("both", chat=CUSTOMER, alternate=CUSTOMER_LID))
    await world.drain()
    (conversation,) = await open_ones(world, shop)
    assert (conversation["state"], conversation["handover_reason"]) == ("open", "human_takeover")
    assert (await world.outcomes(shop))[-1] == "human_owned"


async def test_who_waited_for_people_is_still_written_about(
    world: World, api: Api, shop: Shop
) -> None:
    await two_strangers(world, api, shop)
    older, newer = [c["id"] for c in await world.conversations(shop)]
    await world.run(
        "update conversations set state = 'open', handover_reason = 'customer_request',"
        " handed_over_at = now(), notify_at = now() where id = $1",
        newer,
    )
    await world.run(
        "insert into conversation_notes (tenant_id, id, conversation_id, user_id, body)"
        " values ($1, $2, $2, $2, 'Prefers mornings')",
        shop.tenant_id,
        newer,
    )
    await api.accept(shop, shop.waha("GOWS").message("both", chat=CUSTOMER, alternate=CUSTOMER_LID))
    await world.drain()
    due = await world.all("select id, state from conversations where notify_at is not null")
    assert [(row["id"], row["state"]) for row in due] == [(older, "open")]
    assert await world.column("select conversation_id from conversation_notes") == [older]


@pytest.mark.parametrize("wish", ["blocked", "opted_out"])
@pytest.mark.parametrize("made_under", [CUSTOMER, CUSTOMER_LID])
async def test_a_wish_holds_for_the_person_not_the_address(
    world: World, api: Api, shop: Shop, wish: str, made_under: str
) -> None:
    await two_strangers(world, api, shop)
    await world.run(
        f"update contacts c set {wish}_at = now() from contact_addresses a"
        " where a.tenant_id = $1 and a.address = $2 and c.id = a.contact_id",
        shop.tenant_id,
        made_under,
    )
    await api.accept(shop, shop.waha("GOWS").message("both", chat=CUSTOMER, alternate=CUSTOMER_LID))
    await world.drain()
    assert (await world.outcomes(shop))[-1] == wish


async def test_the_same_address_at_two_businesses_is_two_contacts(
    world: World, api: Api, shop: Shop
) -> None:
    other = await world.open_shop()
    await two_strangers(world, api, shop)
    await api.accept(
        other, other.waha("GOWS").message("both", chat=CUSTOMER, alternate=CUSTOMER_LID)
    )
    await world.drain()
    assert len(await open_ones(world, shop)) == 2
    assert len(await open_ones(world, other)) == 1


async def test_a_name_is_kept_up_to_date(world: World, api: Api, shop: Shop) -> None:
    waha = shop.waha()
    names = []
    for name in ("Ada", "Ada B.", ""):
        await api.accept(shop, waha.message(push_name=name))
        await world.drain()
        names += await world.column(
            "select push_name from contacts where tenant_id = $1", shop.tenant_id
        )
    assert names == ["Ada", "Ada B.", "Ada B."]
