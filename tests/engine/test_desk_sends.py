"""What people write in the inbox: sent once, in order, whatever fails, and free of charge."""

import asyncio
from typing import Any
from uuid import UUID

import pytest

from app.core.errors import ConflictError, NotFoundError
from app.core.ids import uuid7
from app.core.live import ChangeFeed
from app.messaging.desk.delivering import DeskDelivery
from app.messaging.desk.service import Inbox
from app.messaging.desk.writing import Draft
from tests.engine.bench import Bench, Business, SilentBell
from tests.engine.ports import ProcessGone, waha_refuses
from tests.persons import person_of
from workers.desk import DeskRunner

pytestmark = pytest.mark.anyio
PHONE = "15550101"


class Counter:
    """The inbox of a business, and a worker that sends what is written in it."""

    def __init__(self, bench: Bench, shop: Business) -> None:
        self.bench, self.shop, self.kim = bench, shop, person_of(shop.tenant_id)
        self.inbox = Inbox(bench.database.db, SilentBell(), ChangeFeed(bench.database.db))

    async def conversation(self) -> UUID:
        return (await self.bench.column("select id from conversations order by id desc limit 1"))[0]

    async def say(self, text: str, form_key: UUID | None = None) -> UUID:
        draft = Draft(body=text, form_key=form_key or uuid7())
        return await self.inbox.send(self.kim, await self.conversation(), draft)

    async def work(self) -> None:
        delivery = DeskDelivery(self.bench.engine())
        for _ in range(10):
            claimed = await delivery.claim(sends_max=8)
            if not claimed:
                return
            for each in claimed:
                await delivery.deliver(each)

    async def work_on(self, step_s: float = 16, steps: int = 4) -> None:
        for _ in range(steps):
            await self.work()
            await self.bench.age(step_s)
        await self.work()


@pytest.fixture
async def counter(bench: Bench) -> Counter:
    shop = await bench.business()
    await bench.write(shop, PHONE, "hello")
    return Counter(bench, shop)


async def test_a_person_answers_instead_of_the_assistant(counter: Counter):
    bench, shop, key = counter.bench, counter.shop, uuid7()
    await counter.say("Kim here", key)
    assert await counter.say("Kim here", key) == await counter.conversation()
    await bench.work()
    await counter.work()
    assert bench.sender.texts() == ["Kim here"]
    assert bench.answerer.asked == []
    assert await bench.dispositions(shop) == {"hello": "human_owned"}
    assert await bench.part_states(shop) == ["accepted"]
    assert await bench.balance(shop) == (100, 0, 0)
    (waited,) = await bench.column("select waiting_since is not null from desk_sends")
    assert waited
    await bench.echo(shop, bench.sender.phone[0])
    assert len(await bench.column("select id from messages where direction = 'out'")) == 1


async def test_messages_of_a_conversation_leave_in_order(counter: Counter):
    counter.bench.sender.refuse(422)
    await counter.say("one")
    await counter.say("two")
    await counter.work()
    assert counter.bench.sender.texts() == []
    await counter.work_on()
    assert counter.bench.sender.texts() == ["one", "two"]


async def test_a_lost_answer_is_resent_with_the_same_id(counter: Counter):
    counter.bench.sender.lose(500, 502)
    await counter.say("once")
    await counter.work_on()
    assert counter.bench.sender.texts() == ["once"]
    assert len({client_id for _, _, client_id in counter.bench.sender.calls}) == 1
    assert len(counter.bench.sender.calls) == 3


async def test_where_ids_are_not_ours_a_lost_message_is_in_doubt(counter: Counter):
    bench, shop = counter.bench, counter.shop
    bench.sender.honours = False
    bench.sender.lose(500)
    await counter.say("perhaps")
    await counter.work_on(step_s=40)
    assert len(bench.sender.calls) == 1
    assert await bench.part_states(shop) == ["unknown"]
    await bench.echo(shop, bench.sender.phone[0])
    assert await bench.part_states(shop) == ["accepted"]


