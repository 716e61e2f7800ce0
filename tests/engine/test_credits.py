"""Credits along a turn: held before the model is asked, charged once, refused at zero."""

import pytest

from tests.engine.bench import Bench

pytestmark = pytest.mark.anyio
PHONE = "15550101"


async def test_the_hold_stands_while_the_model_thinks(bench: Bench):
    shop = await bench.business(credits_=3)
    seen = []

    async def look() -> None:
        seen.append(await bench.balance(shop))

    bench.answerer.script = [look]
    await bench.write(shop, PHONE, "hello")
    await bench.work()
    assert seen == [(2, 1, 0)]
    assert await bench.balance(shop) == (2, 0, 1)


async def test_the_charge_names_its_price_usage_and_request(bench: Bench):
    shop = await bench.business()
    await bench.write(shop, PHONE, "hello")
    await bench.work()
    (hold,) = await bench.rows("select * from credit_holds")
    (turn,) = await bench.rows("select * from turns")
    assert (hold.state, hold.captured_ucr, hold.job_id) == ("captured", 1_000_000, turn.id)
    assert hold.price_version_id == 1
    assert hold.usage == {"model": "test-model", "input_tokens": 10, "output_tokens": 5}
    assert hold.request_id == turn.request_id
    (message,) = await bench.rows("select * from messages where direction = 'in'")
    assert message.request_id == turn.request_id
    assert await bench.column("select request_id from sends") == [turn.request_id]


async def test_without_credits_the_message_is_kept_and_people_take_over(bench: Bench):
    shop = await bench.business(credits_=0)
    await bench.write(shop, PHONE, "hello")
    await bench.work()
    assert bench.answerer.asked == []
    assert bench.sender.calls == []
    assert await bench.dispositions(shop) == {"hello": "no_credit"}
    assert await bench.owner_of(shop) == [("open", "no_credit")]
    assert await bench.turn_states(shop) == []


async def test_credits_gone_between_guard_and_hold_cost_no_model_call(bench: Bench):
    shop = await bench.business(credits_=1)
    for n in range(2):
        await bench.write(shop, f"1555010{n}", f"question {n}")
    await bench.work()
    assert len(bench.answerer.asked) == 1
    assert sorted(await bench.turn_states(shop)) == ["cancelled", "done"]
    assert sorted((await bench.dispositions(shop)).values()) == ["answered", "no_credit"]
    assert await bench.balance(shop) == (0, 0, 1)


async def test_thirty_turns_at_once_on_one_credit_ask_the_model_once(bench: Bench):
    shop = await bench.business(credits_=1)
    for n in range(30):
        await bench.write(shop, f"155501{n:02d}", f"question {n}")
    turns = await bench.claim()
    assert len(turns) == 30
    await bench.run(turns)
    assert len(bench.answerer.asked) == 1
    assert len(bench.sender.texts()) == 1
    assert sorted(await bench.turn_states(shop)) == ["cancelled"] * 29 + ["done"]
    assert await bench.balance(shop) == (0, 0, 1)


async def test_a_top_up_answers_new_messages_and_no_old_ones(bench: Bench):
    shop = await bench.business(credits_=0)
    await bench.write(shop, PHONE, "old")
    await bench.grant(shop.tenant_id, 1)
    await bench.work()
    assert bench.sender.calls == []
    await bench.write(shop, PHONE, "new")
    await bench.work()
    assert bench.sender.texts() == ["new"]
    assert await bench.dispositions(shop) == {"old": "no_credit", "new": "answered"}


async def test_one_tenant_without_credits_does_not_spend_anothers(bench: Bench):
    poor, rich = await bench.business(credits_=0), await bench.business(credits_=5)
    await bench.write(poor, PHONE, "from poor")
    await bench.write(rich, PHONE, "from rich")
    await bench.work()
    assert bench.sender.texts() == ["from rich"]
    assert await bench.balance(poor) == (0, 0, 0)
    assert await bench.balance(rich) == (4, 0, 1)


async def test_a_hold_whose_turn_is_gone_is_released_by_the_sweep(bench: Bench):
    shop = await bench.business(credits_=3)
    await bench.write(shop, PHONE, "hello")

    async def turn_vanishes() -> None:
        await bench.execute(
            "update turns set state = 'cancelled', lease_owner = null, lease_until = null"
        )

    bench.answerer.script = [turn_vanishes]
    await bench.work()
    assert await bench.balance(shop) == (2, 1, 0)
    await bench.age(30)
    await bench.chore("release_orphaned_holds")
    assert await bench.balance(shop) == (3, 0, 0)


async def test_the_sweep_leaves_holds_of_living_turns_alone(bench: Bench):
    shop = await bench.business(credits_=3)
    bench.sender.refuse(422)
    await bench.write(shop, PHONE, "hello")
    await bench.work()
    await bench.age(30)
    await bench.chore("release_orphaned_holds")
    assert await bench.balance(shop) == (2, 1, 0)
    await bench.work()
    assert await bench.balance(shop) == (2, 0, 1)
