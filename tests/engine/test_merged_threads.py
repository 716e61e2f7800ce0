"""Two threads turn out to be one person's while a reply is queued, or while people have one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from app.core.ids import uuid7
from app.messaging import ownership
from app.messaging.sends.delivering import deliver
from app.messaging.turns.generating import generate
from tests.engine.bench import Bench, Business
from tests.engine.ports import says
from tests.fixtures.waha import CUSTOMER, CUSTOMER_LID, WahaSession
from tests.worlds import eventually

pytestmark = pytest.mark.anyio


class Person:
    """Somebody who writes under two addresses."""

    def __init__(self, bench: Bench, shop: Business) -> None:
        self.bench, self.shop = bench, shop
        self._waha = WahaSession(engine="GOWS", session=shop.session)

    async def writes(self, text: str, chat: str, alternate: str | None = None) -> None:
        body = self._waha.message(text, chat=chat, alternate=alternate)
        await self.bench.receive(self.shop, "message", body["payload"])
        await self.bench.drain()

    async def wish(self, name: str, address: str, **terms: object) -> None:
        """People do something with the thread of one of the addresses."""
        tenant_id = self.shop.tenant_id
        (thread_id,) = await self.bench.column(
            "select id from conversations where address = :a and state <> 'resolved'", a=address
        )
        async with self.bench.database.db.tenant(tenant_id) as connection:
            await getattr(ownership, name)(connection, tenant_id, thread_id, uuid7(), **terms)


@pytest.fixture
async def person(bench: Bench) -> Person:
    person = Person(bench, await bench.business(engine="GOWS"))
    await person.writes("by phone", CUSTOMER)
    await person.writes("by lid", CUSTOMER_LID)
    return person


async def test_what_was_queued_in_the_one_is_said_once_in_the_other(bench: Bench, person: Person):
    turns = {t.conversation_id: t for t in await bench.claim()}
    newer = turns[max(turns)]
    assert await generate(bench.engine(), newer)
    await person.writes("it is me", CUSTOMER_LID, CUSTOMER)
    assert await bench.balance(person.shop) == (100, 0, 0), "nothing is held for it any more"
    # Nobody saw it: it neither stands in the thread nor waits to be sent.
    assert await bench.part_states(person.shop) == ["failed"]
    assert await bench.column("select body from messages where direction = 'out'") == []
    await bench.run([newer])
    assert bench.sender.calls == []
    await bench.work_on(steps=3)
    assert bench.sender.texts() == ["by phone + by lid + it is me"]
    assert set((await bench.dispositions(person.shop)).values()) == {"answered", "merged"}
    assert await bench.balance(person.shop) == (99, 0, 1)


@asynccontextmanager
async def on_its_way(bench: Bench) -> AsyncIterator[None]:
    """The thread that a merge will resolve is being answered: WAHA has the call."""
    turns = {t.conversation_id: t for t in await bench.claim()}
    bench.sender.pause = asyncio.Event()
    running = asyncio.create_task(bench.run([turns[max(turns)]]))

    async def called() -> bool:
        return bool(bench.sender.calls)

    await eventually(called, "the call of WAHA")
    yield
    bench.sender.pause.set()
    await running


async def test_what_fails_after_a_merge_is_told_where_the_thread_goes_on(
    bench: Bench, person: Person
):
    bench.sender.refuse(400)
    async with on_its_way(bench):
        await person.writes("it is me", CUSTOMER_LID, CUSTOMER)
    assert await bench.turn_states(person.shop) == ["claimed", "failed"]
    assert await bench.owner_of(person.shop) == [
        ("open", "tool_failure"),
        ("resolved", None),
    ]
    assert (await bench.dispositions(person.shop))["by lid"] == "failed_handed_off"
    assert await bench.balance(person.shop) == (100, 0, 0)


async def test_who_takes_over_the_joined_thread_stops_the_rest_of_a_reply(
    bench: Bench, person: Person
):
    bench.answerer.script = [says("one", "two")]
    async with on_its_way(bench):
        await person.writes("it is me", CUSTOMER_LID, CUSTOMER)
        await person.wish("take_over", CUSTOMER_LID, for_s=None)
    assert bench.sender.texts() == ["one"]
    assert await bench.part_states(person.shop) == ["accepted", "failed"]


@pytest.mark.parametrize("wish", ["take_over", "pause"])
async def test_people_who_have_the_one_stop_what_is_thought_of_for_the_other(
    bench: Bench, person: Person, wish: str
):
    await person.wish(wish, CUSTOMER_LID, for_s=3600)

    async def meet() -> None:
        await person.writes("it is me", CUSTOMER, CUSTOMER_LID)

    bench.answerer.script = [meet]
    await bench.run(await bench.claim())
    assert len(bench.answerer.asked) == 1
    assert bench.sender.calls == []
    told = "human_owned" if wish == "take_over" else "paused"
    assert set((await bench.dispositions(person.shop)).values()) == {told}


async def test_who_has_taken_over_the_one_stops_what_waits_for_the_other(
    bench: Bench, person: Person
):
    turns = {t.conversation_id: t for t in await bench.claim()}
    older = turns[min(turns)]
    parts = await generate(bench.engine(), older)
    await person.wish("take_over", CUSTOMER_LID, for_s=None)
    await person.writes("it is me", CUSTOMER, CUSTOMER_LID)
    await deliver(bench.engine(), older, parts)
    assert bench.sender.calls == []
    assert set((await bench.dispositions(person.shop)).values()) == {"human_owned"}


async def test_a_reply_that_was_taken_back_does_not_go_on(bench: Bench, person: Person):
    """Its number did not work, so nothing of it is on its way; the joined thread is people's."""
    turns = {t.conversation_id: t for t in await bench.claim()}
    newer = turns[max(turns)]
    bench.sender.refuse(422)
    await bench.run([newer])
    assert sorted(await bench.turn_states(person.shop)) == ["claimed", "sending"]
    await person.wish("take_over", CUSTOMER, for_s=None)
    await person.writes("it is me", CUSTOMER_LID, CUSTOMER)
    await bench.work_on(steps=3)
    assert bench.sender.phone == []
    assert set((await bench.dispositions(person.shop)).values()) == {"human_owned"}