async def test_a_refusal_is_final_and_told(counter: Counter):
    counter.bench.sender.script = [waha_refuses(400)]
    await counter.say("no")
    await counter.work_on()
    assert await counter.bench.part_states(counter.shop) == ["failed"]
    assert len(counter.bench.sender.calls) == 1


async def test_a_worker_that_dies_in_the_call_sends_nothing_twice(counter: Counter):
    bench = counter.bench

    async def die(*_: object) -> None:
        raise ProcessGone

    await counter.say("still once")
    told, bench.sender.send_text = bench.sender.send_text, die  # type: ignore[method-assign]
    with pytest.raises(ProcessGone):
        await counter.work()
    bench.sender.send_text = told  # type: ignore[method-assign]
    await counter.work()
    assert bench.sender.texts() == []
    await counter.work_on(step_s=100, steps=2)
    assert bench.sender.texts() == ["still once"]


async def test_a_worker_that_stops_gives_back_what_it_has(counter: Counter):
    bench = counter.bench
    await counter.say("at once")
    runner = DeskRunner(DeskDelivery(bench.engine()), sweep_s=60)
    in_call = asyncio.Event()

    async def hang(*_: object) -> None:
        in_call.set()
        await asyncio.Event().wait()

    told, bench.sender.send_text = bench.sender.send_text, hang  # type: ignore[method-assign]
    running = asyncio.create_task(runner.run_for_ever())
    await asyncio.wait_for(in_call.wait(), 10)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    bench.sender.send_text = told  # type: ignore[method-assign]
    await counter.work()
    assert bench.sender.texts() == ["at once"]


async def test_a_refusal_that_a_newer_attempt_has_overtaken_ends_nothing(counter: Counter):
    """A worker freezes in its call; another sends again and hears nothing; the first hears "no"."""
    bench, shop = counter.bench, counter.shop
    await counter.say("in the end")
    frozen = DeskDelivery(bench.engine("worker:1"))
    (claimed,) = await frozen.claim(sends_max=8)
    original = bench.sender.send_text

    async def freezes_and_is_refused(*_: object) -> None:
        bench.sender.send_text = original  # type: ignore[method-assign]
        bench.sender.refuse(500)
        await bench.age(120)
        await counter.work()
        raise waha_refuses(400)

    bench.sender.send_text = freezes_and_is_refused  # type: ignore[method-assign]
    await frozen.deliver(claimed)
    assert await bench.part_states(shop) == ["sending"]
    await counter.work_on()
    assert bench.sender.texts() == ["in the end"]
    assert await bench.part_states(shop) == ["accepted"]


async def test_a_stale_worker_changes_nothing(counter: Counter):
    """The same worker froze past its lease and has claimed again since: the epoch decides."""
    bench = counter.bench
    delivery = DeskDelivery(bench.engine())
    await counter.say("once")
    (stale,) = await delivery.claim(sends_max=8)
    await bench.age(120)
    (fresh,) = await delivery.claim(sends_max=8)
    assert fresh.epoch == stale.epoch + 1
    await delivery.deliver(stale)
    await delivery.release([stale])
    await delivery._park(stale, 0)
    assert bench.sender.calls == []
    assert await delivery.claim(sends_max=8) == []
    await delivery.deliver(fresh)
    assert bench.sender.texts() == ["once"]
    await bench.age(120)
    assert await delivery.claim(sends_max=8) == [], "what has left is not looked at again"


async def test_a_call_that_lasts_keeps_its_message(counter: Counter):
    bench = counter.bench
    bench.with_timings(lease_s=1)
    await counter.say("slowly")
    delivery = DeskDelivery(bench.engine())
    (claimed,) = await delivery.claim(sends_max=8)
    original, others = bench.sender.send_text, []

    async def lasts(*told: Any) -> str | None:
        await bench.age(bench.settings.timings.send_timeout_s - 1)
        others.extend(await delivery.claim(sends_max=8))
        return await original(*told)

    bench.sender.send_text = lasts  # type: ignore[method-assign]
    await delivery.deliver(claimed)
    assert others == []
    assert bench.sender.texts() == ["slowly"]


