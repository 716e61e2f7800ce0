"""The turn runner: claims due turns for one process and runs them side by side.

One pump claims, whenever a bell rings, a turn ends (its place and its tenant's are free
again) or the sweep's time has come. Turns are tasks on the process's event loop; the lease
in PostgreSQL says whose they are, and is renewed for all of them at once.
"""

import asyncio
import contextlib
import logging
import random
import time
from uuid import UUID

from app.core.db.away import is_away
from app.core.errors import ExpectedError, FaultInjectedError
from app.core.observability.context import bind
from app.core.observability.sentry import capture
from app.messaging.sends.delivering import deliver
from app.messaging.turns.claiming import claim, release, renew
from app.messaging.turns.generating import admit, generate, give_up, park
from app.messaging.turns.model import ClaimedTurn, Engine, LeaseLostError

log = logging.getLogger(__name__)

CAPACITY = 400
_CLAIM_MAX = 64
# Turns that end together make room together: one claim fills it, and what it brings goes on
# in company. The first claim after a quiet moment waits for nobody.
_CLAIM_EVERY_S = 0.02
_ATTEMPTS_MAX = 8
_BACKOFF_MAX_S = 60.0


class TurnRunner:
    """Runs turns until told to stop. Use from one event loop."""

    def __init__(self, engine: Engine, *, capacity: int = CAPACITY) -> None:
        self._engine = engine
        self._capacity = capacity
        self._running: dict[UUID, tuple[ClaimedTurn, asyncio.Task[None]]] = {}
        self._wake = asyncio.Event()
        self._stopping = False
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def running(self) -> int:
        """How many turns run now."""
        return len(self._running)

    def start(self) -> None:
        """Start the pump and the renewal of leases."""
        self._tasks = [
            asyncio.create_task(self._pump(), name="turns.pump"),
            asyncio.create_task(self._renew(), name="turns.renew"),
        ]

    def kick(self) -> None:
        """Look for due turns soon."""
        self._wake.set()

    async def stop(self, grace_s: float) -> None:
        """Stop claiming, let turns end for a moment, then give the rest back."""
        self._stopping = True
        self._wake.set()
        ends_at = time.monotonic() + grace_s  # the watchdog leaves no time for two of them
        if self._tasks:
            # The pump ends by itself: cancelled in the middle of a claim it would leave turns
            # under leases that nobody works on.
            await asyncio.wait(self._tasks[:1], timeout=grace_s)
        for task in self._tasks:
            task.cancel()
        running = {task for _, task in self._running.values()}
        if running:
            await asyncio.wait(running, timeout=max(ends_at - time.monotonic(), 0))
        left = [(turn, task) for turn, task in self._running.values() if not task.done()]
        for _, task in left:
            task.cancel()
        await asyncio.gather(*(task for _, task in left), return_exceptions=True)
        await self._engine.batches.close()
        await release(self._engine.database, [turn for turn, _ in left], owner=self._engine.owner)
        if left:
            log.info("turns given back at stop", extra={"released": len(left)})

    async def _pump(self) -> None:
        sweep_s = self._engine.settings.timings.sweep_s
        claimed_at = -_CLAIM_EVERY_S
        while not self._stopping:
            if (wait_s := claimed_at + _CLAIM_EVERY_S - time.monotonic()) > 0:
                await asyncio.sleep(wait_s)
            claimed_at = time.monotonic()
            self._wake.clear()
            try:
                await self._claim_all()
            except Exception as error:  # noqa: BLE001 - the next wake tries again
                log.warning("claiming failed", extra={"errorType": type(error).__name__})
                await asyncio.sleep(random.uniform(0.2, 0.6))  # noqa: S311 - spreads retries
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), sweep_s)

    async def _claim_all(self) -> None:
        while not self._stopping:
            room = min(self._capacity - len(self._running), _CLAIM_MAX)
            if room <= 0:
                return
            turns = await claim(
                self._engine.database,
                owner=self._engine.owner,
                lease_s=self._engine.settings.timings.lease_s,
                turns_max=room,
            )
            for turn in turns:
                if (stale := self._running.get(turn.id)) is not None:
                    stale[1].cancel()  # our own lease of it ran out: one of us goes on
                task = asyncio.create_task(self._run(turn), name=f"turn.{turn.id}")
                self._running[turn.id] = (turn, task)
            if len(turns) < room:
                return

    async def _renew(self) -> None:
        timings = self._engine.settings.timings
        while True:
            await asyncio.sleep(timings.renew_s)
            held = [turn for turn, _ in self._running.values()]
            if not held:
                continue
            try:
                kept = await renew(
                    self._engine.database,
                    held,
                    owner=self._engine.owner,
                    lease_s=timings.lease_s,
                )
            except Exception as error:  # noqa: BLE001 - the lease has time for another try
                log.warning("leases not renewed", extra={"errorType": type(error).__name__})
                continue
            for turn in held:
                entry = self._running.get(turn.id)
                if turn.id not in kept and entry is not None and entry[0] is turn:
                    entry[1].cancel()

    async def _run(self, turn: ClaimedTurn) -> None:
        with bind(request_id=turn.request_id, tenant_id=turn.tenant_id, task_id=str(turn.id)):
            try:
                await self._steps(turn)
            except LeaseLostError:
                log.info("lease lost", extra={"turnId": turn.id, "epoch": turn.epoch})
            except asyncio.CancelledError:
                raise
            except Exception as error:  # noqa: BLE001 - parked for another try, and reported
                await self._after_crash(turn, error)
            finally:
                entry = self._running.get(turn.id)
                if entry is not None and entry[0] is turn:
                    del self._running[turn.id]
                self._wake.set()

    async def _steps(self, turn: ClaimedTurn) -> None:
        if turn.state == "claimed" and not await admit(self._engine, turn):
            return
        if turn.state not in {"claimed", "held"}:
            await deliver(self._engine, turn)
        elif parts := await generate(self._engine, turn):
            await deliver(self._engine, turn, parts)

    async def _after_crash(self, turn: ClaimedTurn, error: Exception) -> None:
        """Park a turn that met an unexpected error; one that keeps meeting it is given up."""
        expected = isinstance(error, ExpectedError | FaultInjectedError) or is_away(error)
        log.error(
            "a turn met an error",
            exc_info=error,
            extra={
                "turnId": turn.id,
                "attempt": turn.attempts,
                "errorType": type(error).__name__,
            },
        )
        if not expected:
            capture(error, tenant_id=turn.tenant_id, request_id=turn.request_id)
        try:
            if turn.attempts >= _ATTEMPTS_MAX and turn.state in {"claimed", "held"}:
                if await give_up(self._engine, turn, reason="internal"):
                    await park(self._engine, turn, 0.0)  # its hand-over text wants to be sent
                return
            base_s = self._engine.settings.timings.retry_base_s
            await park(self._engine, turn, min(base_s * 2**turn.attempts, _BACKOFF_MAX_S))
        except LeaseLostError:
            return
        except Exception as again:  # noqa: BLE001 - the lease runs out, then it is claimed again
            log.warning("a turn was not parked", extra={"errorType": type(again).__name__})
