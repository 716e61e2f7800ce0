"""Draining a table of work: at a bell, by itself, and on after a failure."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.engine import events
from tests.engine.bench import Bench
from tests.workers.conftest import until
from workers.draining import Drain
from workers.inbox import InboxDrain
from workers.parts import tell_of_end

pytestmark = pytest.mark.anyio


class Work:
    """Batches that are left; every call is counted."""

    def __init__(self, batches: int = 0, *, fails: int = 0) -> None:
        self.batches = batches
        self.fails = fails
        self.calls = 0

    async def __call__(self) -> bool:
        self.calls += 1
        if self.fails:
            self.fails -= 1
            raise ConnectionError
        self.batches = max(0, self.batches - 1)
        return self.batches > 0


@asynccontextmanager
async def running(work: Work, sweep_s: float) -> AsyncIterator[Drain]:
    drain = Drain("test", work, sweep_s)
    task = asyncio.create_task(drain.run_for_ever())
    yield drain
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_a_bell_drains_everything():
    work = Work(5)
    async with running(work, 60) as drain:
        drain.kick()
        await until(lambda: _is(work.batches == 0), "all batches are done")
    assert work.calls == 5


async def test_without_a_bell_the_sweep_finds_it_and_failures_do_not_end_it():
    work = Work(3, fails=2)
    async with running(work, 0.01):
        await until(lambda: _is(work.batches == 0), "all batches are done")


async def test_a_worker_finds_events_whose_bell_was_lost(bench: Bench):
    shop = await bench.business()
    await bench.receive(shop, "message", events.message("15550101@c.us", "hello"))
    await bench.age(2)
    bench.with_timings(sweep_s=0.01)
    inbox = InboxDrain(bench.database.db, bench.settings, lambda: None)
    task = asyncio.create_task(inbox.sweep_for_ever())
    await until(lambda: bench.rows("select 1 from messages where body = 'hello'"), "it is read")
    task.cancel()


async def _is(value: object) -> object:
    return value


async def test_a_part_that_ends_by_an_error_is_told(caplog: pytest.LogCaptureFixture) -> None:
    async def broken() -> None:
        raise KeyError("words of somebody")

    task = asyncio.create_task(broken(), name="desk")
    task.add_done_callback(tell_of_end)
    await asyncio.wait([task])
    await asyncio.sleep(0)
    (record,) = [r for r in caplog.records if r.name == "workers.parts"]
    assert (record.__dict__["task"], record.__dict__["errorType"]) == ("desk", "KeyError")
