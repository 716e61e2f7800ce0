"""Keeps the processes of `parley up` alive: what dies is started again within two seconds."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from app.cli.local.service import Service

TICK_S = 0.1
# A process that lived this long died of something new: start it again at once.
SETTLED_S = 10.0
DELAY_FIRST_S = 0.1
DELAY_MAX_S = 1.5
STOP_GRACE_S = 3.0


@dataclass(slots=True)
class Watched:
    """One service, and when it may be started again."""

    service: Service
    group: int
    started_s: float
    quick_deaths: int = 0
    restart_at_s: float | None = None


class Supervisor:
    """Watches services from the main thread and never gives up on one.

    `on_change` hears of every new pid, `report` gets one line for people for every death. Services
    of the highest group stop first, those of one group together.
    """

    def __init__(
        self,
        *,
        on_change: Callable[[], None] = lambda: None,
        report: Callable[[str], None] = lambda _line: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._on_change = on_change
        self._report = report
        self._clock = clock
        self._watched: list[Watched] = []

    def watch(self, service: Service, *, group: int) -> None:
        """Look after a service that has been started."""
        self._watched.append(Watched(service, group, self._clock()))

    def pids(self) -> dict[str, int | None]:
        """Process id by service name."""
        return {watched.service.name: watched.service.pid for watched in self._watched}

    def services(self) -> list[Service]:
        """All that is watched."""
        return [watched.service for watched in self._watched]

    def run(self, stop: threading.Event) -> None:
        """Watch until `stop` is set."""
        while not stop.wait(TICK_S):
            self.check()

    def check(self) -> None:
        """One look at every service."""
        for watched in self._watched:
            status = watched.service.poll()
            if status is None:
                continue
            if watched.restart_at_s is None:
                self._schedule(watched, status)
            if watched.restart_at_s is not None and self._clock() >= watched.restart_at_s:
                self._restart(watched)

    def stop(self) -> None:
        """Stop all, dependants before what they depend on; kill what does not listen."""
        for group in sorted({watched.group for watched in self._watched}, reverse=True):
            members = [watched for watched in self._watched if watched.group == group]
            for watched in members:
                watched.service.request_stop()
            deadline = self._clock() + STOP_GRACE_S
            for watched in members:
                watched.service.finish_stop(max(0.1, deadline - self._clock()))
        self._watched.clear()

    def _schedule(self, watched: Watched, status: int) -> None:
        now = self._clock()
        settled = now - watched.started_s >= SETTLED_S
        watched.quick_deaths = 0 if settled else watched.quick_deaths + 1
        delay_s = min(DELAY_MAX_S, DELAY_FIRST_S * 2 ** min(watched.quick_deaths, 8))
        watched.restart_at_s = now + (0 if settled else delay_s)
        # A process that cannot start dies every other second: told at its 1st, 2nd, 4th, 8th death.
        if watched.quick_deaths & (watched.quick_deaths - 1) == 0:
            cause = f"signal {-status}" if status < 0 else f"status {status}"
            self._report(f"{watched.service.name} ended ({cause}); starting it again")

    def _restart(self, watched: Watched) -> None:
        try:
            watched.service.spawn()
        except OSError as error:  # out of memory or processes: try again, do not fall over
            self._report(f"{watched.service.name} could not be started: {error}")
            watched.restart_at_s = self._clock() + DELAY_MAX_S
            return
        watched.started_s = self._clock()
        watched.restart_at_s = None
        self._on_change()
