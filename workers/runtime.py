"""One event loop a worker process: Celery's pool threads hand coroutines to it and wait.

Threads cost a stack each and cannot be cancelled, coroutines can: hundreds of model calls
wait in one process, and a stop can cut them off.
"""

import asyncio
import gc
import os
import socket
import threading
from collections.abc import Coroutine
from concurrent.futures import wait
from typing import Any, TypeVar

import uvloop

from app.core import ids
from app.core.config import Settings
from workers.parts import Parts

_START_TIMEOUT_S = 20.0

Result = TypeVar("Result")


def instance_name(service: str) -> str:
    """Return a name for this process, unique over machines and restarts."""
    return f"{service}:{socket.gethostname()[:40]}:{os.getpid()}:{str(ids.uuid7())[-8:]}"


class Runtime:
    """The worker's loop in a thread of its own, and what runs on it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._instance = instance_name("worker")
        # The API's loop too: a reply is dozens of small reads and writes.
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="loop", daemon=True)
        self._parts: Parts | None = None

    def start(self) -> None:
        """Start the loop and build everything on it; errors reach the caller."""
        self._thread.start()
        self._parts = self.call(
            Parts.build(self._settings, self._instance), timeout_s=_START_TIMEOUT_S
        )
        # What is loaded by now stays: a full collection need not walk it (57 ms) ever again.
        gc.collect()
        gc.freeze()

    def call(self, work: Coroutine[Any, Any, Result], *, timeout_s: float) -> Result:
        """Run a coroutine on the loop and wait for it, from another thread."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout_s)

    def drain_inbox(self) -> None:
        """Normalise what waits in the inbox (a Celery task's whole work).

        Under a load that lasts the drain goes on behind the task's end; what fails there is met
        again, and told, by the next bell or the sweep.
        """
        if self._parts is not None:
            drain = asyncio.run_coroutine_threadsafe(self._parts.inbox.drain(), self._loop)
            wait([drain], timeout=self._settings.timings.drain_s)
            if drain.done():
                drain.result()

    def drain_turns(self) -> None:
        """Let the runners claim what is due; it goes on after this returns."""
        if self._parts is not None:
            self._loop.call_soon_threadsafe(self._parts.turns.kick)
            self._loop.call_soon_threadsafe(self._parts.desk.kick)

    def fetch_media(self) -> None:
        """Let wanted files be looked at now (a Celery task's whole work)."""
        if self._parts is not None:
            self._loop.call_soon_threadsafe(self._parts.media.kick)

    def send_mails(self) -> None:
        """Let the outbox be looked at now (a Celery task's whole work)."""
        if self._parts is not None:
            self._loop.call_soon_threadsafe(self._parts.mails.kick)

    def read_knowledge(self) -> None:
        """Let documents that are due be looked at now (a Celery task's whole work)."""
        if self._parts is not None:
            self._loop.call_soon_threadsafe(self._parts.knowledge.kick)

    def process_events(self) -> None:
        """Let Stripe's events be looked at now (a Celery task's whole work)."""
        if self._parts is not None:
            self._loop.call_soon_threadsafe(self._parts.events.kick)

    def stop(self) -> None:
        """Stop claiming, give leases back, close what can be closed in time."""
        if self._parts is not None:
            parts, self._parts = self._parts, None
            self.call(parts.close(), timeout_s=self._settings.timings.stop_grace_s + 2)
