"""A conversation's turns: waiting, joining, superseding, and who owns the conversation."""

import pytest

from app.messaging.turns.ending import SUPERSEDES_MAX
from tests.engine.bench import Bench
from tests.engine.ports import says

pytestmark = pytest.mark.anyio
PHONE = "15550101"


async def test_a_message_is_answered_and_charged_once(bench: Bench):
    shop = await bench.business()
    await bench.write(shop, PHONE, "Are you open?")
    await bench.work()
    assert bench.sender.texts() == ["Are you open?"]
    assert bench.sender.gestures == ["seen", "typing"]
    assert await bench.turn_states(shop) == ["done"]
    assert await bench.dispositions(shop) == {"Are you open?": "answered"}
    assert await bench.balance(shop) == (99, 0, 1)


async def test_a_burst_is_answered_once(bench: Bench):
    shop = await bench.business(idle_s=20, cap_s=60)
    await bench.write(shop, PHONE, "Hi", "are you", "open?")
    assert await bench.work() == 0
    await bench.age(21)
    assert await bench.work() == 1
    assert bench.sender.texts() == ["Hi + are you + open?"]
    assert await bench.dispositions(shop) == {
        "Hi": "merged",
        "are you": "merged",
        "open?": "answered",
    }
    assert await bench.balance(shop) == (99, 0, 1)


async def test_all_that_was_written_while_nobody_could_answer_is_read(bench: Bench):
    shop = await bench.business()
    await bench.write(shop, PHONE, "Before")
    await bench.work()
    written = [f"Message {number}" for number in range(90)]
    await bench.write(shop, PHONE, *written)
    await bench.work()
    assert bench.answerer.texts(bench.answerer.asked[-1]) == written
    said = [m.text for m in bench.answerer.asked[-1].history if not m.unanswered]
    assert said == ["Before", "Before"]


async def test_each_message_moves_the_due_time_up_to_the_cap(bench: Bench):
    shop = await bench.business(idle_s=10, cap_s=25)
    dues = []
    for n in range(4):
        await bench.write(shop, PHONE, f"word {n}")
        dues += await bench.column("select extract(epoch from due_at - first_at) from turns")
        await bench.age(8)
    first, second, third, fourth = map(float, dues)
    assert (first, third, fourth) == (10, 25, 25)
    assert 18 <= second <= 25
    assert await bench.turn_states(shop) == ["waiting"]


async def test_the_batch_limit_closes_the_waiting_window(bench: Bench):
    shop = await bench.business(idle_s=50, cap_s=60)
    await bench.execute("update tenants set batch_messages_max = 3")
    await bench.write(shop, PHONE, "1", "2", "3")
    assert await bench.work() == 1
    assert bench.sender.texts() == ["1 + 2 + 3"]


async def test_a_newer_message_supersedes_the_reply_under_way(bench: Bench):
    shop = await bench.business()

    async def customer_goes_on() -> None:
        await bench.write(shop, PHONE, "on Sunday")

    bench.answerer.script = [customer_goes_on]
    await bench.write(shop, PHONE, "Are you open")
    await bench.work()
    assert bench.sender.texts() == ["Are you open + on Sunday"]
    assert await bench.turn_states(shop) == ["superseded", "done"]
    assert await bench.dispositions(shop) == {"Are you open": "merged", "on Sunday": "answered"}
    assert await bench.balance(shop) == (99, 0, 1)


async def test_a_customer_who_never_stops_is_answered_all_the_same(bench: Bench):
    shop = await bench.business()
    written = 0

    async def customer_goes_on() -> None:
        nonlocal written
        written += 1
        await bench.write(shop, PHONE, f"and {written}")

    bench.answerer.script = [customer_goes_on] * (SUPERSEDES_MAX + 1)
    await bench.write(shop, PHONE, "first")
    await bench.work()
    assert bench.sender.texts()[0] == "first + and 1 + and 2 + and 3"
    assert bench.sender.texts()[1:] == ["and 4"]
    states = await bench.turn_states(shop)
    assert states == ["superseded"] * SUPERSEDES_MAX + ["done", "done"]
    assert await bench.balance(shop) == (98, 0, 2)


