"""Every inbound message ends in exactly one disposition, and the closed list is closed."""

from types import SimpleNamespace

import pytest
from sqlalchemy.exc import IntegrityError

from app.dashboard.inbox_words import disposition
from app.messaging.states import Disposition
from tests.engine import events
from tests.engine.bench import Bench

pytestmark = pytest.mark.anyio
PHONE = "15550101"


def test_every_disposition_has_its_sentence():
    sentences = [disposition(SimpleNamespace(_=str), code) for code in Disposition]
    assert all(sentences)
    assert len(set(sentences)) == len(Disposition)


async def test_the_database_knows_no_other_word(bench: Bench):
    shop = await bench.business()
    await bench.write(shop, PHONE, "hello")
    with pytest.raises(IntegrityError):
        await bench.execute("update messages set disposition = 'because'")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("update tenants set status = 'suspended'", "suspended"),
        ("update contacts set blocked_at = now()", "blocked"),
        ("update contacts set opted_out_at = now()", "opted_out"),
        ("update conversations set paused_until = now() + interval '1 hour'", "paused"),
        ("update conversations set state = 'open', handover_reason = null", "human_owned"),
    ],
)
async def test_a_message_that_is_not_answered_says_why(bench: Bench, change: str, expected: str):
    shop = await bench.business()
    await bench.write(shop, PHONE, "first")
    await bench.work()
    await bench.execute(change)
    await bench.write(shop, PHONE, "second")
    await bench.work()
    assert await bench.dispositions(shop) == {"first": "answered", "second": expected}
    assert bench.sender.texts() == ["first"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("update tenants set status = 'suspended'", "suspended"),
        ("update conversations set paused_until = now() + interval '1 hour'", "paused"),
        ("update conversations set state = 'open', handover_reason = null", "human_owned"),
        ("update messages set revoked_at = now()", "empty"),
    ],
)
async def test_what_changes_while_a_turn_waits_counts(bench: Bench, change: str, expected: str):
    shop = await bench.business()
    await bench.write(shop, PHONE, "hello")
    await bench.execute(change)
    await bench.work()
    assert bench.answerer.asked == []
    assert await bench.turn_states(shop) == ["cancelled"]
    assert await bench.dispositions(shop) == {"hello": expected}
    assert await bench.balance(shop) == (100, 0, 0)


async def test_an_old_message_is_shown_and_not_answered(bench: Bench):
    shop = await bench.business()
    await bench.write(shop, PHONE, "from yesterday", age_s=3700)
    await bench.work()
    assert await bench.dispositions(shop) == {"from yesterday": "too_old"}
    assert bench.answerer.asked == []


async def test_a_message_that_waited_too_long_is_not_answered(bench: Bench):
    shop = await bench.business()
    await bench.write(shop, PHONE, "hello")
    await bench.age(3700)
    await bench.work()
    assert await bench.dispositions(shop) == {"hello": "too_old"}
    assert await bench.balance(shop) == (100, 0, 0)


async def test_an_empty_message_is_kept_as_empty(bench: Bench):
    shop = await bench.business()
    await bench.hook(shop, "message", events.message(f"{PHONE}@c.us", "  "))
    await bench.work()
    assert set((await bench.dispositions(shop)).values()) == {"empty"}


async def test_a_message_that_comes_twice_in_two_events_is_one(bench: Bench):
    shop = await bench.business()
    payload = events.message(f"{PHONE}@c.us", "hello")
    for event in ("message", "message.any", "message"):
        await bench.hook(shop, event, payload)
    await bench.work()
    assert bench.sender.texts() == ["hello"]
    assert await bench.balance(shop) == (99, 0, 1)


async def test_groups_get_no_row_and_no_answer(bench: Bench):
    shop = await bench.business()
    await bench.hook(shop, "message", events.message("120363000000@g.us", "hello all"))
    await bench.work()
    assert await bench.dispositions(shop) == {}
    assert await bench.column("select outcome from inbox_keys") == ["ignored_kind:group"]
