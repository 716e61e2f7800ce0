"""Draining the inbox: one drain at a time a process, as many batches as there are."""

import asyncio
import logging
from collections.abc import Callable

from sqlalchemy import text

from app.core.config import Settings
from app.core.db.away import is_away
from app.core.db.engine import Database
from app.core.observability.sentry import capture
from app.messaging.ingest.normalise import drain_once

log = logging.getLogger(__name__)

# Rows of the last moment are being drained by whoever heard the bell. The oldest one, not EXISTS:
# after a backlog that would read the whole table.
_STALE = text(
    "select received_at < now() - interval '1 second' from inbox_keys where pending"
    " order by received_at limit 1"
)


class InboxDrain:
    """Normalises pending events. Use from one event loop.

    ``on_files`` is called when a message came with a file: it is to be had for minutes only.
    """

    def __init__(
        self, database: Database, settings: Settings, on_files: Callable[[], None]
    ) -> None:
        self._database = database
        self._on_files = on_files
        self._settings = settings
        self._lock = asyncio.Lock()
        self._again = False

    async def drain(self) -> None:
        """Drain until the work list is empty; a call during a drain makes it go on."""
        if self._lock.locked():
            self._again = True
            return
        async with self._lock:
            more = True
            while more:
                self._again = False
                drained = await drain_once(self._database, self._settings)
                if drained.files:
                    self._on_files()
                more = drained.more or self._again

    async def sweep_for_ever(self) -> None:
        """Find what a lost bell left behind, without the broker, until cancelled."""
        while True:
            await asyncio.sleep(self._settings.timings.sweep_s)
            try:
                async with self._database.system_statement() as connection:
                    stale = await connection.scalar(_STALE)
                if stale:
                    await self.drain()
            except Exception as error:  # noqa: BLE001 - the next sweep tries again
                log.warning("the inbox was not swept", extra={"errorType": type(error).__name__})
                if not is_away(error):
                    capture(error)
