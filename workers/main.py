"""The worker process: Celery's threads pool in front, one event loop behind.

The threads pool has no soft shutdown and no time limits, so both are ours: at SIGTERM we
stop claiming, give running turns a moment, cancel the rest and release their leases. A
watchdog ends the process with status 0 within a second, whatever Celery is waiting for;
nothing is lost, because the work and its leases are rows.
"""

import logging
import os
import signal
import sys
import threading
from types import FrameType
from typing import Any

from celery import Celery
from celery.signals import worker_ready, worker_shutting_down
from celery.worker import state

from app.core.config import Settings
from app.core.faults import install_from_environment
from app.core.logging import configure
from app.core.observability.sentry import close_sentry, init_sentry
from app.core.stopping import end_within
from app.queue import QUEUES, make_celery
from workers.runtime import Runtime
from workers.tasks.registry import register

log = logging.getLogger(__name__)

SERVICE = "worker"
_POOL_THREADS = 8


def run_worker() -> int:
    """Run until SIGTERM or SIGINT; return the exit status.

    Raises:
        ConfigurationError: settings that cannot be used.
        PrivilegedRoleError: a database login that would not be isolated.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)
    settings = Settings.from_environ()
    configure(SERVICE, settings.log_level)
    install_from_environment()
    init_sentry(settings, SERVICE)
    celery = make_celery(settings)
    runtime = Runtime(settings)
    register(celery, runtime)
    runtime.start()
    stopper = _Stopper(runtime)
    # An exit that Celery meets while it starts took it more than a second, and with the broker
    # away for ever.
    stopper.take_signals()
    worker_shutting_down.connect(stopper.on_signal, weak=False)
    worker_ready.connect(stopper.take_signals, weak=False)
    log.info("worker started", extra={"pid": os.getpid()})
    try:
        _work(celery, settings)
    finally:
        stopper.stop()
        close_sentry()
    return 0


def _leave(_number: int, _frame: FrameType | None) -> None:
    """Exit while parts are still being built: nothing was claimed for long."""
    end_within()
    sys.exit(0)


def _work(celery: Celery, settings: Settings) -> None:
    worker = celery.Worker(
        hostname=f"worker@{os.getpid()}",
        pool="threads",
        concurrency=_POOL_THREADS,
        queues=list(QUEUES),
        loglevel=settings.log_level,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        task_events=False,
        optimization="fair",
        quiet=True,
    )
    worker.start()


class _Stopper:
    """Stops the runtime once, and makes sure that the process ends."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._once = threading.Lock()
        self._stopped = threading.Event()

    def take_signals(self, **_: Any) -> None:
        """Replace Celery's handlers, which print a plain line into the JSON log."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_os_signal)

    def _on_os_signal(self, _number: int, _frame: FrameType | None) -> None:
        state.should_stop = 0
        self.on_signal()

    def on_signal(self, **_: Any) -> None:
        """Begin the stop from Celery's signal handler, without blocking it."""
        end_within()
        threading.Thread(target=self._stop_and_end, daemon=True, name="stop").start()

    def _stop_and_end(self) -> None:
        self.stop()
        end_within(0.0)  # what Celery still waits for are doorbells

    def stop(self) -> None:
        """Stop the runtime; the second caller waits for the first."""
        with self._once:
            if self._stopped.is_set():
                return
            try:
                self._runtime.stop()
            except Exception as error:  # noqa: BLE001 - leases run out by themselves
                log.warning("stop was not clean", extra={"errorType": type(error).__name__})
            self._stopped.set()
