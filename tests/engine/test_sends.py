"""Handing a reply to WhatsApp where it honours our ids: resent freely, shown once."""

import pytest

from tests.engine.bench import Bench, about
from tests.engine.ports import ProcessGone, says, waha_refuses

pytestmark = pytest.mark.anyio
PHONE = "15550101"


async def client_ids(bench: Bench) -> set[str | None]:
    return {client_id for _, _, client_id in bench.sender.calls}


async def test_the_first_try_carries_the_stored_id(bench: Bench):
    shop = await bench.business()
    await bench.write(shop, PHONE, "hello")
    await bench.work()
    stored = await bench.column("select client_message_id from send_parts")
    assert await client_ids(bench) == set(stored)
    assert await bench.column("select wa_id from messages where direction = 'out'") == stored


@pytest.mark.parametrize("status", [500, 502, 504])
async def test_a_lost_answer_is_resent_with_the_same_id_and_shown_once(bench: Bench, status: int):
    shop = await bench.business()
    bench.sender.lose(status, status)
    await bench.write(shop, PHONE, "hello")
    await bench.work_on(step_s=16, steps=3)
    assert len(bench.sender.calls) == 3
    assert len(await client_ids(bench)) == 1
    assert bench.sender.texts() == ["hello"]
    assert await bench.part_states(shop) == ["accepted"]
    assert await bench.balance(shop) == (99, 0, 1)


async def test_a_resend_comes_within_thirty_seconds(bench: Bench):
    shop = await bench.business()
    bench.sender.lose(*[500] * 10)
    await bench.write(shop, PHONE, "hello")
    waits = []
    for _ in range(8):
        await bench.work()
        waits += await bench.column("select extract(epoch from lease_until - now()) from turns")
        await bench.age(16)
    assert about(waits, [1, 2, 4, 8, 15, 15, 15, 15])


@pytest.mark.parametrize("status", [422])
async def test_a_session_that_does_not_work_is_tried_again(bench: Bench, status: int):
    shop = await bench.business()
    bench.sender.refuse(*[status] * 6)
    await bench.write(shop, PHONE, "hello")
    await bench.work_on(step_s=16, steps=8)
    assert bench.sender.texts() == ["hello"]
    assert await bench.balance(shop) == (99, 0, 1)


async def test_a_reply_that_became_too_old_is_not_sent(bench: Bench):
    shop = await bench.business()
    bench.sender.refuse(*[422] * 50)
    await bench.write(shop, PHONE, "hello")
    for _ in range(4):
        await bench.work()
        await bench.age(1500)
    await bench.work()
    assert bench.sender.texts() == []
    assert await bench.part_states(shop) == ["failed"]
    assert await bench.dispositions(shop) == {"hello": "failed_handed_off"}
    assert await bench.balance(shop) == (100, 0, 0)


@pytest.mark.parametrize("status", [400, 404, 413])
async def test_a_definite_refusal_fails_and_costs_nothing(bench: Bench, status: int):
    shop = await bench.business()
    bench.sender.refuse(status)
    await bench.write(shop, PHONE, "hello")
    await bench.work_on(steps=2)
    assert len(bench.sender.calls) == 1
    assert await bench.part_states(shop) == ["failed"]
    assert await bench.turn_states(shop) == ["failed"]
    assert await bench.owner_of(shop) == [("open", "tool_failure")]
    assert await bench.dispositions(shop) == {"hello": "failed_handed_off"}
    assert await bench.balance(shop) == (100, 0, 0)


async def test_a_refusal_after_a_lost_answer_does_not_deny_the_first_try(bench: Bench):
    shop = await bench.business()
    bench.sender.lose(500)
    await bench.write(shop, PHONE, "hello")
    await bench.work()
    bench.sender.refuse(400)
    await bench.age(5)
    await bench.work()
    assert await bench.turn_states(shop) == ["sending"]
    await bench.echo(shop, bench.sender.phone[0])
    await bench.work()
    assert await bench.dispositions(shop) == {"hello": "answered"}
    assert await bench.balance(shop) == (99, 0, 1)


async def test_refusals_behind_a_lost_answer_end_in_doubt(bench: Bench):
    shop = await bench.business()
    bench.sender.lose(500)
    await bench.write(shop, PHONE, "hello")
    await bench.work()
    for wait_s in (5, 91):
        bench.sender.refuse(400)
        await bench.age(wait_s)
        await bench.work()
    assert len(bench.sender.calls) == 3
    assert await bench.part_states(shop) == ["unknown"]
    assert await bench.dispositions(shop) == {"hello": "send_unknown"}
    assert await bench.balance(shop) == (99, 1, 0)


async def test_a_session_that_breaks_after_a_lost_answer_keeps_the_part_open(bench: Bench):
    shop = await bench.business()
    bench.sender.lose(500)
    await bench.write(shop, PHONE, "hello")
    await bench.work()
    bench.sender.refuse(422)
    await bench.age(5)
    await bench.work()
    assert await bench.part_states(shop) == ["sending"]
    await bench.owner_types(shop, PHONE, "I am here too")
    await bench.age(5)
    await bench.work()
    assert bench.sender.texts() == ["hello"]
    assert await bench.balance(shop) == (99, 0, 1)


async def test_an_engine_that_stopped_honouring_ids_is_not_sent_to_again(bench: Bench):
    shop = await bench.business()
    bench.sender.lose(500)
    await bench.write(shop, PHONE, "hello")
    await bench.work()
    bench.sender.honours = False
    await bench.age(5)
    await bench.work()
    assert bench.sender.texts() == ["hello"]
    assert await bench.part_states(shop) == ["sending"]


