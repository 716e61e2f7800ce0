"""Replies whose workers were away for longer than the business answers at all: nothing is sent."""

import pytest

from app.messaging.desk.delivering import DeskDelivery
from app.messaging.sends.delivering import deliver
from app.messaging.turns.generating import generate
from tests.engine.bench import Bench, Business
from tests.engine.ports import says, waha_refuses
from tests.engine.test_desk_sends import Counter

pytestmark = pytest.mark.anyio
PHONE = "15550101"
LONG_S = 2 * 3600.0


async def queued(bench: Bench, *bubbles: str) -> Business:
    """A business whose worker died right behind a reply's commit."""
    shop = await bench.business()
    await bench.write(shop, PHONE, "hello")
    bench.answerer.script = [says(*bubbles)]
    (turn,) = await bench.claim()
    assert len(await generate(bench.engine(), turn)) == len(bubbles)
    return shop


async def test_a_reply_that_nobody_began_to_send_ends_as_too_old(bench: Bench):
    shop = await queued(bench, "Hi!", "We are open.")
    await bench.age(LONG_S)
    await bench.work()
    assert bench.sender.calls == []
    assert bench.sender.gestures == []
    assert await bench.dispositions(shop) == {"hello": "too_old"}
    assert await bench.turn_states(shop) == ["cancelled"]
    assert await bench.balance(shop) == (100, 0, 0)
    assert await bench.column("select count(*) from messages where direction = 'out'") == [0]
    assert await bench.owner_of(shop) == [("pending", None)]
    await bench.write(shop, PHONE, "still there?")
    await bench.work()
    assert [s.text for s in bench.sender.phone] == ["still there?"]


async def test_a_young_message_is_answered_with_the_old_one_that_it_joined(bench: Bench):
    shop = await bench.business()
    await bench.write(shop, PHONE, "nobody works")
    await bench.age(LONG_S)
    await bench.write(shop, PHONE, "until now")
    await bench.work()
    assert bench.sender.texts() == ["nobody works + until now"]
    assert await bench.balance(shop) == (99, 0, 1)


async def test_a_stale_worker_does_not_end_it(bench: Bench):
    shop = await queued(bench, "Hi!")
    await bench.age(LONG_S)
    (stale,) = await bench.claim(lease_s=10)
    await bench.age(11)
    (second,) = await bench.claim("worker:test:2")
    await bench.run([stale])
    assert await bench.turn_states(shop) == ["generated"]
    await bench.run([second], "worker:test:2")
    assert await bench.turn_states(shop) == ["cancelled"]


async def test_the_rest_of_a_reply_is_not_said_hours_later(bench: Bench):
    shop = await queued(bench, "Hi!", "We are open.")
    bench.sender.script = [None, waha_refuses(422)]
    await bench.age(61)
    (turn,) = await bench.claim()
    await deliver(bench.engine(), turn)
    await bench.age(LONG_S)
    await bench.work()
    assert bench.sender.texts() == ["Hi!"]
    assert await bench.part_states(shop) == ["accepted", "failed"]
    assert await bench.dispositions(shop) == {"hello": "answered"}
    assert await bench.balance(shop) == (99, 0, 1)


async def test_what_was_tried_is_not_tried_again_hours_later(bench: Bench):
    """Our id would be honoured, but the words would come out of nowhere; its ack may yet come."""
    shop = await queued(bench, "Hi!")
    bench.sender.lose(500)
    await bench.age(61)
    await bench.work()
    await bench.age(LONG_S)
    await bench.work()
    assert len(bench.sender.calls) == 1
    assert await bench.part_states(shop) == ["unknown"]
    assert await bench.dispositions(shop) == {"hello": "send_unknown"}
    await bench.ack(shop, bench.sender.phone[0], 1)
    assert await bench.dispositions(shop) == {"hello": "answered"}
    assert await bench.balance(shop) == (99, 0, 1)


async def test_a_number_whose_key_cannot_be_read_holds_nothing_up_for_ever(bench: Bench):
    shop = await queued(bench, "Hi!")
    desk = Counter(bench, await bench.business())
    await bench.write(desk.shop, PHONE, "a person, please")
    await desk.say("One moment")
    await bench.execute("update channels set api_url = 'https://waha.example', api_key = 'lost'")
    await bench.age(61)
    await bench.work()
    assert await bench.turn_states(shop) == ["generated"]
    await bench.age(LONG_S)
    await bench.work()
    assert await bench.turn_states(shop) == ["cancelled"]
    delivery = DeskDelivery(bench.engine())
    for claimed in await delivery.claim(sends_max=8):
        await delivery.deliver(claimed)
    assert await bench.part_states(desk.shop) == ["failed"]
    assert await bench.column("select open from desk_sends") == [False]
