"""A model that fails: asked again for two minutes, then people; a customer never sees an error."""

import asyncio

import pytest

from app.core.errors import ProviderError
from tests.engine.bench import Bench, about
from tests.engine.ports import model_down

pytestmark = pytest.mark.anyio
PHONE = "15550101"


async def test_a_failed_call_is_repeated_and_charged_once(bench: Bench):
    shop = await bench.business()
    bench.answerer.script = [model_down(), model_down()]
    await bench.write(shop, PHONE, "hello")
    await bench.work_on(step_s=10, steps=3)
    assert len(bench.answerer.asked) == 3
    assert bench.sender.texts() == ["hello"]
    assert await bench.balance(shop) == (99, 0, 1)


async def test_the_turn_waits_between_the_calls(bench: Bench):
    shop = await bench.business()
    bench.with_timings(retry_base_s=2)
    bench.answerer.script = [model_down()] * 3
    await bench.write(shop, PHONE, "hello")
    waits = []
    for _ in range(3):
        await bench.work()
        waits += await bench.column("select extract(epoch from lease_until - now()) from turns")
        await bench.age(20)
    assert about(waits, [2, 4, 8])
    assert await bench.column("select lease_owner from turns") == [None]


async def test_a_retry_after_of_the_model_is_honoured(bench: Bench):
    shop = await bench.business()
    bench.answerer.script = [model_down(retry_after_s=40.0)]
    await bench.write(shop, PHONE, "hello")
    await bench.work()
    await bench.age(35)
    assert await bench.work() == 0
    await bench.age(6)
    await bench.work()
    assert bench.sender.texts() == ["hello"]


async def test_people_take_over_after_two_minutes(bench: Bench):
    shop = await bench.business()
    bench.answerer.script = [model_down()] * 50
    await bench.write(shop, PHONE, "hello")
    await bench.work_on()
    assert bench.sender.calls == []
    assert await bench.turn_states(shop) == ["failed"]
    assert await bench.owner_of(shop) == [("open", "tool_failure")]
    assert await bench.dispositions(shop) == {"hello": "failed_handed_off"}
    assert await bench.balance(shop) == (100, 0, 0)
    assert 4 <= len(bench.answerer.asked) <= 12


async def test_the_customer_hears_the_business_own_words_then(bench: Bench):
    shop = await bench.business(handover_text="A colleague will get back to you.")
    bench.answerer.script = [model_down()] * 50
    await bench.write(shop, PHONE, "hello")
    await bench.work_on()
    assert bench.sender.texts() == ["A colleague will get back to you."]
    assert await bench.turn_states(shop) == ["failed"]
    assert await bench.dispositions(shop) == {"hello": "failed_handed_off"}
    assert await bench.balance(shop) == (100, 0, 0)


async def test_who_has_left_meanwhile_hears_nothing_of_it(bench: Bench):
    shop = await bench.business(handover_text="A colleague will get back to you.")

    async def leave() -> None:
        await bench.write(shop, PHONE, "STOP")
        raise model_down()

    bench.answerer.script = [model_down(), leave]
    await bench.write(shop, PHONE, "hello")
    await bench.work()
    await bench.age(200)
    await bench.work()
    assert await bench.dispositions(shop) == {"hello": "opted_out", "STOP": "opted_out"}
    assert "A colleague will get back to you." not in bench.sender.texts()
    assert await bench.owner_of(shop) == [("pending", None)]
    assert await bench.balance(shop) == (100, 0, 0)


async def test_a_wrong_key_that_is_mended_in_time_costs_no_answer(bench: Bench):
    shop = await bench.business()
    refused = ProviderError("llm", "answered 401", status_code=401, retryable=False)
    bench.answerer.script = [refused]
    await bench.write(shop, PHONE, "hello")
    await bench.work_on()
    assert len(bench.answerer.asked) == 2
    assert await bench.turn_states(shop) == ["done"]


async def test_a_defect_of_ours_is_retried_and_then_given_up(bench: Bench):
    shop = await bench.business(handover_text="A colleague will get back to you.")
    bench.answerer.script = [ValueError("broken")] * 50
    await bench.write(shop, PHONE, "hello")
    await bench.work_on(step_s=70)
    assert len(bench.answerer.asked) == 8
    assert bench.sender.texts() == ["A colleague will get back to you."]
    assert await bench.turn_states(shop) == ["failed"]
    assert await bench.balance(shop) == (100, 0, 0)


async def test_words_for_giving_up_are_due_at_once(bench: Bench):
    shop = await bench.business(handover_text="A colleague will get back to you.")
    bench.answerer.script = [ValueError("broken")] * 8
    await bench.write(shop, PHONE, "hello")
    for _ in range(8):
        await bench.work()
        await bench.age(70)
    bench.answerer.script = []
    assert len(bench.answerer.asked) == 8
    assert bench.sender.texts() == ["A colleague will get back to you."]


async def test_the_next_message_after_a_failure_belongs_to_people(bench: Bench):
    shop = await bench.business()
    bench.answerer.script = [ProviderError("llm", "answered 401", retryable=False)] * 50
    await bench.write(shop, PHONE, "hello")
    await bench.work_on()
    bench.answerer.script = []
    await bench.write(shop, PHONE, "anyone?")
    await bench.work()
    assert bench.sender.calls == []
    assert (await bench.dispositions(shop))["anyone?"] == "human_owned"


async def test_one_tenants_failing_model_calls_do_not_stop_another(bench: Bench):
    failing, fine = await bench.business(), await bench.business()
    asked, answered = asyncio.Event(), asyncio.Event()

    async def fails_when_the_other_is_done() -> None:
        asked.set()
        await answered.wait()
        raise model_down()

    bench.answerer.script = [fails_when_the_other_is_done]
    await bench.write(failing, PHONE, "one")
    stuck = asyncio.create_task(bench.run(await bench.claim()))
    await asked.wait()
    await bench.write(fine, PHONE, "two")
    await bench.work()
    assert bench.sender.texts() == ["two"]
    answered.set()
    await stuck
    assert await bench.turn_states(failing) == ["held"]
