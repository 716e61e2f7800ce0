"""The media runner: fetches and reads customers' files beside the replies, never in their way.

It claims whenever a bell rings, a file ends or the sweep's time has come. A file is a task of
its own, so a slow one holds no other up; how many run at once is bounded, and with it the memory
that their bytes take.
"""

import asyncio
import contextlib
import logging

from app.core.db.away import is_away
from app.core.errors import ExpectedError
from app.core.observability.context import bind
from app.core.observability.sentry import capture
from app.messaging.media import fetching, sweeping, work
from app.messaging.media.fetching import Tools
from app.messaging.media.work import Wanted

log = logging.getLogger(__name__)

AT_ONCE_MAX = 8
_CRASH_WAIT_S = 20.0
_PAUSE_S = 0.5
_ATTEMPTS_MAX = 8


class MediaRunner:
    """Fetches and reads files until told to stop. Use from one event loop."""

    def __init__(self, tools: Tools, *, at_once_max: int = AT_ONCE_MAX) -> None:
        self._tools = tools
        self._at_once_max = at_once_max
        self._wake = asyncio.Event()
        self._running: dict[asyncio.Task[None], Wanted] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def kick(self) -> None:
        """Look for files soon."""
        self._wake.set()

    def start(self) -> None:
        """Begin to claim, and to renew the leases of what runs."""
        self._tasks = [
            asyncio.create_task(self._pump(), name="media.pump"),
            asyncio.create_task(self._renew(), name="media.renew"),
        ]

    async def stop(self) -> None:
        """Cut off what runs and give it back: another worker goes on within a second."""
        for task in self._tasks:
            task.cancel()
        left = dict(self._running)
        for task in left:
            task.cancel()
        await asyncio.gather(*self._tasks, *left, return_exceptions=True)
        try:
            await work.renew(self._tools.database, list(left.values()), lease_s=0)
        except Exception as error:  # noqa: BLE001 - the leases run out
            log.warning("files not given back", extra={"errorType": type(error).__name__})

    async def _pump(self) -> None:
        """Claim and run, and delete what nobody refers to any more."""
        sweep_s = self._tools.settings.timings.sweep_s
        while True:
            self._wake.clear()
            try:
                await self._claim()
                await sweeping.delete_unreferenced(self._tools.database, self._tools.store)
            except Exception as error:  # noqa: BLE001 - the next look tries again
                log.warning("files were not looked at", extra={"errorType": type(error).__name__})
                if not is_away(error):
                    capture(error)
                await asyncio.sleep(_PAUSE_S)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), sweep_s)

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(work.RENEW_S)
            try:
                await work.renew(self._tools.database, list(self._running.values()))
            except Exception as error:  # noqa: BLE001 - the lease has time for another try
                log.warning("leases not renewed", extra={"errorType": type(error).__name__})

    async def _claim(self) -> None:
        while (room := self._at_once_max - len(self._running)) > 0:
            found = await work.claim(self._tools.database, files_max=room)
            for wanted in found:
                task = asyncio.create_task(self._run(wanted), name=f"media.{wanted.id}")
                self._running[task] = wanted
                task.add_done_callback(self._done)
            if len(found) < room:
                return

    def _done(self, task: asyncio.Task[None]) -> None:
        self._running.pop(task, None)
        self._wake.set()

    async def _run(self, wanted: Wanted) -> None:
        with bind(request_id=wanted.request_id, tenant_id=wanted.tenant_id, task_id=str(wanted.id)):
            try:
                await fetching.process(self._tools, wanted)
            except asyncio.CancelledError:
                raise
            except Exception as error:  # noqa: BLE001 - tried again, and reported
                await self._after_crash(wanted, error)

    async def _after_crash(self, wanted: Wanted, error: Exception) -> None:
        """Leave a file for later; one that keeps failing in unforeseen ways is not had."""
        log.error(
            "a file met an error",
            exc_info=error,
            extra={
                "mediaId": wanted.id,
                "attempt": wanted.attempts,
                "errorType": type(error).__name__,
            },
        )
        if not (isinstance(error, ExpectedError) or is_away(error)):
            capture(error, tenant_id=wanted.tenant_id, request_id=wanted.request_id)
        tools = self._tools
        try:
            if wanted.attempts < _ATTEMPTS_MAX:
                await work.try_later(tools.database, wanted, _CRASH_WAIT_S)
            else:
                idle_s = tools.settings.timings.idle_s
                await work.note_end(tools.database, wanted, "failed", "internal", idle_s=idle_s)
        except Exception as again:  # noqa: BLE001 - the lease runs out, then it is claimed again
            log.warning("a file was not put back", extra={"errorType": type(again).__name__})
