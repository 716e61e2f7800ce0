"""What stands on a part when its answer comes: ticks, ids and attempts told before or beside it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import asyncpg
import pytest

from app.channels.port import ChannelAccess
from app.core.errors import ProviderError
from app.messaging.sends import recording
from app.messaging.sends.delivering import deliver
from app.messaging.sends.recording import record_attempt
from app.messaging.sends.settling import settle_unknown
from app.messaging.turns.batches import BUSY
from app.messaging.turns.generating import generate
from tests.engine import events
from tests.engine.bench import Bench, Business, about
from tests.engine.ports import Shown, says, waha_refuses
from tests.workers.conftest import until

pytestmark = pytest.mark.anyio
PHONE = "15550101"


def during_the_call(bench: Bench, happens: Callable[[Shown], Awaitable[None]]) -> None:
    """Let something happen between WhatsApp's having a text and WAHA's answer, once."""
    original = bench.sender.send_text

    async def lasts(
        access: ChannelAccess, chat: str, body: str, client_id: str | None
    ) -> str | None:
        bench.sender.send_text = original  # type: ignore[method-assign]
        wa_id = await original(access, chat, body, client_id)
        await happens(bench.sender.phone[-1])
        return wa_id

    bench.sender.send_text = lasts  # type: ignore[method-assign]


def on_webjs(bench: Bench) -> Awaitable[Business]:
    bench.sender.honours = False
    return bench.business(engine="WEBJS")


async def test_ticks_that_came_before_the_answer_count(bench: Bench) -> None:
    shop = await bench.business()
    cases = {(1,): "sent", (2,): "delivered", (3,): "read", (1, -1): "failed", (-1, 2): "delivered"}
    for number, levels in enumerate(cases):

        async def ticked(shown: Shown, levels: tuple[int, ...] = levels) -> None:
            for level in levels:
                await bench.ack(shop, shown, level)

        during_the_call(bench, ticked)
        await bench.write(shop, f"1555020{number}", "hello")
        await bench.work()
    assert await bench.part_states(shop) == list(cases.values())
    assert await bench.balance(shop) == (96, 0, 4)
    words = await bench.column(
        "select disposition from messages where direction = 'in' order by sent_at, id"
    )
    assert words == ["answered"] * 3 + ["failed_handed_off", "answered"]
    await bench.ack(shop, bench.sender.phone[3], 2)
    # A device's receipt outweighs an error; what was given back stays so, and the books know.
    assert (await bench.part_states(shop))[3] == "delivered"
    assert await bench.balance(shop) == (96, 0, 4)


async def test_the_answers_own_id_stands_above_one_that_was_taken_for_it(bench: Bench) -> None:
    """The owner types the same words while the call is under way; the real echo comes last."""
    shop = await on_webjs(bench)

    async def owner_says_the_same(shown: Shown) -> None:
        await bench.owner_types(shop, PHONE, shown.text)

    during_the_call(bench, owner_says_the_same)
    await bench.write(shop, PHONE, "hello")
    await bench.work()
    (shown,) = bench.sender.phone
    assert await bench.column("select wa_id from send_parts") == [shown.wa_id]
    await bench.echo(shop, shown)
    assert await bench.owner_of(shop) == [("pending", None)]


async def test_an_echo_in_other_words_does_not_hold_its_own_answer_up(bench: Bench) -> None:
    shop = await on_webjs(bench)

    async def is_shown_differently(shown: Shown) -> None:
        payload = events.message(shown.chat, "hello!", from_me=True, wa_id=shown.wa_id)
        await bench.hook(shop, "message.any", payload)

    during_the_call(bench, is_shown_differently)
    await bench.write(shop, PHONE, "hello")
    await bench.work()
    assert await bench.part_states(shop) == ["accepted"]
    assert await bench.turn_states(shop) == ["done"]
    assert await bench.balance(shop) == (99, 0, 1)


async def test_each_attempt_keeps_what_came_of_it(bench: Bench) -> None:
    shop = await bench.business()
    bench.sender.script = [waha_refuses(422), waha_refuses(500)]
    await bench.write(shop, PHONE, "hello")
    await bench.work_on(step_s=16, steps=3)
    await bench.write(shop, "15550102", "me too")
    bench.sender.refuse(422)
    await bench.work()
    await bench.age(2 * 3600)
    await bench.work()
    told = "select outcome from send_attempts a join send_parts p on p.id = a.part_id"
    assert await bench.column(f"{told} order by p.id, attempt_no") == [
        "not_sent",
        None,
        "accepted",
        "not_sent",
    ]


async def test_a_doubtful_word_to_who_left_does_not_change_what_became_of_theirs(
    bench: Bench,
) -> None:
    shop = await on_webjs(bench)
    bench.sender.lose(500)
    await bench.write(shop, PHONE, "STOP")
    await bench.work()
    await bench.age(91)
    await bench.work()
    assert await bench.part_states(shop) == ["unknown"]
    assert await bench.dispositions(shop) == {"STOP": "opted_out"}
    wa_id: Any = bench.sender.phone[0]
    await bench.ack(shop, wa_id, -1)
    await bench.echo(shop, wa_id)
    assert await bench.dispositions(shop) == {"STOP": "opted_out"}
    assert await bench.owner_of(shop) == [("pending", None)]


async def test_a_receipt_for_one_part_does_not_keep_the_hold_of_a_doubtful_one(
    bench: Bench,
) -> None:
    """The first part was called failed when the second was given up, so nothing was charged."""
    shop = await on_webjs(bench)
    bench.answerer.script = [says("first", "second")]
    bench.sender.script = [None, waha_refuses(500)]
    await bench.write(shop, PHONE, "hello")
    await bench.work()
    await bench.ack(shop, bench.sender.phone[0], -1)
    await bench.age(91)
    await bench.work()
    await bench.ack(shop, bench.sender.phone[0], 2)
    assert await bench.part_states(shop) == ["delivered", "unknown"]
    assert await bench.balance(shop) == (99, 1, 0)
    await bench.age(24 * 3600)
    await bench.chore("settle_doubt")
    assert await bench.balance(shop) == (100, 0, 0)


async def test_a_text_that_left_without_our_id_is_not_repeated_under_one(bench: Bench) -> None:
    """A number moves to another engine and back while its text is under way."""
    shop = await bench.business()
    bench.sender.refuse(422)
    await bench.write(shop, PHONE, "hello")
    await bench.work()
    await bench.age(95)
    bench.sender.honours = False
    bench.sender.lose(500)
    await bench.work()
    assert await bench.part_states(shop) == ["sending"], "what was not sent left no doubt behind"
    bench.sender.honours = True
    await bench.work_on(step_s=40, steps=3)
    assert bench.sender.texts() == ["hello"]
    assert await bench.part_states(shop) == ["unknown"]


async def test_who_leaves_takes_back_nothing_that_may_have_arrived(bench: Bench) -> None:
    shop = await bench.business()
    bench.sender.lose(500)
    await bench.write(shop, PHONE, "hello")
    await bench.work()
    await bench.write(shop, PHONE, "STOP")
    assert await bench.turn_states(shop) == ["sending"]
    await bench.age(5)
    await bench.work()
    assert await bench.dispositions(shop) == {"hello": "answered", "STOP": "opted_out"}
    assert await bench.balance(shop) == (99, 0, 1)


async def test_what_confirms_a_wish_too_late_leaves_the_wish_as_it_was(bench: Bench) -> None:
    shop = await bench.business()
    await bench.write(shop, PHONE, "STOP")
    (turn,) = await bench.claim()
    assert await generate(bench.engine(), turn)
    await bench.age(2 * 3600)
    await bench.work()
    assert bench.sender.calls == []
    assert await bench.dispositions(shop) == {"STOP": "opted_out"}
    assert await bench.owner_of(shop) == [("pending", None)]


async def test_an_acceptance_waits_for_a_thread_that_somebody_has(bench: Bench) -> None:
    shop = await bench.business()
    turns, accepted = [], []
    for phone in (PHONE, "15550102"):
        await bench.write(shop, phone, "hello")
        (turn,) = await bench.claim()
        (part,) = await generate(bench.engine(), turn)
        await record_attempt(bench.engine(), turn, part, idempotent=True)
        turns.append(turn)
        accepted.append(recording._Accepted(part, None, "response"))
    other = await asyncpg.connect(bench.database.superuser_url)
    async with other.transaction():
        await other.execute(
            "select 1 from conversations where id = $1 for update", turns[0].conversation_id
        )
        outcomes = await recording._accept_all(bench.engine(), shop.tenant_id, accepted)
    await other.close()
    assert outcomes == [BUSY, True]
    assert await bench.part_states(shop) == ["sending", "accepted"]


async def test_a_refused_part_leaves_those_before_it_as_they_are(bench: Bench) -> None:
    shop = await bench.business()
    bench.answerer.script = [says("first", "second", "third")]
    bench.sender.script = [None, waha_refuses(422), waha_refuses(400)]
    await bench.write(shop, PHONE, "hello")
    await bench.work()
    await bench.ack(shop, bench.sender.phone[0], 2)
    await bench.age(5)
    await bench.work()
    assert await bench.part_states(shop) == ["delivered", "failed", "failed"]
    assert await bench.dispositions(shop) == {"hello": "answered"}
    assert await bench.balance(shop) == (99, 0, 1)


async def test_whatsapp_waits_as_long_as_waha_says(bench: Bench) -> None:
    shop = await bench.business()
    bench.sender.script = [
        ProviderError("waha", "busy", status_code=429, retryable=True, retry_after_s=40)
    ]
    await bench.write(shop, PHONE, "hello")
    await bench.work()
    assert about(
        await bench.column("select extract(epoch from lease_until - now()) from turns"), [40]
    )
    await bench.age(41)
    await bench.work()
    assert await bench.part_states(shop) == ["accepted"]


async def test_what_was_never_tried_of_a_charged_reply_ends_without_its_charge(
    bench: Bench,
) -> None:
    shop = await bench.business()
    await bench.execute("update tenants set answer_max_age_s = 600")
    bench.answerer.script = [says("first", "second")]
    await bench.write(shop, PHONE, "hello")
    (turn,) = await bench.claim()
    first, _ = await generate(bench.engine(), turn)
    await deliver(bench.engine(), turn, [first])
    await bench.age(660)
    await bench.work()
    assert bench.sender.texts() == ["first"]
    assert await bench.part_states(shop) == ["accepted", "failed"]
    assert await bench.dispositions(shop) == {"hello": "answered"}
    assert await bench.balance(shop) == (99, 0, 1)


async def test_an_answer_that_used_more_than_was_held_costs_what_was_held(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    shop = await bench.business()
    await bench.database.superuser.execute(
        "update price_versions set per_1k_tokens ="
        ' \'{"*": {"input_ucr": 0, "output_ucr": 10000000}}\''
    )
    bench.answerer.script = [replace(says("Hi!"), output_tokens=1000)]
    await bench.write(shop, PHONE, "hello")
    await bench.work()
    # One credit a reply and ten a thousand tokens, of which the prompt allows 50.
    assert await bench.balance(shop) == (98.5, 0, 1.5)
    assert [r.message for r in caplog.records if r.levelname == "ERROR"] == [
        "a reply cost more than its hold"
    ]


@pytest.mark.parametrize("what", ["evidence", "refusal"])
async def test_what_ends_a_part_waits_for_its_thread(bench: Bench, what: str) -> None:
    shop = await on_webjs(bench)
    bench.sender.lose(500)
    await bench.write(shop, PHONE, "hello")
    if what == "evidence":
        await bench.work()
        await bench.age(91)
        await bench.work()
        (part_id,) = await bench.column("select id from send_parts")
    (thread_id,) = await bench.column("select id from conversations")
    other = await asyncpg.connect(bench.database.superuser_url)

    async def locked(_: Shown) -> None:
        await other.execute("begin")
        await other.execute("select 1 from conversations where id = $1 for update", thread_id)
        if what == "refusal":
            raise waha_refuses(400)

    async def settles() -> None:
        async with bench.database.db.system() as connection:
            await settle_unknown(connection, shop.tenant_id, part_id, "echo")

    if what == "evidence":
        await locked(bench.sender.phone[0])
        working = asyncio.create_task(settles())
    else:
        bench.sender.script = []
        during_the_call(bench, locked)
        working = asyncio.create_task(_works(bench))
    beside = bench.database.superuser
    await until(lambda: _blocked(beside), "somebody waits for the thread")
    await beside.execute("select 1 from send_parts for update nowait")
    await other.execute("rollback")
    await working
    await other.close()
    assert await bench.part_states(shop) == ["accepted" if what == "evidence" else "failed"]


async def _works(bench: Bench) -> None:
    await bench.work()


async def _blocked(beside: asyncpg.Connection) -> bool:
    waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'"
    return bool(await beside.fetchval(f"{waiting} and datname = current_database()"))