async def test_an_echo_settles_a_lost_answer_without_a_resend(bench: Bench):
    shop = await bench.business()
    bench.sender.lose(500)
    await bench.write(shop, PHONE, "hello")
    await bench.work()
    await bench.echo(shop, bench.sender.phone[0])
    await bench.work()
    assert len(bench.sender.calls) == 1
    assert await bench.column("select resolved_by from send_parts") == ["echo"]
    assert await bench.balance(shop) == (99, 0, 1)


async def test_ticks_only_move_forward(bench: Bench):
    shop = await bench.business()
    await bench.write(shop, PHONE, "hello")
    await bench.work()
    seen = []
    for level in (1, 2, 3, 2, 1):
        await bench.ack(shop, bench.sender.phone[0], level)
        seen += await bench.part_states(shop)
    assert seen == ["sent", "delivered", "read", "read", "read"]
    assert await bench.balance(shop) == (99, 0, 1)


async def test_a_reply_that_was_not_delivered_is_refunded_once(bench: Bench):
    shop = await bench.business()
    await bench.write(shop, PHONE, "hello")
    await bench.work()
    for _ in range(2):
        await bench.ack(shop, bench.sender.phone[0], -1)
    assert await bench.part_states(shop) == ["failed"]
    assert await bench.balance(shop) == (100, 0, 0)


async def test_an_error_after_delivery_is_not_refunded(bench: Bench):
    shop = await bench.business()
    await bench.write(shop, PHONE, "hello")
    await bench.work()
    for level in (2, -1):
        await bench.ack(shop, bench.sender.phone[0], level)
    assert await bench.part_states(shop) == ["delivered"]
    assert await bench.balance(shop) == (99, 0, 1)


async def test_after_seven_days_nothing_is_refunded(bench: Bench):
    shop = await bench.business()
    await bench.write(shop, PHONE, "hello")
    await bench.work()
    await bench.age(7 * 86400 + 60)
    await bench.ack(shop, bench.sender.phone[0], -1)
    assert await bench.balance(shop) == (99, 0, 1)


async def test_an_error_that_overtakes_the_answer_costs_nothing(bench: Bench):
    shop = await bench.business()
    bench.sender.lose(500)
    await bench.write(shop, PHONE, "hello")
    await bench.work()
    await bench.ack(shop, bench.sender.phone[0], -1)
    await bench.age(5)
    await bench.work()
    assert await bench.part_states(shop) == ["failed"]
    assert await bench.balance(shop) == (100, 0, 0)


async def test_parts_go_out_in_order_and_are_charged_once(bench: Bench):
    shop = await bench.business()
    bench.answerer.script = [says("first", "second", "third")]
    await bench.write(shop, PHONE, "hello")
    await bench.work()
    assert bench.sender.texts() == ["first", "second", "third"]
    assert bench.sender.gestures.count("seen") == 1
    assert await bench.balance(shop) == (99, 0, 1)


async def test_a_crash_between_parts_sends_only_what_is_missing(bench: Bench):
    shop = await bench.business()
    bench.answerer.script = [says("first", "second", "third")]
    await bench.write(shop, PHONE, "hello")
    (turn,) = await bench.claim()
    original = bench.sender.send_text

    async def dies_at_the_second(access, chat, body, client_id):
        if body == "second":
            raise ProcessGone
        return await original(access, chat, body, client_id)

    bench.sender.send_text = dies_at_the_second
    with pytest.raises(ProcessGone):
        await bench.run([turn])
    bench.sender.send_text = original
    assert await bench.part_states(shop) == ["accepted", "sending", "queued"]
    assert await bench.balance(shop) == (99, 1, 0)
    await bench.age(100)
    await bench.work("worker:2")
    assert bench.sender.texts() == ["first", "second", "third"]
    assert await bench.balance(shop) == (99, 0, 1)


async def test_a_part_that_fails_after_another_arrived_charges_the_full_price(bench: Bench):
    shop = await bench.business()
    bench.answerer.script = [says("first", "second", "third")]
    bench.sender.script = [None, waha_refuses(400)]
    await bench.write(shop, PHONE, "hello")
    await bench.work()
    assert bench.sender.texts() == ["first"]
    assert await bench.part_states(shop) == ["accepted", "failed", "failed"]
    assert await bench.dispositions(shop) == {"hello": "answered"}
    assert await bench.balance(shop) == (99, 0, 1)


async def test_people_who_come_between_parts_end_the_reply_there(bench: Bench):
    shop = await bench.business()
    bench.answerer.script = [says("first", "second", "third")]
    bench.sender.script = [None, waha_refuses(422)]
    await bench.write(shop, PHONE, "hello")
    await bench.work()
    await bench.owner_types(shop, PHONE, "Me again")
    await bench.age(5)
    await bench.work("worker:2")
    assert bench.sender.texts() == ["first"]
    assert await bench.part_states(shop) == ["accepted", "failed", "failed"]
    assert await bench.turn_states(shop) == ["done"]
    assert await bench.dispositions(shop) == {"hello": "answered"}
    assert await bench.balance(shop) == (99, 0, 1)


@pytest.mark.parametrize("status", [422, 500])
async def test_what_follows_a_part_that_an_ack_called_failed_is_sent(bench: Bench, status: int):
    shop = await bench.business()
    bench.answerer.script = [says("first", "second", "third")]
    bench.sender.script = [None, waha_refuses(status)]
    await bench.write(shop, PHONE, "hello")
    await bench.work()
    await bench.ack(shop, bench.sender.phone[0], -1)
    assert (await bench.part_states(shop))[0] == "failed"
    await bench.age(35)
    await bench.work("worker:2")
    assert bench.sender.texts() == ["first", "second", "third"]
    assert await bench.turn_states(shop) == ["done"]
    assert await bench.dispositions(shop) == {"hello": "answered"}
    assert await bench.balance(shop) == (99, 0, 1)
