"""What Celery's threads ask of the worker's loop."""

import asyncio
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from app.core.config import Settings, Timings
from workers.runtime import Runtime

DRAIN_S = 0.05


class Inbox:
    """Drains until it is told to end, as under a load that lasts."""

    def __init__(self, error: Exception | None = None) -> None:
        self.goes_on = threading.Event()
        self.ended = threading.Event()
        self._error = error

    async def drain(self) -> None:
        if self._error is not None:
            raise self._error
        await asyncio.to_thread(self.goes_on.wait, 5)
        self.ended.set()


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    """A runtime whose loop runs, without the parts that need a database."""
    runtime = Runtime(Settings(timings=Timings(drain_s=DRAIN_S)))
    loop, thread = runtime._loop, runtime._thread
    thread.start()
    yield runtime
    loop.call_soon_threadsafe(loop.stop)
    thread.join(5)
    loop.close()


def test_a_drain_that_lasts_outlives_its_task_and_is_no_failure(runtime: Runtime) -> None:
    inbox = Inbox()
    runtime._parts = cast("Any", SimpleNamespace(inbox=inbox))
    runtime.drain_inbox()
    assert not inbox.ended.is_set()
    inbox.goes_on.set()
    assert inbox.ended.wait(5)


def test_what_a_drain_fails_with_reaches_its_task(runtime: Runtime) -> None:
    runtime._parts = cast("Any", SimpleNamespace(inbox=Inbox(TimeoutError("of the database"))))
    with pytest.raises(TimeoutError, match="of the database"):
        runtime.drain_inbox()