async def test_a_pause_of_either_holds_for_both(bench: Bench, person: Person):
    await person.wish("pause", CUSTOMER_LID, for_s=3600)
    await person.writes("it is me", CUSTOMER, CUSTOMER_LID)
    assert (await bench.dispositions(person.shop))["it is me"] == "paused"


@pytest.mark.parametrize(
    ("older_s", "newer_s", "left_s"),
    [(60, 3600, 3600), (3600, 60, 3600), (60, None, None), (None, 60, None)],
)
async def test_the_longer_takeover_stays(
    bench: Bench, person: Person, older_s: int | None, newer_s: int | None, left_s: int | None
):
    await person.wish("take_over", CUSTOMER, for_s=older_s)
    await person.wish("take_over", CUSTOMER_LID, for_s=newer_s)
    await person.writes("it is me", CUSTOMER, CUSTOMER_LID)
    (left,) = await bench.column(
        "select extract(epoch from human_until - now())::float8 from conversations"
        " where state = 'open'"
    )
    assert left == (left_s and pytest.approx(left_s, abs=30))


async def test_who_has_taken_over_the_one_keeps_it_where_the_others_takeover_is_over(
    bench: Bench, person: Person
):
    await person.wish("take_over", CUSTOMER, for_s=60)
    await person.wish("take_over", CUSTOMER_LID, for_s=None)
    await bench.age(61)
    await person.writes("it is me", CUSTOMER, CUSTOMER_LID)
    assert (await bench.dispositions(person.shop))["it is me"] == "human_owned"


@pytest.mark.parametrize("asked", [CUSTOMER, CUSTOMER_LID])
async def test_waiting_for_credits_is_no_takeover(bench: Bench, person: Person, asked: str):
    other = {CUSTOMER: CUSTOMER_LID, CUSTOMER_LID: CUSTOMER}[asked]
    await person.wish("take_over", asked, for_s=60)
    await bench.execute(
        "update conversations set state = 'open', handover_reason = 'no_credit' where address = :a",
        a=other,
    )
    await person.writes("it is me", CUSTOMER, CUSTOMER_LID)
    assert await bench.column("select handover_reason from conversations where state = 'open'") == [
        "human_takeover"
    ]