async def test_the_next_turn_opens_when_one_ends(bench: Bench):
    shop = await bench.business()
    await bench.write(shop, PHONE, "one")
    turns = await bench.claim()
    await bench.write(shop, PHONE, "two")
    assert await bench.turn_states(shop) == ["claimed"]
    await bench.run(turns)
    assert await bench.turn_states(shop) == ["superseded", "waiting"]
    await bench.work()
    assert bench.sender.texts() == ["one + two"]


async def test_a_message_during_the_send_gets_a_turn_of_its_own(bench: Bench):
    shop = await bench.business()
    bench.sender.refuse(422)
    await bench.write(shop, PHONE, "one")
    await bench.work()
    await bench.write(shop, PHONE, "two")
    assert await bench.turn_states(shop) == ["sending"]
    await bench.age(5)
    await bench.work()
    assert bench.sender.texts() == ["one", "two"]
    assert await bench.turn_states(shop) == ["done", "done"]
    assert await bench.balance(shop) == (98, 0, 2)


async def test_people_who_answer_while_the_model_thinks_win(bench: Bench):
    shop = await bench.business()

    async def owner_is_faster() -> None:
        await bench.owner_types(shop, PHONE, "Yes, until six!")

    bench.answerer.script = [owner_is_faster]
    await bench.write(shop, PHONE, "Are you open?")
    await bench.work()
    assert bench.sender.calls == []
    assert await bench.turn_states(shop) == ["cancelled"]
    assert await bench.dispositions(shop) == {"Are you open?": "human_owned"}
    assert await bench.balance(shop) == (100, 0, 0)


async def test_people_who_answer_before_the_send_win(bench: Bench):
    shop = await bench.business()
    bench.sender.refuse(422)
    await bench.write(shop, PHONE, "Are you open?")
    await bench.work()
    await bench.owner_types(shop, PHONE, "Yes, until six!")
    await bench.age(5)
    await bench.work()
    assert bench.sender.texts() == []
    assert await bench.dispositions(shop) == {"Are you open?": "human_owned"}
    assert await bench.balance(shop) == (100, 0, 0)


async def test_an_own_phone_message_keeps_the_assistant_silent_for_twelve_hours(bench: Bench):
    shop = await bench.business()
    await bench.owner_types(shop, PHONE, "Hello from the shop")
    await bench.write(shop, PHONE, "Thanks")
    await bench.age(11 * 3600)
    await bench.write(shop, PHONE, "Still there?")
    await bench.work()
    assert bench.sender.calls == []
    assert set((await bench.dispositions(shop)).values()) == {"human_owned"}
    await bench.age(3700)
    await bench.write(shop, PHONE, "And now?")
    await bench.work()
    assert bench.sender.texts() == ["And now?"]


async def test_a_handover_is_said_and_costs_nothing(bench: Bench):
    shop = await bench.business()
    bench.answerer.script = [says("A colleague will write.", handover="customer_request")]
    await bench.write(shop, PHONE, "A person please")
    await bench.work()
    assert bench.sender.texts() == ["A colleague will write."]
    assert await bench.owner_of(shop) == [("open", "customer_request")]
    assert await bench.dispositions(shop) == {"A person please": "handed_off"}
    assert await bench.balance(shop) == (100, 0, 0)


async def test_a_silent_handover_uses_the_business_own_words(bench: Bench):
    shop = await bench.business(handover_text="We will be with you soon.")
    bench.answerer.script = [says(handover="missing_knowledge")]
    await bench.write(shop, PHONE, "Do you repair watches?")
    await bench.work()
    assert bench.sender.texts() == ["We will be with you soon."]
    assert await bench.turn_states(shop) == ["done"]


async def test_a_silent_handover_without_words_sends_nothing(bench: Bench):
    shop = await bench.business()
    bench.answerer.script = [says(handover="missing_knowledge")]
    await bench.write(shop, PHONE, "Do you repair watches?")
    await bench.work()
    assert bench.sender.calls == []
    assert await bench.dispositions(shop) == {"Do you repair watches?": "handed_off"}
    assert await bench.balance(shop) == (100, 0, 0)
