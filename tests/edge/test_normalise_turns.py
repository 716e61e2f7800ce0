"""Who gets a turn, when it is due, and why a message gets none."""

import asyncio

import pytest

from tests.edge.replies import claim_turn
from tests.fixtures.waha import CUSTOMER, OTHER_CUSTOMER
from tests.worlds import Api, Shop, World

pytestmark = pytest.mark.anyio
IDLE_S, CAP_S, MEDIA_WAIT_S = 20.0, 50.0, 30.0


@pytest.fixture
async def patient(world: World) -> Shop:
    """A business that waits for the end of a burst."""
    return await world.open_shop(idle_s=IDLE_S, cap_s=CAP_S)


async def dispositions(world: World, shop: Shop) -> list[str | None]:
    return [m["disposition"] for m in await world.messages(shop) if m["direction"] == "in"]


async def test_one_batch_is_one_turn(world: World, api: Api, patient: Shop) -> None:
    waha = patient.waha()
    await api.accept(patient, *(waha.message(f"{n}") for n in range(5)))
    await world.drain()
    (turn,) = await world.turns(patient)
    assert (turn["state"], turn["message_count"]) == ("waiting", 5)
    assert turn["due_s"] == pytest.approx(IDLE_S, abs=0.01)
    last = (await world.messages(patient))[-1]
    assert turn["request_id"] == last["request_id"]
    await world.assert_whole(patient)


async def test_each_message_moves_the_due_time_up_to_the_cap(
    world: World, api: Api, patient: Shop
) -> None:
    waha = patient.waha()
    await api.accept(patient, waha.message())
    await world.drain()
    expected = [IDLE_S]
    for elapsed in (15, 30, 45):
        await world.age(15)
        await api.accept(patient, waha.message())
        await world.drain()
        expected.append(min(elapsed + IDLE_S, CAP_S))
        (turn,) = await world.turns(patient)
        assert turn["due_s"] == pytest.approx(expected[-1], abs=2)
    assert turn["due_s"] == pytest.approx(CAP_S, abs=0.01)
    assert turn["message_count"] == 4
    await world.assert_whole(patient)


async def test_the_message_count_ends_the_waiting(world: World, api: Api, patient: Shop) -> None:
    await world.run("update tenants set batch_messages_max = 3 where id = $1", patient.tenant_id)
    waha = patient.waha()
    await api.accept(patient, waha.message(), waha.message())
    await world.drain()
    (turn,) = await world.turns(patient)
    assert turn["due_s"] == pytest.approx(IDLE_S, abs=0.01)
    await api.accept(patient, waha.message())
    await world.drain()
    (turn,) = await world.turns(patient)
    assert turn["due_s"] == pytest.approx(turn["age_s"], abs=2)
    await api.accept(patient, waha.message())
    await world.drain()
    (again,) = await world.turns(patient)
    assert again["due_at"] == turn["due_at"]
    assert again["message_count"] == 4


async def test_a_whole_burst_at_once_is_due_at_once(world: World, api: Api, patient: Shop) -> None:
    waha = patient.waha()
    await asyncio.gather(*(api.accept(patient, waha.message(f"{n}")) for n in range(20)))
    await world.drain()
    (turn,) = await world.turns(patient)
    assert (turn["message_count"], turn["due_s"]) == (20, 0)


async def test_two_customers_have_two_turns(world: World, api: Api, patient: Shop) -> None:
    waha = patient.waha()
    await api.accept(patient, waha.message(), waha.message(chat=OTHER_CUSTOMER))
    await world.drain()
    assert [t["message_count"] for t in await world.turns(patient)] == [1, 1]


async def test_typing_lets_a_turn_wait_up_to_the_cap(world: World, api: Api, patient: Shop) -> None:
    waha = patient.waha()
    await api.accept(patient, waha.message())
    await world.drain()
    await world.age(10)
    await api.accept(patient, waha.presence("paused"))
    await world.drain()
    assert (await world.turns(patient))[0]["due_s"] == pytest.approx(IDLE_S, abs=0.01)
    await api.accept(patient, waha.presence("typing"))
    await world.drain()
    assert (await world.turns(patient))[0]["due_s"] == pytest.approx(10 + IDLE_S, abs=2)
    await world.age(35)
    await api.accept(patient, waha.presence("recording"))
    await world.drain()
    assert (await world.turns(patient))[0]["due_s"] == pytest.approx(CAP_S, abs=0.01)


