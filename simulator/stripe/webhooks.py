"""Stripe's webhooks: signed anew at each attempt, tried again with growing pauses."""

import asyncio
import hashlib
import hmac
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import msgspec

from simulator.clock import ScaledClock, now_ms
from simulator.faults import FaultPlan
from simulator.stripe.store import API_VERSION, Object, new_id, now_s
from simulator.waha.webhook_client import WebhookClient

EVENTS_MAX = 5_000
# Stripe's own spread over three days; here nobody waits longer than ten minutes.
RETRY_WAITS_S = (2.0, 5.0, 15.0, 60.0, 120.0, 300.0, 600.0)


@dataclass(slots=True)
class Event:
    """One event with the attempts to deliver it."""

    body: Object
    attempts: list[dict[str, Any]] = field(default_factory=list)
    delivered: bool = False

    def view(self) -> dict[str, Any]:
        """The event as `GET /_sim/stripe/events` shows it."""
        return {
            "id": self.body["id"],
            "type": self.body["type"],
            "object": self.body["data"]["object"].get("id"),
            "delivered": self.delivered,
            "attempts": self.attempts,
        }


class StripeWebhooks:
    """Sends events to one endpoint; without one they are only listed."""

    def __init__(
        self, url: str | None, secret: str | None, clock: ScaledClock, faults: FaultPlan
    ) -> None:
        self.url = url
        self.secret = secret or ""
        self._clock = clock
        self._faults = faults
        self._client = WebhookClient()
        self._events: deque[Event] = deque(maxlen=EVENTS_MAX)
        self._tasks: set[asyncio.Task[None]] = set()

    def emit(self, kind: str, item: Object, *, copies: int = 1) -> Event:
        """Make an event of an object as it is now, and send it `copies` times."""
        shown = {key: value for key, value in item.items() if key != "payment_metadata"}
        event = Event(
            {
                "id": new_id("evt"),
                "object": "event",
                "api_version": API_VERSION,
                "created": now_s(),
                "livemode": False,
                "pending_webhooks": 1,
                "type": kind,
                "data": {"object": msgspec.json.decode(msgspec.json.encode(shown))},
            }
        )
        self._events.append(event)
        self.send(event, copies=copies)
        return event

    def send(self, event: Event, *, copies: int = 1) -> None:
        """Deliver an event, `copies` times side by side."""
        if self.url is None:
            return
        for _ in range(copies):
            task = asyncio.get_running_loop().create_task(self._deliver(event, self.url))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def find(self, event_id: str) -> Event | None:
        """One event by its id."""
        return next((e for e in self._events if e.body["id"] == event_id), None)

    def views(self) -> list[dict[str, Any]]:
        """All events, oldest first."""
        return [event.view() for event in self._events]

    def forget(self) -> int:
        """Forget events and drop pending retries; returns how many events there were."""
        for task in self._tasks:
            task.cancel()
        gone = len(self._events)
        self._events.clear()
        return gone

    async def close(self) -> None:
        """End everything that is under way."""
        self.forget()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.close()

    async def _deliver(self, event: Event, url: str) -> None:
        body = msgspec.json.encode(event.body)
        for wait_s in (*RETRY_WAITS_S, None):
            status = await self._attempt(event, url, body)
            if status is not None and 200 <= status < 300:  # noqa: PLR2004
                event.delivered = True
                return
            if wait_s is None:
                return
            await self._clock.sleep(wait_s)

    async def _attempt(self, event: Event, url: str, body: bytes) -> int | None:
        headers = [
            ("Content-Type", "application/json; charset=utf-8"),
            ("User-Agent", "Stripe/1.0 (+https://stripe.com/docs/webhooks)"),
            ("Stripe-Signature", sign(self.secret, body, int(time.time()))),
        ]
        attempt: dict[str, Any] = {"at_ms": now_ms(), "status": None}
        event.attempts.append(attempt)
        fault = self._faults.take("webhook", urlsplit(url).path)
        if fault and fault.delay_ms:
            await asyncio.sleep(fault.delay_ms / 1000)
        if fault and fault.drop == "before":
            return None
        try:
            for _ in range(1 + (fault.duplicate if fault else 0)):
                attempt["status"] = (await self._client.post(url, headers, body)).status
        except OSError as error:
            attempt["error"] = type(error).__name__
        if fault and (fault.drop == "after" or fault.status is not None):
            return fault.status
        status: int | None = attempt["status"]
        return status


def sign(secret: str, body: bytes, at_s: int) -> str:
    """The `Stripe-Signature` header: `t=…,v1=` HMAC-SHA256 of `t.body`."""
    digest = hmac.new(secret.encode(), f"{at_s}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at_s},v1={digest}"
