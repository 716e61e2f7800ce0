"""What stands on a turn: whose it is after a stop, since when it waits, and what it was told."""

from dataclasses import replace

import pytest

from app.core.ports import Prepared
from app.messaging.sends.recording import record_attempt
from app.messaging.states import LEASED_TURN_STATES
from app.messaging.turns.claiming import release
from app.messaging.turns.due import outlook, promote
from app.messaging.turns.generating import admit, generate, give_up
from app.messaging.turns.holding import hold
from app.messaging.turns.model import LeaseLostError
from app.messaging.turns.replying import queue_reply
from tests.engine.bench import OWNER, Bench, about
from tests.engine.ports import says
from tests.engine.wires import Turnstile

pytestmark = pytest.mark.anyio
PHONE = "15550101"
OFF = "insert into tenant_conduct (tenant_id, mode) select id, 'off' from tenants"


async def test_what_was_given_back_at_a_stop_is_nobodys(bench: Bench) -> None:
    """Nobody has claimed it since, so the epoch is still the stopped worker's."""
    shop = await bench.business()
    await bench.write(shop, PHONE, "hello")
    engine, database = bench.engine(), bench.database.db
    (turn,) = await bench.claim()
    prepared = await hold(engine, turn)
    assert isinstance(prepared, Prepared)
    await release(database, [turn], owner=OWNER)
    with pytest.raises(LeaseLostError):
        await hold(engine, turn)
    with pytest.raises(LeaseLostError):
        await queue_reply(engine, turn, prepared, says("Hi"))
    (turn,) = await bench.claim()
    (part,) = await generate(engine, turn)
    with pytest.raises(LeaseLostError):  # a reply is queued: there is nothing to give up
        await give_up(engine, turn, reason="internal")
    await release(database, [turn], owner=OWNER)
    with pytest.raises(LeaseLostError):
        await record_attempt(engine, turn, part, idempotent=True)
    assert await bench.part_states(shop) == ["queued"]


async def test_a_turn_that_waits_for_its_limit_has_not_been_tried(bench: Bench) -> None:
    shop = await bench.business()
    await bench.write(shop, PHONE, "hello")
    await bench.write(shop, "15550102", "me too")
    turnstile = Turnstile()
    turnstile.refusals = 1
    (turn,) = await bench.claim(turns_max=1)
    assert not await admit(replace(bench.engine(), limiter=turnstile), turn)
    assert await bench.column("select distinct attempts from turns") == [0]
    assert await bench.claim() == [], "its tenant's other turns wait with it"
    await bench.age(4)
    assert await bench.work() == 2


async def test_the_next_turns_cap_counts_from_its_oldest_message(bench: Bench) -> None:
    shop = await bench.business(idle_s=10, cap_s=25)
    await bench.write(shop, PHONE, "one")
    await bench.age(10)
    turns = await bench.claim()
    for text in ("two", "three"):
        await bench.write(shop, PHONE, text)
        await bench.age(18)
    await bench.run(turns)
    assert await bench.turn_states(shop) == ["superseded", "waiting"]
    assert await bench.work() == 1, "the first has waited for longer than the cap"
    assert bench.sender.texts() == ["one + two + three"]


async def test_a_message_that_joins_leaves_its_mark_on_the_turn(bench: Bench) -> None:
    shop = await bench.business(idle_s=30, cap_s=60)
    await bench.execute("update tenants set batch_messages_max = 3")
    left_s = "select extract(epoch from due_at - now()) from turns"
    newest = "select request_id from messages order by id desc limit 1"
    for text in ("one", "two"):
        await bench.write(shop, PHONE, text)
    assert about(await bench.column(left_s), [30])
    assert await bench.column("select request_id from turns") == await bench.column(newest)
    await bench.write(shop, PHONE, "three")
    assert about(await bench.column(left_s), [0]), "as many as are answered at once"
    await bench.execute("update tenants set batch_messages_max = 9")
    await promote(bench.database.db)
    await bench.age(20)
    await bench.write(shop, PHONE, "four")
    assert about(await bench.column(left_s), [-20]), "it keeps its place among those that are due"
    assert await bench.column("select message_count from turns") == [4]


