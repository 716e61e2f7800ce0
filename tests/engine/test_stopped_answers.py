"""An answer under way to somebody who is not to be answered any more: it is not said."""

import pytest

from app.messaging.sends.delivering import deliver
from app.messaging.turns.generating import generate
from tests.engine.bench import Bench
from tests.engine.ports import says

pytestmark = pytest.mark.anyio
PHONE = "15550101"
OFF = "insert into tenant_conduct (tenant_id, mode) select id, 'off' from tenants"
STOPS = {
    "suspended": "update tenants set status = 'suspended'",
    "blocked": "update contacts set blocked_at = now()",
    "opted_out": "update contacts set opted_out_at = now()",
    "paused": OFF,
}


@pytest.mark.parametrize("stop", STOPS)
@pytest.mark.parametrize("when", ["while the model thinks", "while it waits to be sent"])
async def test_what_was_stopped_meanwhile_is_not_sent(bench: Bench, stop: str, when: str):
    shop = await bench.business()
    await bench.write(shop, PHONE, "hello")
    (turn,) = await bench.claim()
    if when == "while the model thinks":
        bench.answerer.script = [lambda: bench.execute(STOPS[stop])]
        await bench.run([turn])
        assert bench.sender.gestures == []
    else:
        parts = await generate(bench.engine(), turn)
        await bench.execute(STOPS[stop])
        await deliver(bench.engine(), turn, parts)
    assert bench.sender.calls == []
    assert await bench.dispositions(shop) == {"hello": stop}
    assert await bench.turn_states(shop) == ["cancelled"]
    assert await bench.balance(shop) == (100, 0, 0)


@pytest.mark.parametrize("stop", STOPS)
async def test_what_was_stopped_in_the_middle_is_not_said_to_its_end(bench: Bench, stop: str):
    shop = await bench.business()
    bench.answerer.script = [says("Hi!", "We are open.", "Till six.")]
    await bench.write(shop, PHONE, "hello")
    (turn,) = await bench.claim()
    first, *others = await generate(bench.engine(), turn)
    await deliver(bench.engine(), turn, [first])
    await bench.execute(STOPS[stop])
    await deliver(bench.engine(), turn, others)
    assert bench.sender.texts() == ["Hi!"]
    assert await bench.part_states(shop) == ["accepted", "failed", "failed"]
    assert await bench.turn_states(shop) == ["done"]
    assert await bench.dispositions(shop) == {"hello": "answered"}
    assert await bench.balance(shop) == (99, 0, 1)


async def test_a_pause_of_the_conversation_stops_what_waits_to_be_sent(bench: Bench):
    shop = await bench.business()
    bench.sender.refuse(422)
    await bench.write(shop, PHONE, "hello")
    await bench.work()
    await bench.execute("update conversations set paused_until = now() + interval '1 hour'")
    await bench.age(30)
    await bench.work()
    assert bench.sender.texts() == []
    assert await bench.dispositions(shop) == {"hello": "paused"}
    assert await bench.balance(shop) == (100, 0, 0)


async def test_words_of_a_hand_over_are_no_answer_of_the_assistant(bench: Bench):
    shop = await bench.business()
    bench.answerer.script = [says("A colleague will help you.", handover="customer_request")]
    await bench.write(shop, PHONE, "a person, please")
    (turn,) = await bench.claim()
    parts = await generate(bench.engine(), turn)
    await bench.execute(OFF)
    await deliver(bench.engine(), turn, parts)
    assert bench.sender.texts() == ["A colleague will help you."]
