"""Webhook deliveries: signed and retried exactly as WAHA's sender does it.

Every delivery is on its own: concurrent, with retries in memory only, byte-identical each time
(the old timestamp included). Any answer outside 200-299 is retried, whatever it says.
"""

import asyncio
import hashlib
import hmac
import random
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from simulator.clock import ScaledClock, now_ms
from simulator.faults import Fault, FaultPlan
from simulator.ids import webhook_request_id
from simulator.waha.webhook_client import Answer, Headers, WebhookClient

DELIVERIES_MAX = 20_000
IN_FLIGHT_MAX = 256
REORDER_WAIT_S = 2.0
DEFAULT_DELAY_S = 2.0
DEFAULT_ATTEMPTS = 15
# `*` means everything but these two.
NOT_IN_WILDCARD = frozenset({"state.change", "engine.event"})


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookTarget:
    """One configured webhook (`config.webhooks[]`, or WAHA's global one)."""

    url: str
    events: frozenset[str]
    hmac_key: str | None = None
    policy: str = "constant"
    delay_s: float = DEFAULT_DELAY_S
    attempts: int = DEFAULT_ATTEMPTS
    custom_headers: tuple[tuple[str, str], ...] = ()

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "WebhookTarget":
        """Read WAHA's own webhook configuration; what is absent or null has WAHA's defaults."""
        retries = config.get("retries") or {}
        delay, attempts = retries.get("delaySeconds"), retries.get("attempts")
        return cls(
            url=str(config["url"]),
            events=frozenset(config.get("events") or ()),
            hmac_key=(config.get("hmac") or {}).get("key") or None,
            policy=retries.get("policy") or "constant",
            delay_s=DEFAULT_DELAY_S if delay is None else float(delay),
            attempts=DEFAULT_ATTEMPTS if attempts is None else int(attempts),
            custom_headers=tuple(
                (str(h["name"]), str(h["value"])) for h in config.get("customHeaders") or ()
            ),
        )

    def wants(self, event: str) -> bool:
        """Whether this webhook gets an event."""
        return event in self.events or ("*" in self.events and event not in NOT_IN_WILDCARD)

    def headers(self, *, body: bytes, version: str, request_id: str, timestamp_ms: int) -> Headers:
        """All headers up to Content-Length, in WAHA's order.

        Custom headers can replace the first three, never the signed ones.
        """
        base = {
            "Accept": "application/json, text/plain, */*",
            "Content-Type": "application/json",
            "User-Agent": f"WAHA/{version}",
        }
        own = {
            "X-Webhook-Request-Id": request_id,
            "X-Webhook-Timestamp": str(timestamp_ms),
        }
        if self.hmac_key:
            own["X-Webhook-Hmac"] = sign(self.hmac_key, body)
            own["X-Webhook-Hmac-Algorithm"] = "sha512"
        reserved = {name.lower() for name in own}
        names = {name.lower(): name for name in base}
        for name, value in self.custom_headers:
            if name.lower() not in reserved:
                base[names.get(name.lower(), name)] = value
        return [*base.items(), *own.items()]

    def wait_s(self, retry: int, answer: Answer | None) -> float:
        """The wait before the n-th retry (from 1), in seconds, before scaling."""
        if self.policy == "linear":
            wait = self.delay_s * retry
        elif self.policy == "exponential":
            wait = self.delay_s * 2**retry
            wait += wait * 0.2 * random.random()
        else:
            wait = self.delay_s
        return max(wait, retry_after_s(answer))


def sign(key: str, body: bytes) -> str:
    """HMAC-SHA512 over the raw bytes, lower-case hex; the key is the string's UTF-8 bytes."""
    return hmac.new(key.encode(), body, hashlib.sha512).hexdigest()


def retry_after_s(answer: Answer | None) -> float:
    """The answer's Retry-After in seconds (a number or a date), 0 without one."""
    value = answer.headers.get("retry-after", "") if answer else ""
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return 0.0
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


@dataclass(slots=True, kw_only=True)
class Delivery:
    """One event on its way to one webhook."""

    target: WebhookTarget
    event_id: str
    event: str
    session: str
    headers: Headers
    body: bytes
    request_id: str
    attempts: list[dict[str, Any]] = field(default_factory=list)
    delivered: bool = False

    def view(self) -> dict[str, Any]:
        """The delivery as `GET /_sim/webhooks` shows it."""
        return {
            "event_id": self.event_id,
            "event": self.event,
            "session": self.session,
            "url": self.target.url,
            "attempts": self.attempts,
            "delivered": self.delivered,
            "request_id": self.request_id,
        }


