"""The desk runner: sends what people wrote in the inbox, beside the assistant's replies."""

import asyncio
import contextlib
import logging

from app.core.db.away import is_away
from app.core.errors import ExpectedError, FaultInjectedError
from app.core.observability.context import bind
from app.core.observability.sentry import capture
from app.messaging.desk.delivering import ClaimedSend, DeskDelivery

log = logging.getLogger(__name__)

AT_ONCE_MAX = 32


class DeskRunner:
    """Sends people's messages until cancelled, then gives back what it has. Use from one loop.

    Whatever goes wrong leaves a message under its lease: when that ends it is claimed again, in
    the state in which it was left.
    """

    def __init__(
        self, delivery: DeskDelivery, *, sweep_s: float, at_once_max: int = AT_ONCE_MAX
    ) -> None:
        self._delivery = delivery
        self._sweep_s = sweep_s
        self._at_once_max = at_once_max
        self._wake = asyncio.Event()
        self._running: dict[asyncio.Task[None], ClaimedSend] = {}

    def kick(self) -> None:
        """Look for messages soon."""
        self._wake.set()

    async def run_for_ever(self) -> None:
        """Claim and send, at each bell, at each end, and by a sweep."""
        try:
            while True:
                self._wake.clear()
                try:
                    await self._claim()
                except Exception as error:  # noqa: BLE001 - the next look tries again
                    log.warning(
                        "people's messages were not looked at",
                        extra={"errorType": type(error).__name__},
                    )
                    if not is_away(error):
                        capture(error)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), self._sweep_s)
        finally:
            await self._give_back()

    async def _give_back(self) -> None:
        left = dict(self._running)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        try:
            await self._delivery.release(list(left.values()))
        except Exception as error:  # noqa: BLE001 - the leases run out
            log.warning(
                "people's messages were not given back", extra={"errorType": type(error).__name__}
            )

    async def _claim(self) -> None:
        while (room := self._at_once_max - len(self._running)) > 0:
            claimed = await self._delivery.claim(sends_max=room)
            for each in claimed:
                task = asyncio.create_task(self._run(each), name=f"desk.{each.send_id}")
                self._running[task] = each
                task.add_done_callback(self._done)
            if len(claimed) < room:
                return

    def _done(self, task: asyncio.Task[None]) -> None:
        self._running.pop(task, None)
        self._wake.set()

    async def _run(self, claimed: ClaimedSend) -> None:
        with bind(tenant_id=claimed.tenant_id, task_id=str(claimed.send_id)):
            try:
                await self._delivery.deliver(claimed)
            except asyncio.CancelledError:
                raise
            except Exception as error:
                log.error(  # noqa: TRY400 - with its fields
                    "a person's message met an error",
                    exc_info=error,
                    extra={"sendId": claimed.send_id, "errorType": type(error).__name__},
                )
                expected = isinstance(error, ExpectedError | FaultInjectedError)
                if not (expected or is_away(error)):
                    capture(error, tenant_id=claimed.tenant_id)
