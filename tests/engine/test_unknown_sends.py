"""Where the engine chooses the ids, a lost answer is never repeated: evidence decides, or time."""

from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.observability.metrics import SENDS
from app.messaging.sends import delivering
from app.messaging.sends.recording import take_back
from app.messaging.sends.settling import give_up_part
from tests.engine.bench import Bench
from tests.engine.ports import ProcessGone, says, waha_refuses

pytestmark = pytest.mark.anyio
PHONE = "15550101"
DAY_S = 24 * 3600


async def lost(bench: Bench):
    """A reply that reached the phone, while we were told of a 500."""
    bench.sender.honours = False
    shop = await bench.business(engine="WEBJS")
    bench.sender.lose(500)
    await bench.write(shop, PHONE, "hello")
    await bench.work()
    return shop


async def unknown(bench: Bench):
    shop = await lost(bench)
    await bench.age(91)
    await bench.work()
    return shop


async def test_it_is_not_sent_again(bench: Bench):
    shop = await lost(bench)
    await bench.work_on(step_s=30, steps=6)
    assert bench.sender.texts() == ["hello"]
    assert len(bench.sender.calls) == 1
    assert bench.sender.calls[0][2] is None
    assert await bench.part_states(shop) == ["unknown"]


async def test_after_the_limit_it_is_unknown_and_the_hold_stays(bench: Bench):
    shop = await lost(bench)
    await bench.age(80)
    await bench.work()
    assert await bench.part_states(shop) == ["sending"]
    await bench.age(11)
    await bench.work()
    assert await bench.part_states(shop) == ["unknown"]
    assert await bench.turn_states(shop) == ["done"]
    assert await bench.dispositions(shop) == {"hello": "send_unknown"}
    assert await bench.balance(shop) == (99, 1, 0)


async def test_the_sweep_of_holds_leaves_it_alone(bench: Bench):
    shop = await unknown(bench)
    await bench.age(3600)
    await bench.chore("release_orphaned_holds")
    await bench.chore("settle_doubt")
    assert await bench.balance(shop) == (99, 1, 0)


async def test_an_echo_settles_and_charges_it(bench: Bench):
    shop = await unknown(bench)
    await bench.echo(shop, bench.sender.phone[0])
    assert await bench.part_states(shop) == ["accepted"]
    assert await bench.dispositions(shop) == {"hello": "answered"}
    assert await bench.balance(shop) == (99, 0, 1)
    assert await bench.owner_of(shop) == [("pending", None)]


async def test_an_ack_after_the_echo_charges_nothing_more(bench: Bench):
    shop = await unknown(bench)
    await bench.echo(shop, bench.sender.phone[0])
    for level in (1, 2, 3):
        await bench.ack(shop, bench.sender.phone[0], level)
    assert await bench.part_states(shop) == ["read"]
    assert await bench.balance(shop) == (99, 0, 1)


async def test_after_a_day_the_hold_is_released_and_it_stays_unknown(bench: Bench):
    shop = await unknown(bench)
    await bench.age(DAY_S)
    await bench.chore("settle_doubt")
    assert await bench.part_states(shop) == ["unknown"]
    assert await bench.dispositions(shop) == {"hello": "send_unknown"}
    assert await bench.balance(shop) == (100, 0, 0)
    await bench.chore("settle_doubt")
    assert await bench.balance(shop) == (100, 0, 0)


async def test_evidence_after_a_day_charges_nothing(bench: Bench, caplog):
    shop = await unknown(bench)
    await bench.age(DAY_S)
    await bench.chore("settle_doubt")
    counted = SENDS.labels("waha", "proved_late")._value.get()
    await bench.echo(shop, bench.sender.phone[0])
    await bench.ack(shop, bench.sender.phone[0], 2)
    assert await bench.part_states(shop) == ["delivered"]
    assert SENDS.labels("waha", "proved_late")._value.get() == counted + 1
    assert [r.message for r in caplog.records if r.levelname == "ERROR"] == []
    assert await bench.dispositions(shop) == {"hello": "answered"}
    assert await bench.balance(shop) == (100, 0, 0)


async def test_an_echo_settles_it_before_the_limit(bench: Bench):
    shop = await lost(bench)
    await bench.echo(shop, bench.sender.phone[0])
    await bench.work()
    assert await bench.part_states(shop) == ["accepted"]
    assert await bench.turn_states(shop) == ["done"]
    assert await bench.balance(shop) == (99, 0, 1)


async def test_an_echo_that_comes_before_the_lost_answer_is_not_waited_for(bench: Bench):
    bench.sender.honours = False
    shop = await bench.business(engine="WEBJS")
    bench.answerer.script = [says("first", "second")]
    original = bench.sender.send_text

    async def is_echoed_and_lost(*told: Any) -> str | None:
        bench.sender.send_text = original
        await original(*told)
        await bench.echo(shop, bench.sender.phone[0])
        raise waha_refuses(500)

    bench.sender.send_text = is_echoed_and_lost
    await bench.write(shop, PHONE, "hello")
    assert await bench.work() == 1
    assert bench.sender.texts() == ["first", "second"]
    assert await bench.part_states(shop) == ["accepted", "accepted"]
    assert await bench.balance(shop) == (99, 0, 1)


async def test_a_call_that_lasted_is_part_of_the_wait(bench: Bench):
    bench.sender.honours = False
    shop = await bench.business(engine="WEBJS")

    async def lasts_and_is_lost(*_: Any) -> str | None:
        await bench.age(85)
        raise waha_refuses(500)

    bench.sender.send_text = lasts_and_is_lost
    await bench.write(shop, PHONE, "hello")
    await bench.work()
    (left_s,) = await bench.column("select extract(epoch from lease_until - now()) from turns")
    assert left_s < 10