class WebhookSender:
    """Sends deliveries concurrently and remembers the newest ones."""

    def __init__(self, clock: ScaledClock, faults: FaultPlan) -> None:
        self._clock = clock
        self._faults = faults
        self._client = WebhookClient()
        self._deliveries: deque[Delivery] = deque(maxlen=DELIVERIES_MAX)
        self._tasks: set[asyncio.Task[None]] = set()
        self._slots = asyncio.Semaphore(IN_FLIGHT_MAX)
        self._held: dict[str, list[asyncio.Event]] = {}

    def send(
        self,
        target: WebhookTarget,
        *,
        event: str,
        event_id: str,
        session: str,
        body: bytes,
        version: str,
        timestamp_ms: int,
    ) -> None:
        """Start one delivery; returns at once."""
        request_id = webhook_request_id()
        headers = target.headers(
            body=body, version=version, request_id=request_id, timestamp_ms=timestamp_ms
        )
        delivery = Delivery(
            target=target,
            event_id=event_id,
            event=event,
            session=session,
            headers=headers,
            body=body,
            request_id=request_id,
        )
        self._deliveries.append(delivery)
        task = asyncio.get_running_loop().create_task(self._deliver(delivery))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def views(self) -> list[dict[str, Any]]:
        """The deliveries in the order their events happened."""
        return [delivery.view() for delivery in self._deliveries]

    @property
    def pending(self) -> int:
        """Deliveries that are not over."""
        return len(self._tasks)

    def drop_pending(self) -> None:
        """Drop all pending retries, as a restart of WAHA does."""
        for task in self._tasks:
            task.cancel()

    def forget(self) -> int:
        """Drop the list and all pending retries; returns how many were listed."""
        gone = len(self._deliveries)
        self.drop_pending()
        self._deliveries.clear()
        return gone

    async def close(self) -> None:
        """Give up everything that is pending."""
        self.forget()
        await self._client.close()

    async def _deliver(self, delivery: Delivery) -> None:
        target = delivery.target
        for retry in range(target.attempts + 1):
            fault = self._faults.take("webhook", urlsplit(target.url).path or "/")
            if fault and fault.reorder:
                await self._hold(target.url)
            answer = await self._attempt(delivery, fault)
            self._release(target.url)
            if answer and answer.status // 100 == 2:  # noqa: PLR2004 - the 2xx class
                delivery.delivered = True
                break
            if retry < target.attempts:
                await self._clock.sleep(target.wait_s(retry + 1, answer))
        # Nothing sends it again: keep the record, not the bytes.
        delivery.body = b""

    async def _attempt(self, delivery: Delivery, fault: Fault | None) -> Answer | None:
        if fault and fault.delay_ms:
            await asyncio.sleep(fault.delay_ms / 1000)
        answer = await self._recorded(delivery, fault)
        for _ in range(fault.duplicate if fault else 0):
            await self._recorded(delivery, None)
        return answer

    async def _recorded(self, delivery: Delivery, fault: Fault | None) -> Answer | None:
        record: dict[str, Any] = {"at_ms": now_ms()}
        delivery.attempts.append(record)
        try:
            answer = await self._post(delivery, fault)
        except (OSError, TimeoutError) as exc:
            record["error"] = str(exc) or type(exc).__name__
            return None
        record["status"] = answer.status
        return answer

    async def _post(self, delivery: Delivery, fault: Fault | None) -> Answer:
        if fault and fault.drop == "before":
            raise ConnectionResetError("simulated fault: dropped before the receiver saw it")
        if fault and fault.status is not None:
            lower = {name.lower(): value for name, value in fault.headers.items()}
            return Answer(status=fault.status, headers=lower)
        async with self._slots:
            answer = await self._client.post(delivery.target.url, delivery.headers, delivery.body)
        if fault and fault.drop == "after":
            raise ConnectionResetError("simulated fault: the answer was lost")
        return answer

    async def _hold(self, url: str) -> None:
        """Wait until another delivery to the same address went out first."""
        overtaken = asyncio.Event()
        self._held.setdefault(url, []).append(overtaken)
        try:
            async with asyncio.timeout(REORDER_WAIT_S):
                await overtaken.wait()
        except TimeoutError:
            pass
        finally:
            if overtaken in self._held.get(url, ()):
                self._held[url].remove(overtaken)

    def _release(self, url: str) -> None:
        for overtaken in self._held.pop(url, ()):
            overtaken.set()
