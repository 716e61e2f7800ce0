"""Acks move a reply forward, in whatever order they come."""

from itertools import permutations

import pytest

from tests.edge.replies import Part, accepted, part_row, sending
from tests.fixtures.waha import CUSTOMER, CUSTOMER_LID
from tests.worlds import Api, Shop, World

pytestmark = pytest.mark.anyio
STATES = {0: "accepted", 1: "sent", 2: "delivered", 3: "read", 4: "read"}


async def answered(world: World, api: Api, shop: Shop, wa_id: str) -> Part:
    await api.accept(shop, shop.waha().message())
    await world.drain()
    return await accepted(world, shop, "Until six.", wa_id=wa_id)


@pytest.mark.parametrize("order", list(permutations((1, 2, 3))), ids=str)
async def test_levels_only_grow(world: World, api: Api, shop: Shop, order: tuple[int, ...]) -> None:
    part = await answered(world, api, shop, f"3EB0{shop.session[5:].upper()}")
    row = await part_row(world, part)
    for n, level in enumerate(order, 1):
        await api.accept(shop, shop.waha().ack(row["wa_id"], level))
        await world.drain()
        highest = max(order[:n])
        now = await part_row(world, part)
        assert (now["ack"], now["state"]) == (highest, STATES[highest])


@pytest.mark.parametrize("order", [(1, 2, 3, 4), (4, 3, 2, 1), (2, 2, 0, 1)], ids=str)
async def test_in_one_batch_the_highest_counts(
    world: World, api: Api, shop: Shop, order: tuple[int, ...]
) -> None:
    part = await answered(world, api, shop, f"3EB0{shop.session[5:].upper()}")
    row = await part_row(world, part)
    await api.accept(shop, *(shop.waha().ack(row["wa_id"], level) for level in order))
    await world.drain()
    assert (await part_row(world, part))["state"] == STATES[max(order)]


@pytest.mark.parametrize(
    ("order", "state"),
    [
        ((-1,), "failed"),
        ((1, -1), "failed"),
        ((-1, 1), "failed"),
        ((2, -1), "delivered"),
        ((-1, 2), "delivered"),
        ((-1, -1), "failed"),
    ],
    ids=str,
)
async def test_an_error_counts_until_a_device_has_it(
    world: World, api: Api, shop: Shop, order: tuple[int, ...], state: str
) -> None:
    part = await answered(world, api, shop, f"3EB0{shop.session[5:].upper()}")
    row = await part_row(world, part)
    for level in order:
        await api.accept(shop, shop.waha().ack(row["wa_id"], level))
        await world.drain()
    assert (await part_row(world, part))["state"] == state


async def test_what_i_read_elsewhere_is_no_delivery(world: World, api: Api, shop: Shop) -> None:
    part = await answered(world, api, shop, "3EB0THEIRS")
    await api.accept(shop, shop.waha().ack("3EB0THEIRS", 3, from_me=False))
    await world.drain()
    assert (await part_row(world, part))["state"] == "accepted"


async def test_an_ack_under_the_other_address(world: World, api: Api, shop: Shop) -> None:
    part = await answered(world, api, shop, "3EB0LID")
    await api.accept(shop, shop.waha("GOWS").ack("3EB0LID", 2, chat=CUSTOMER_LID))
    await world.drain()
    assert (await part_row(world, part))["state"] == "delivered"


async def test_an_ack_before_the_answer_is_kept_for_it(world: World, api: Api, shop: Shop) -> None:
    await api.accept(shop, shop.waha().message())
    await world.drain()
    part = await sending(world, shop, "Until six.")
    await api.accept(shop, shop.waha().ack(part.client_id, 2))
    await world.drain()
    row = await part_row(world, part)
    assert (row["state"], row["ack"], row["wa_id"]) == ("sending", 2, part.client_id)


async def test_an_ack_settles_a_doubtful_reply(world: World, api: Api, shop: Shop) -> None:
    await api.accept(shop, shop.waha().message())
    await world.drain()
    part = await sending(world, shop, "Until six.", state="unknown")
    await api.accept(shop, shop.waha().ack(part.client_id, 1))
    await world.drain()
    row = await part_row(world, part)
    assert (row["state"], row["resolved_by"]) == ("sent", "ack")


async def test_another_numbers_ack_changes_nothing(world: World, api: Api, shop: Shop) -> None:
    part = await answered(world, api, shop, "3EB0MINE")
    stranger = await world.open_shop()
    await api.accept(stranger, stranger.waha().ack("3EB0MINE", 3, chat=CUSTOMER))
    await api.accept(stranger, stranger.waha().ack(part.client_id, 3, chat=CUSTOMER))
    await world.drain()
    assert (await part_row(world, part))["state"] == "accepted"
