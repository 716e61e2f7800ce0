"""The Celery application, and the doorbell that rings through it.

A Celery message carries nothing but "there is work": PostgreSQL holds the work, a lease
decides who does it, and a sweep finds what a lost message missed. So the broker may lose or
double any of them.
"""

import asyncio
import logging
import time
from collections import Counter
from typing import Any

from app.core.config import Settings
from app.core.errors import ConfigurationError

log = logging.getLogger(__name__)

QUEUES = ("ingest", "reply", "media", "mail", "webhook", "housekeeping")
DRAIN_TASKS = {
    "ingest": "ingest.drain_inbox",
    "reply": "reply.drain_turns",
    "media": "media.fetch_wanted",
    "mail": "mail.send_queued",
    "webhook": "webhook.process_events",
    "housekeeping": "housekeeping.read_knowledge",
}

# A ring costs about 4 ms of CPU here and 7 ms in the worker. The first ring of a quiet queue
# goes out at once, those of a burst at the first pace, those of a load that lasts at the second.
_RING_EVERY_S = 0.05
_RING_EVERY_BUSY_S = 0.1
_BURST_RINGS = 10
_SOCKET_TIMEOUT_S = 5
_VISIBILITY_TIMEOUT_S = 300


def make_celery(settings: Settings) -> Any:
    """Build the ``celery.Celery`` application for a process.

    Everything is set here and nothing is read from the environment: ``CELERY_BROKER_URL``
    would silently win over a broker given to the constructor, so it is set as configuration.

    Raises:
        ConfigurationError: no broker is named; Celery would look for one of its own choice.
    """
    if not settings.redis_url:
        raise ConfigurationError(["REDIS_URL is missing: Celery's broker."])
    # Imported on first use: it costs more than the rest of the API's start together.
    from celery import Celery
    from kombu.entity import Queue

    celery = Celery("parley", set_as_current=True)
    celery.conf.update(
        broker_url=settings.redis_url,
        broker_read_url=settings.redis_url,
        broker_write_url=settings.redis_url,
        result_backend=None,
        task_ignore_result=True,
        task_serializer="json",
        accept_content=["json"],
        enable_utc=True,
        task_queues=[Queue(name) for name in QUEUES],  # type: ignore[no-untyped-call]
        task_default_queue="housekeeping",
        task_create_missing_queues=False,
        # Safe only because a task may run twice: it is a doorbell.
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_send_task_events=False,
        worker_enable_remote_control=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={
            "visibility_timeout": _VISIBILITY_TIMEOUT_S,
            "socket_timeout": 15,
            "socket_connect_timeout": _SOCKET_TIMEOUT_S,
            "socket_keepalive": True,
            "health_check_interval": 25,
            "global_keyprefix": "parley:",
        },
        visibility_timeout=_VISIBILITY_TIMEOUT_S,
    )
    return celery


class CeleryDoorbell:
    """Rings for a queue at a bounded pace; one ring in flight and one to follow, at most.

    A ring that cannot be published is logged once per outage and forgotten: the sweep finds
    the work. Use from one event loop.
    """

    def __init__(self, celery: Any) -> None:
        self._celery = celery
        self._ringing: dict[str, asyncio.Task[None]] = {}
        self._again: set[str] = set()
        self._rang_at: dict[str, float] = {}
        self._in_a_row: Counter[str] = Counter()
        self._silent = False

    async def ring(self, queue: str) -> None:
        """Ring, or let the ring that is under way be followed by another."""
        if queue in self._ringing:
            self._again.add(queue)
            return
        self._ringing[queue] = asyncio.create_task(self._ring(queue), name=f"ring.{queue}")

    async def close(self) -> None:
        """Wait for rings under way, briefly."""
        self._again.clear()
        if tasks := list(self._ringing.values()):
            await asyncio.wait(tasks, timeout=0.3)

    async def _ring(self, queue: str) -> None:
        try:
            while True:
                if (wait_s := self._wait_s(queue)) > 0:
                    await asyncio.sleep(wait_s)
                self._again.discard(queue)
                self._rang_at[queue] = time.monotonic()
                await asyncio.to_thread(self._publish, queue)
                if queue not in self._again:
                    return
        finally:
            del self._ringing[queue]

    def _wait_s(self, queue: str) -> float:
        """How long the next ring has to wait; longer where many before it had to."""
        busy = self._in_a_row[queue] >= _BURST_RINGS
        every_s = _RING_EVERY_BUSY_S if busy else _RING_EVERY_S
        wait_s = self._rang_at.get(queue, 0.0) + every_s - time.monotonic()
        self._in_a_row[queue] = self._in_a_row[queue] + 1 if wait_s > 0 else 0
        return wait_s

    def _publish(self, queue: str) -> None:
        try:
            self._celery.send_task(
                DRAIN_TASKS[queue],
                queue=queue,
                ignore_result=True,
                retry=False,
                # A ring nobody heard for a minute is stale; the sweep has rung since.
                expires=60,
            )
        except Exception as error:  # noqa: BLE001 - any broker failure is the same: silence
            if not self._silent:
                log.warning("the doorbell is silent", extra={"errorType": type(error).__name__})
            self._silent = True
        else:
            self._silent = False
