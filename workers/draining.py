"""Draining a table of work (mails, Stripe's events): when a bell rings, and by a sweep."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

from app.core.db.away import is_away
from app.core.observability.sentry import capture

log = logging.getLogger(__name__)


class Drain:
    """Runs ``work`` until it says that nothing is left. Use from one event loop.

    Args:
        name: for the log.
        work: does one batch; True when more may wait.
        sweep_s: how often it looks by itself, in seconds.
    """

    def __init__(self, name: str, work: Callable[[], Awaitable[bool]], sweep_s: float) -> None:
        self._name = name
        self._work = work
        self._sweep_s = sweep_s
        self._bell = asyncio.Event()

    def kick(self) -> None:
        """Look now; during a drain, once more after it."""
        self._bell.set()

    async def run_for_ever(self) -> None:
        """Drain at each bell, and what a lost bell left behind or a retry is due for."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._bell.wait(), self._sweep_s)
            self._bell.clear()
            try:
                while await self._work():
                    pass
            except Exception as error:  # noqa: BLE001 - the next look tries again
                log.warning(
                    "a drain failed",
                    extra={"task": self._name, "errorType": type(error).__name__},
                )
                if not is_away(error):
                    capture(error)
