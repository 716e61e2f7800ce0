"""The scheduler process: rings when turns become due, sweeps up lost bells, keeps house.

Any number may run; the holder of the row lease leads, the others wait to take over. It is
woken by NOTIFY when turns are opened, by the next due time, and once a second in any case,
so a lost notification costs a second and a lost bell five.
"""

import asyncio
import contextlib
import logging
import os
import signal
import time

from app.core.config import Settings
from app.core.db.away import is_away
from app.core.db.engine import Database
from app.core.db.listen import listen
from app.core.errors import PrivilegedRoleError
from app.core.faults import fault_point, install_from_environment
from app.core.logging import configure
from app.core.observability.sentry import capture, close_sentry, init_sentry
from app.core.ports import Doorbell
from app.core.stopping import end_within
from app.messaging.turns import due
from app.queue import CeleryDoorbell, make_celery
from workers.heartbeat import beat_for_ever, stop_beating
from workers.runtime import instance_name
from workers.scheduler import upkeep
from workers.scheduler.leadership import Leadership

log = logging.getLogger(__name__)

SERVICE = "scheduler"
_RENEWALS = 3  # within a term of leadership
_WAIT_MAX_S = 1.0
_WAIT_MIN_S = 0.01
_AGAIN_S = 1.0
_STOP_S = 0.5


def run_scheduler() -> int:
    """Run until SIGTERM or SIGINT; return the exit status.

    Raises:
        ConfigurationError: settings that cannot be used.
        PrivilegedRoleError: a database login that would not be isolated.
    """
    settings = Settings.from_environ()
    configure(SERVICE, settings.log_level)
    install_from_environment()
    init_sentry(settings, SERVICE)
    try:
        asyncio.run(_serve(settings))
    finally:
        close_sentry()
    return 0


async def _serve(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    database = Database.from_settings(settings, pool_size=4)
    doorbell = CeleryDoorbell(make_celery(settings))
    instance = instance_name(SERVICE)
    scheduler = Scheduler(database, doorbell, settings, owner=instance)
    await _check_roles(database)
    log.info("scheduler started", extra={"pid": os.getpid()})
    beat = beat_for_ever(database, service=SERVICE, instance=instance)
    tasks = [
        asyncio.create_task(beat, name="heartbeat"),
        asyncio.create_task(scheduler.dispatch_for_ever(), name="dispatch"),
        asyncio.create_task(scheduler.keep_house_for_ever(), name="upkeep"),
        asyncio.create_task(
            listen(settings.database_system_url, due.CHANNEL, scheduler.wake), name="listen"
        ),
    ]
    await stop.wait()
    end_within()
    for task in tasks:
        task.cancel()
    with contextlib.suppress(Exception):
        async with asyncio.timeout(_STOP_S):
            await asyncio.gather(*tasks, return_exceptions=True)
            await scheduler.step_down()
            await stop_beating(database, instance=instance)
            await doorbell.close()
            await database.close()
    end_within(0.0)  # what is left are idle threads, and they take their time


async def _check_roles(database: Database) -> None:
    try:
        await database.check()
    except PrivilegedRoleError:
        raise
    except Exception as error:  # noqa: BLE001 - waits for the database like everything else
        log.warning("the database is away", extra={"errorType": type(error).__name__})


class Scheduler:
    """The dispatcher and the housekeeping of whoever leads."""

    def __init__(
        self, database: Database, doorbell: Doorbell, settings: Settings, *, owner: str
    ) -> None:
        self._database = database
        self._doorbell = doorbell
        self._settings = settings
        self._term_s = settings.timings.lead_s
        self._leadership = Leadership(
            database, name="dispatcher", owner=owner, lease_s=self._term_s
        )
        self._leads_until = 0.0
        self._renew_at = 0.0
        self._wake = asyncio.Event()
        self._rung_at: dict[str, float] = {}

    def wake(self) -> None:
        """Look at the queue now."""
        self._wake.set()

    async def step_down(self) -> None:
        """Let another process lead at once."""
        if self._leads:
            await self._leadership.release()

    @property
    def _leads(self) -> bool:
        return time.monotonic() < self._leads_until

    async def dispatch_for_ever(self) -> None:
        """Ring for what is due, until cancelled; errors are waited out."""
        while True:
            wait_s = _WAIT_MAX_S
            self._wake.clear()
            try:
                if await self._lead():
                    wait_s = await self._dispatch()
            except Exception as error:  # noqa: BLE001 - a database away is waited for
                self._leads_until = 0.0
                log.warning("dispatching failed", extra={"errorType": type(error).__name__})
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), wait_s)

    async def keep_house_for_ever(self) -> None:
        """Run periodic work while leading, until cancelled."""
        chores = upkeep.chores(self._settings)
        next_at = dict.fromkeys((c.name for c in chores), 0.0)
        while True:
            for chore in chores:
                if self._leads and time.monotonic() >= next_at[chore.name]:
                    next_at[chore.name] = time.monotonic() + chore.every_s
                    await self._run(chore)
            await asyncio.sleep(_WAIT_MAX_S)

    async def _run(self, chore: upkeep.Chore) -> None:
        try:
            await upkeep.run(self._database, chore)
        except Exception as error:  # noqa: BLE001 - one chore must not stop the others
            log.warning(
                "upkeep failed", extra={"task": chore.name, "errorType": type(error).__name__}
            )
            if not is_away(error):
                capture(error)

    async def _lead(self) -> bool:
        now = time.monotonic()
        if self._leads and now < self._renew_at:
            return True
        led = self._leads
        if not await self._leadership.take():
            self._leads_until = 0.0
            return False
        # Counted from before the call: our term ends no later than the row's.
        self._leads_until = now + self._term_s
        self._renew_at = now + self._term_s / _RENEWALS
        if not led:
            log.info("this scheduler leads", extra={"leader": 1})
        return True

    async def _dispatch(self) -> float:
        """Ring what has to be rung; return the seconds until the next look."""
        promoted = await due.promote(self._database)
        outlook = await due.outlook(self._database)
        if promoted:
            await self._ring("reply", again_s=0.0)
        elif outlook.due or outlook.abandoned:
            await self._ring("reply", again_s=_AGAIN_S)
        if outlook.inbox_stale:
            await self._ring("ingest", again_s=_AGAIN_S)
        if outlook.media_stale:
            await self._ring("media", again_s=_AGAIN_S)
        if promoted >= due.PROMOTED_MAX:
            return _WAIT_MIN_S
        next_s = _WAIT_MAX_S if outlook.next_s is None else outlook.next_s + 0.001
        return min(max(next_s, _WAIT_MIN_S), _WAIT_MAX_S)

    async def _ring(self, queue: str, *, again_s: float) -> None:
        """Ring, but remind of work that was rung for before only every ``again_s``."""
        now = time.monotonic()
        if again_s and now - self._rung_at.get(queue, -again_s) < again_s:
            return
        fault_point("dispatch.before_bell")
        await self._doorbell.ring(queue)
        self._rung_at[queue] = now
