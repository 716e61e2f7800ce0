"""Whatever point of the path fails once: one reply, one charge, one disposition a message."""

from pathlib import Path

import pytest

from app.core import faults, ids
from app.core.config import Settings
from app.core.errors import FaultInjectedError, UnavailableError
from app.messaging.ingest.group_commit import Delivery
from tests.engine import events
from tests.engine.bench import Bench, Business
from workers.scheduler.main import Scheduler

pytestmark = pytest.mark.anyio
PHONE = "15550101"
# Its look-ups have tests of their own; a conversation that goes well has nothing to look up.
ELSEWHERE = {"reconcile.before_lookup", "reconcile.before_commit"}


class Bell:
    def __init__(self) -> None:
        self.rung: list[str] = []

    async def ring(self, queue: str) -> None:
        self.rung.append(queue)


async def deliver_until_accepted(bench: Bench, shop: Business, text: str) -> None:
    """WAHA's part: the same bytes again until somebody says 200."""
    delivery = Delivery(
        tenant_id=shop.tenant_id,
        channel_id=shop.channel_id,
        key=ids.uuid7().bytes,
        inbox_id=ids.uuid7(),
        event="message",
        body=events.envelope(
            "message", shop.session, events.message(f"{PHONE}@c.us", text), engine="NOWEB"
        ),
        request_id=ids.request_id(),
    )
    for _ in range(3):
        try:
            await bench.ingest.submit(delivery)
        except UnavailableError:
            continue
        return
    raise AssertionError("the door never accepted the message")


async def until_done(step) -> None:
    """What a periodic loop does with an error: wait, and try again."""
    for _ in range(3):
        try:
            await step()
        except FaultInjectedError:
            continue
        return
    raise AssertionError("the step never went well")


async def converse(bench: Bench, shop: Business, settings: Settings) -> Bell:
    await deliver_until_accepted(bench, shop, "hello")
    await until_done(bench.drain)
    bell = Bell()
    scheduler = Scheduler(bench.database.db, bell, settings, owner="scheduler:test")
    await until_done(scheduler._dispatch)
    for _ in range(3):
        await until_done(bench.work)
        await bench.age(100)
    for chore in ("release_orphaned_holds", "settle_doubt"):
        await until_done(lambda chore=chore: bench.chore(chore))
    return bell


async def assert_answered_once(bench: Bench, shop: Business) -> None:
    assert bench.sender.texts() == ["hello"]
    assert await bench.balance(shop) == (99, 0, 1)
    assert await bench.dispositions(shop) == {"hello": "answered"}
    assert (await bench.turn_states(shop))[-1] == "done"
    kinds = await bench.column("select kind from journal where kind <> 'grant' order by seq")
    assert kinds.count("capture") == 1


@pytest.mark.parametrize("point", sorted(set(faults.FAULT_POINTS) - ELSEWHERE))
async def test_a_conversation_survives(
    bench: Bench, settings: Settings, tmp_path: Path, point: str
):
    shop = await bench.business()
    faults.install_plan(f"{point}=drop", memory=tmp_path)
    bell = await converse(bench, shop, settings)
    assert (tmp_path / point).exists(), "the conversation never came to this point"
    assert bell.rung == ["reply"]
    await assert_answered_once(bench, shop)


@pytest.mark.parametrize(
    "point", ["send.before_provider_call", "send.after_provider_accepted", "settle.before_commit"]
)
async def test_without_our_ids_nothing_is_sent_twice(
    bench: Bench, settings: Settings, tmp_path: Path, point: str
):
    shop = await bench.business(engine="WEBJS")
    bench.sender.honours = False
    faults.install_plan(f"{point}=drop", memory=tmp_path)
    await converse(bench, shop, settings)
    assert (tmp_path / point).exists()
    assert len(bench.sender.texts()) <= 1
    assert await bench.dispositions(shop) == {"hello": "send_unknown"}
    assert await bench.balance(shop) == (99, 1, 0)
