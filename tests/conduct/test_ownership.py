"""People take conversations over, give them back, pause, snooze, resolve and reopen them."""

from uuid import uuid4

import pytest

from app.core.errors import ConflictError, NotFoundError, RefusedError
from app.messaging import ownership
from app.messaging.turns.generating import generate
from tests.conduct.desk import PHONE, open_desk
from tests.engine.bench import Bench
from tests.engine.ports import says, waha_refuses

pytestmark = pytest.mark.anyio
HOUR_S = 3_600


async def test_who_takes_over_is_not_talked_over(bench: Bench):
    desk = await open_desk(bench)
    await desk.writes("Hello?")
    await bench.age(9)
    (turn,) = await bench.claim()

    async def think():
        await desk.take_over(for_s=HOUR_S)

    bench.answerer.script = [think]
    await bench.run([turn])
    assert await desk.settle() == []
    assert await bench.turn_states(desk.shop) == ["cancelled"]
    assert await bench.dispositions(desk.shop) == {"Hello?": "human_owned"}
    assert await bench.balance(desk.shop) == (100, 0, 0)
    assert await desk.row("state, handover_reason, assignee_id, human_until > now()") == (
        "open", "human_takeover", desk.person, True,
    )  # fmt: skip
    await desk.take_over(for_s=HOUR_S)
    await desk.writes("Still there?")
    assert (await bench.dispositions(desk.shop))["Still there?"] == "human_owned"


async def test_a_reply_that_waits_to_be_sent_is_withdrawn(bench: Bench):
    desk = await open_desk(bench)
    await desk.writes("Hello?")
    await bench.age(9)
    bench.with_timings(retry_base_s=5)
    (turn,) = await bench.claim()
    assert len(await generate(bench.engine(), turn)) == 1
    await desk.take_over(None)
    assert await desk.settle() == []
    assert await bench.part_states(desk.shop) == ["failed"]
    assert await desk.row("human_until") == (None,)
    # Nor is a takeover without an end shortened by a message typed on the phone.
    await bench.owner_types(desk.shop, PHONE, "Hi")
    assert await desk.row("human_until") == (None,)


async def test_give_back_answers_what_stands_open(bench: Bench):
    desk = await open_desk(bench)
    await desk.writes("First")
    await desk.take_over(None)
    await bench.age(600)
    await bench.owner_types(desk.shop, PHONE, "I am on it")
    await bench.age(600)
    await desk.writes("And now?")
    await desk.give_back()
    assert await desk.settle() == ["And now?"]
    assert await bench.dispositions(desk.shop) == {"First": "human_owned", "And now?": "answered"}
    assert await desk.row("state, handover_reason, assignee_id") == ("pending", None, None)
    await desk.give_back()
    assert await desk.settle() == ["And now?"]


async def test_what_is_old_is_not_answered_after_a_give_back(bench: Bench):
    desk = await open_desk(bench)
    await desk.writes("Long ago")
    await desk.take_over(None)
    await bench.age(2 * HOUR_S)
    await desk.give_back()
    assert await desk.settle() == []
    assert await bench.dispositions(desk.shop) == {"Long ago": "human_owned"}


async def test_a_takeover_ends_by_itself_and_answers_nothing_of_the_past(bench: Bench):
    desk = await open_desk(bench)
    await desk.writes("Hello?")
    await desk.take_over(for_s=600)
    await bench.chore("wake_conversations")
    assert await desk.row("state") == ("open",)
    await bench.age(601)
    await bench.chore("wake_conversations")
    assert await desk.row("state, handover_reason, human_until, assignee_id") == (
        "pending", None, None, None,
    )  # fmt: skip
    assert await desk.settle() == []
    await desk.writes("Again")
    assert await desk.settle() == ["Again"]


async def test_a_pause_ends(bench: Bench):
    desk = await open_desk(bench)
    await desk.writes("Hello?")
    await desk.act(ownership.pause, for_s=600)
    await desk.writes("Anybody?")
    assert await desk.settle() == []
    assert set((await bench.dispositions(desk.shop)).values()) == {"paused"}
    assert await desk.row("state") == ("pending",)
    await bench.age(601)
    await bench.chore("wake_conversations")
    assert await desk.row("paused_until") == (None,)
    await desk.writes("Now?")
    assert await desk.settle() == ["Now?"]