async def test_only_overtaken_answers_are_counted(bench: Bench) -> None:
    shop = await bench.business()

    async def customer_goes_on() -> None:
        await bench.write(shop, PHONE, "and")

    bench.answerer.script = [customer_goes_on] * 4
    await bench.write(shop, PHONE, "one")
    await bench.work()
    assert await bench.column("select supersedes from turns order by id") == [0, 1, 2, 3, 0]


@pytest.mark.parametrize(
    ("change", "expected"),
    [("update contacts set blocked_at = now()", "blocked"), (OFF, "paused")],
    ids=["blocked", "off"],
)
async def test_who_is_not_to_be_answered_costs_no_model_call(
    bench: Bench, change: str, expected: str
) -> None:
    shop = await bench.business()
    await bench.write(shop, PHONE, "hello")
    await bench.execute(change)
    await bench.work()
    assert bench.answerer.asked == []
    assert await bench.dispositions(shop) == {"hello": expected}


async def test_a_prompt_holds_what_is_answered_at_its_end_and_nothing_newer(bench: Bench) -> None:
    shop = await bench.business()
    await bench.write(shop, PHONE, "before")
    await bench.work()
    # A phone whose clock is slow, and a word that was taken back.
    await bench.write(shop, PHONE, "the question", age_s=300)
    await bench.write(shop, PHONE, "forget it")
    await bench.execute("update messages set revoked_at = now() where body = 'forget it'")
    (turn,) = await bench.claim()
    await bench.write(shop, PHONE, "and another")
    prepared = await hold(bench.engine(), turn)
    assert isinstance(prepared, Prepared)
    said = [(m.text, m.unanswered) for m in prepared.prompt.history]
    assert said == [("before", False), ("before", False), ("the question", True)]


async def test_a_hold_that_was_made_at_other_prices_is_still_the_turns(bench: Bench) -> None:
    """Its worker died while the model thought, and the prices changed before the next one came."""
    shop = await bench.business()
    await bench.write(shop, PHONE, "hello")
    (turn,) = await bench.claim()
    await hold(bench.engine(), turn)
    await bench.database.superuser.execute(
        "update price_versions set valid_until = now();"
        "insert into price_versions (id, valid_from, per_reply_ucr, created_by)"
        " select 2, valid_until, 9000000, 'test' from price_versions"
    )
    await bench.age(61)
    await bench.work("worker:2")
    assert bench.sender.texts() == ["hello"]
    assert await bench.balance(shop) == (99, 0, 1)


async def test_the_dispatcher_sees_every_lease_that_ends(bench: Bench) -> None:
    shop = await bench.business()
    await bench.write(shop, PHONE, "hello")
    await bench.claim(lease_s=60)
    for state in LEASED_TURN_STATES:
        await bench.execute("update turns set state = :s", s=state)
        seen = await outlook(bench.database.db)
        assert not seen.abandoned
        assert about([seen.next_s], [60])
    await bench.age(61)
    for state in LEASED_TURN_STATES:
        await bench.execute("update turns set state = :s", s=state)
        assert (await outlook(bench.database.db)).abandoned
    # A tenant at its limit is looked at again when the limit allows.
    await bench.execute("update turns set state = 'cancelled'")
    await bench.execute("update tenant_queues set blocked_until = now() + interval '30 seconds'")
    assert about([(await outlook(bench.database.db)).next_s], [30])


@pytest.mark.parametrize("silent", ["people", "off"])
async def test_who_leaves_in_silence_has_left(bench: Bench, silent: str) -> None:
    shop = await bench.business()
    if silent == "people":
        await bench.owner_types(shop, PHONE, "I am here")
    else:
        await bench.execute(OFF)
    await bench.write(shop, PHONE, "STOP")
    await bench.work()
    assert bench.sender.calls == []
    assert await bench.dispositions(shop) == {"STOP": "opted_out"}


async def test_who_comes_back_hears_so_without_credits_too(bench: Bench) -> None:
    shop = await bench.business(credits_=0)
    for word in ("STOP", "START"):
        await bench.write(shop, PHONE, word)
        await bench.work()
    assert len(bench.sender.texts()) == 2
    assert await bench.dispositions(shop) == {"STOP": "opted_out", "START": "answered"}