async def test_an_echo_settles_a_lost_answer_without_a_resend(counter: Counter):
    bench = counter.bench
    bench.sender.lose(500)
    await counter.say("seen")
    await counter.work()
    await bench.echo(counter.shop, bench.sender.phone[0])
    await counter.work_on()
    assert len(bench.sender.calls) == 1
    assert await bench.part_states(counter.shop) == ["accepted"]


async def test_a_refusal_after_a_lost_answer_does_not_deny_the_first_try(counter: Counter):
    bench = counter.bench
    bench.sender.lose(500, 400)
    await counter.say("it arrived")
    await counter.work_on()
    assert bench.sender.texts() == ["it arrived"]
    assert await bench.part_states(counter.shop) == ["accepted"]


async def test_refusals_behind_a_lost_answer_end_in_doubt(counter: Counter):
    bench = counter.bench
    bench.sender.lose(500)
    await counter.say("Kim here")
    await counter.work()
    bench.sender.refuse(*[400] * 40)
    for step_s in (5, 91):
        await bench.age(step_s)
        await counter.work()
    assert len(bench.sender.calls) == 3
    assert await bench.part_states(counter.shop) == ["unknown"]
    assert await bench.column("select open from desk_sends") == [False]


@pytest.mark.parametrize("honoured_first", [True, False])
async def test_an_engine_whose_ids_change_is_not_sent_to_again(
    counter: Counter, *, honoured_first: bool
):
    bench = counter.bench
    bench.sender.honours = honoured_first
    bench.sender.lose(500)
    await counter.say("perhaps")
    await counter.work()
    bench.sender.honours = not honoured_first
    await counter.work_on(step_s=40)
    assert len(bench.sender.calls) == 1
    assert await bench.part_states(counter.shop) == ["unknown"]


async def test_what_was_tried_is_not_tried_again_hours_later(counter: Counter):
    bench = counter.bench
    bench.sender.refuse(500)
    await counter.say("late")
    await counter.work()
    await bench.age(2 * 3600)
    await counter.work()
    assert len(bench.sender.calls) == 1
    assert await bench.part_states(counter.shop) == ["unknown"]


async def test_what_could_not_leave_for_an_hour_does_not_leave(counter: Counter):
    await counter.say("late")
    await counter.bench.age(2 * 3600)
    await counter.work()
    assert counter.bench.sender.texts() == []
    assert await counter.bench.part_states(counter.shop) == ["failed"]


async def test_a_resolved_conversation_is_opened_by_an_answer(counter: Counter):
    await counter.bench.execute("update conversations set state = 'resolved', resolved_at = now()")
    first = await counter.conversation()
    assert await counter.say("one more thing") == first
    assert await counter.bench.owner_of(counter.shop) == [("open", "human_takeover")]


async def test_nobody_writes_to_strangers_or_to_the_blocked(counter: Counter):
    bench, shop = counter.bench, counter.shop
    stranger = uuid7()
    await bench.execute(
        "insert into contacts (tenant_id, id) values (:t, :id)", t=shop.tenant_id, id=stranger
    )
    with pytest.raises(ConflictError, match="Wait until they write"):
        await counter.inbox.start(counter.kim, stranger)
    with pytest.raises(NotFoundError):
        await counter.inbox.start(counter.kim, uuid7())
    (known,) = await bench.column("select contact_id from conversations")
    assert await counter.inbox.start(counter.kim, known) == await counter.conversation()
    await bench.execute("update contacts set blocked_at = now()")
    with pytest.raises(ConflictError, match="blocked"):
        await counter.say("psst")