async def test_the_customers_next_message_is_answered_after_the_limit(bench: Bench):
    shop = await lost(bench)
    await bench.write(shop, PHONE, "and now?")
    assert await bench.work() == 0
    await bench.age(91)
    await bench.work()
    assert bench.sender.texts() == ["hello", "and now?"]
    assert await bench.dispositions(shop) == {"hello": "send_unknown", "and now?": "answered"}


async def test_a_worker_killed_in_the_send_leaves_it_to_evidence(bench: Bench):
    bench.sender.honours = False
    shop = await bench.business(engine="WEBJS")
    await bench.write(shop, PHONE, "hello")
    (turn,) = await bench.claim()
    original = bench.sender.send_text

    async def killed_after_the_call(access, chat, body, client_id):
        await original(access, chat, body, client_id)
        raise ProcessGone

    bench.sender.send_text = killed_after_the_call
    with pytest.raises(ProcessGone):
        await bench.run([turn])
    bench.sender.send_text = original
    await bench.age(100)
    await bench.work("worker:2")
    assert bench.sender.texts() == ["hello"]
    assert await bench.part_states(shop) == ["unknown"]


async def test_an_unknown_part_ends_the_parts_behind_it(bench: Bench):
    bench.sender.honours = False
    shop = await bench.business(engine="WEBJS")
    bench.answerer.script = [says("first", "second", "third")]
    bench.sender.script = [None, waha_refuses(500)]
    await bench.write(shop, PHONE, "hello")
    await bench.work()
    await bench.age(91)
    await bench.work()
    assert bench.sender.texts() == ["first"]
    assert await bench.part_states(shop) == ["accepted", "unknown", "failed"]
    assert await bench.dispositions(shop) == {"hello": "send_unknown"}
    assert await bench.balance(shop) == (99, 0, 1), "a part arrived: the price is due"
    await bench.age(DAY_S)
    await bench.chore("settle_doubt")
    assert await bench.balance(shop) == (99, 0, 1)


async def test_evidence_for_the_rest_of_a_reply_charges_nothing_more(bench: Bench):
    bench.sender.honours = False
    shop = await bench.business(engine="WEBJS")
    bench.answerer.script = [says("first", "second")]
    bench.sender.effect_first = True
    bench.sender.script = [None, waha_refuses(500)]
    await bench.write(shop, PHONE, "hello")
    await bench.work()
    await bench.age(91)
    await bench.work()
    assert await bench.balance(shop) == (99, 0, 1)
    await bench.echo(shop, bench.sender.phone[1])
    assert await bench.part_states(shop) == ["accepted", "accepted"]
    assert await bench.dispositions(shop) == {"hello": "answered"}
    assert await bench.balance(shop) == (99, 0, 1)


async def test_an_accepted_part_that_failed_is_refunded_whatever_the_other_is(bench: Bench):
    bench.sender.honours = False
    shop = await bench.business(engine="WEBJS")
    bench.answerer.script = [says("first", "second")]
    bench.sender.script = [None, waha_refuses(500)]
    await bench.write(shop, PHONE, "hello")
    await bench.work()
    await bench.age(91)
    await bench.work()
    await bench.ack(shop, bench.sender.phone[0], -1)
    assert await bench.part_states(shop) == ["failed", "unknown"]
    assert await bench.balance(shop) == (100, 0, 0)


async def test_a_refusal_that_a_newer_attempt_has_overtaken_is_void(bench: Bench):
    """A worker freezes in its call; another sends again; then the first hears "no"."""
    shop = await bench.business()
    await bench.write(shop, PHONE, "hello")
    (turn,) = await bench.claim("worker:1")
    original = bench.sender.send_text

    async def freezes_and_is_refused(access, chat, body, client_id):
        bench.sender.send_text = original
        await bench.age(120)
        assert await bench.work("worker:2") == 1
        raise waha_refuses(400)

    bench.sender.send_text = freezes_and_is_refused
    await bench.run([turn], "worker:1")
    assert await bench.part_states(shop) == ["accepted"]
    assert await bench.turn_states(shop) == ["done"]
    assert await bench.balance(shop) == (99, 0, 1)


async def test_a_session_that_does_not_work_is_tried_again_here_too(bench: Bench):
    bench.sender.honours = False
    shop = await bench.business(engine="WEBJS")
    bench.sender.refuse(422, 422)
    await bench.write(shop, PHONE, "hello")
    await bench.work_on(step_s=10, steps=3)
    assert bench.sender.texts() == ["hello"]
    assert await bench.balance(shop) == (99, 0, 1)


async def test_what_was_surely_not_sent_is_not_doubted(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
):
    """A worker that froze past its lease hears of the refusal while another gives the part up."""
    bench.sender.honours = False
    shop = await bench.business(engine="WEBJS")
    bench.sender.refuse(500)  # ambiguous to us; nothing came of it
    await bench.write(shop, PHONE, "hello")
    await bench.work()
    await bench.age(91)

    async def give_up_late(connection: AsyncConnection, *terms: Any) -> bool:
        tenant_id, doubt = terms[1], terms[2]
        await take_back(
            bench.engine(), tenant_id, doubt.part_id, doubt.attempt_no, waha_refuses(422)
        )
        return await give_up_part(connection, *terms)

    monkeypatch.setattr(delivering, "give_up_part", give_up_late)
    await bench.work()
    assert await bench.part_states(shop) == ["accepted"]
    assert bench.sender.texts() == ["hello"]
    assert await bench.dispositions(shop) == {"hello": "answered"}
    assert await bench.balance(shop) == (99, 0, 1)