async def test_a_file_is_waited_for_up_to_the_cap(world: World, api: Api, patient: Shop) -> None:
    waha = patient.waha()
    await api.accept(patient, waha.media())
    await world.drain()
    assert (await world.turns(patient))[0]["due_s"] == pytest.approx(2 * IDLE_S, abs=2)
    await api.accept(patient, waha.message("This one, please."))
    await world.drain()
    assert (await world.turns(patient))[0]["due_s"] == pytest.approx(MEDIA_WAIT_S, abs=2)
    await world.age(CAP_S - IDLE_S)
    await api.accept(patient, waha.media())
    await world.drain()
    assert (await world.turns(patient))[0]["due_s"] == pytest.approx(CAP_S, abs=2)


async def test_a_claimed_turn_is_not_joined(world: World, api: Api, patient: Shop) -> None:
    waha = patient.waha()
    await api.accept(patient, waha.message("first"))
    await world.drain()
    turn = await claim_turn(world, patient)
    await api.accept(patient, waha.message("second"))
    await world.drain()
    assert await world.outcomes(patient) == ["turn", "turn"]
    first, second = await world.messages(patient)
    assert (first["turn_id"], second["turn_id"]) == (turn.id, None)
    assert len(await world.turns(patient)) == 1


async def test_too_old_to_be_answered(world: World, api: Api, shop: Shop) -> None:
    waha = shop.waha()
    now_s = waha.timestamp_s()
    await api.accept(
        shop,
        waha.message("old", sent_s=now_s - 3_660),
        waha.message("recent", sent_s=now_s - 3_500),
    )
    await world.drain()
    assert await world.outcomes(shop) == ["too_old", "turn"]
    await world.assert_whole(shop)
    strict = await world.open_shop()
    await world.run("update tenants set answer_max_age_s = 60 where id = $1", strict.tenant_id)
    await api.accept(strict, strict.waha().message(sent_s=now_s - 300))
    await world.drain()
    assert await world.outcomes(strict) == ["too_old"]


async def test_without_credit_people_are_asked(world: World, api: Api) -> None:
    shop = await world.open_shop(balance=0)
    waha = shop.waha()
    await api.accept(shop, waha.message("anyone there?"), waha.message("hello?"))
    await world.drain()
    assert await dispositions(world, shop) == ["no_credit", "no_credit"]
    (conversation,) = await world.conversations(shop)
    assert (conversation["state"], conversation["handover_reason"]) == ("open", "no_credit")
    assert await world.turns(shop) == []
    # A top-up answers what comes after it, never what came before.
    await world.top_up(shop, 5)
    await api.accept(shop, waha.message("and now?"))
    await world.drain()
    assert await dispositions(world, shop) == ["no_credit", "no_credit", None]
    (conversation,) = await world.conversations(shop)
    assert (conversation["state"], conversation["handover_reason"]) == ("pending", None)
    assert len(await world.turns(shop)) == 1
    await world.assert_whole(shop)


async def test_one_tenants_empty_wallet_is_not_anothers(world: World, api: Api, shop: Shop) -> None:
    poor = await world.open_shop(balance=0)
    await api.accept(poor, poor.waha().message())
    await api.accept(shop, shop.waha().message())
    await world.drain()
    assert [await world.outcomes(s) for s in (poor, shop)] == [["no_credit"], ["turn"]]


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        ("update tenants set status = 'suspended' where id = $1", "suspended"),
        ("update contacts set blocked_at = now() where tenant_id = $1", "blocked"),
        ("update contacts set opted_out_at = now() where tenant_id = $1", "opted_out"),
        ("update conversations set state = 'open' where tenant_id = $1", "human_owned"),
        (
            "update conversations set paused_until = now() + '1 hour' where tenant_id = $1",
            "paused",
        ),
        ("update conversations set paused_until = now() where tenant_id = $1", "turn"),
        ("update conversations set state = 'resolved' where tenant_id = $1", "turn"),
    ],
)
async def test_what_decides_about_the_next_message(
    world: World, api: Api, shop: Shop, change: str, outcome: str
) -> None:
    waha = shop.waha()
    await api.accept(shop, waha.message(None))
    await world.drain()
    await world.run(change, shop.tenant_id)
    await api.accept(shop, waha.message("and now?"))
    await world.drain()
    assert await world.outcomes(shop) == ["empty", outcome]
    assert len(await world.messages(shop)) == 2
    await world.assert_whole(shop)


async def test_a_resolved_conversation_is_followed_by_another(
    world: World, api: Api, shop: Shop
) -> None:
    waha = shop.waha()
    await api.accept(shop, waha.message(None, chat=CUSTOMER))
    await world.drain()
    await world.run(
        "update conversations set state = 'resolved' where tenant_id = $1", shop.tenant_id
    )
    await api.accept(shop, waha.message("me again", chat=CUSTOMER))
    await world.drain()
    states = [c["state"] for c in await world.conversations(shop)]
    assert states == ["resolved", "pending"]
    assert len(await world.all("select 1 from contacts where tenant_id = $1", shop.tenant_id)) == 1