async def test_a_snooze_wakes_by_time_or_by_the_customer(bench: Bench):
    desk = await open_desk(bench)
    await desk.writes("Hello?")
    await desk.act(ownership.snooze, for_s=600)
    assert await desk.row("state, assignee_id") == ("snoozed", desk.person)
    await bench.age(601)
    await bench.chore("wake_conversations")
    assert await desk.row("state, snoozed_until") == ("open", None)
    await desk.act(ownership.snooze, for_s=600)
    await desk.writes("One more thing")
    assert await desk.row("state, snoozed_until") == ("open", None)
    assert (await bench.dispositions(desk.shop))["One more thing"] == "human_owned"


async def test_resolving_is_the_border_of_memory(bench: Bench):
    desk = await open_desk(bench)
    await desk.writes("My name is Ada")
    await desk.settle()
    await desk.act(ownership.resolve)
    await desk.act(ownership.resolve)
    with pytest.raises(ConflictError, match="Reopen it first"):
        await desk.take_over(None)
    old = await desk.conversation()
    await desk.writes("Who am I?")
    await desk.settle()
    question = bench.answerer.asked[-1]
    assert (question.first_reply, [m.text for m in question.history]) == (True, ["Who am I?"])
    assert await bench.owner_of(desk.shop) == [("resolved", None), ("pending", None)]
    async with bench.database.db.tenant(desk.shop.tenant_id) as connection:
        with pytest.raises(ConflictError, match="newer conversation"):
            await ownership.reopen(connection, desk.shop.tenant_id, old, desk.person)


async def test_reopening_gives_it_to_people(bench: Bench):
    desk = await open_desk(bench)
    await desk.writes("Hello?")
    await desk.settle()
    await desk.act(ownership.resolve)
    await desk.act(ownership.reopen)
    assert await desk.row("state, handover_reason, resolved_at") == ("open", "human_takeover", None)


async def test_the_machine_never_overwrites_the_word_of_people(bench: Bench):
    """A reply that nobody took hands over for a failure; here people were faster."""
    desk = await open_desk(bench)
    await desk.writes("Hello?")
    await bench.age(9)
    bench.sender.honours = False

    async def refuse_for_good():
        return says("Hi")

    bench.answerer.script = [refuse_for_good]
    (turn,) = await bench.claim()
    bench.sender.script = [waha_refuses(400)]
    before = bench.sender.send_text

    async def people_first(*call):
        await bench.execute(
            "update conversations set state = 'open', handover_reason = 'human_takeover',"
            " human_until = null, handover_summary = 'mine'"
        )
        return await before(*call)

    bench.sender.send_text = people_first
    await bench.run([turn])
    assert await desk.row("state, handover_reason, handover_summary") == (
        "open", "human_takeover", "mine",
    )  # fmt: skip


async def test_assigning_changes_nobodys_silence(bench: Bench):
    desk = await open_desk(bench)
    await desk.writes("Hello?")
    await desk.act(ownership.assign, assignee=desk.person)
    assert await desk.row("state, assignee_id") == ("pending", desk.person)
    with pytest.raises(NotFoundError, match="team"):
        await desk.act(ownership.assign, assignee=uuid4())
    assert await desk.settle() == ["Hello?"]


async def test_foreign_and_missing_are_one(bench: Bench):
    desk, other = await open_desk(bench), await open_desk(bench)
    await desk.writes("Hello?")
    conversation_id = await desk.conversation()
    for tenant_id, id_ in ((other.shop.tenant_id, conversation_id), (desk.shop.tenant_id, uuid4())):
        async with bench.database.db.tenant(tenant_id) as connection:
            with pytest.raises(NotFoundError, match="no such conversation"):
                await ownership.take_over(connection, tenant_id, id_, other.person, for_s=None)
    with pytest.raises(RefusedError, match="90 days"):
        await desk.act(ownership.pause, for_s=0)
