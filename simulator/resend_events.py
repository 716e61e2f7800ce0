"""What becomes of mails: Resend's webhooks, signed as svix does, tried again until taken.

Mail to ``bounced@resend.dev`` and ``complained@resend.dev`` (with or without ``+label``) bounces
and complains, as at Resend; any other address can be given a fate.
"""

import asyncio
import base64
import hashlib
import hmac
import time
import uuid
from collections import deque
from datetime import UTC, datetime
from typing import Any

import msgspec

from simulator.clock import ScaledClock, now_ms
from simulator.waha.webhook_client import WebhookClient

EVENTS_MAX = 5_000
FATES = ("delivered", "bounced", "complained")
# Svix's own schedule ends after a day; here nobody waits longer than five minutes.
RETRY_WAITS_S = (5.0, 5.0, 30.0, 120.0, 300.0)
_TEST_HOST = "resend.dev"


class ResendEvents:
    """Sends events to one endpoint; without one they are only listed."""

    def __init__(self, url: str | None, secret: str | None, clock: ScaledClock) -> None:
        self.url = url
        self.secret = secret or ""
        self._clock = clock
        self._client = WebhookClient()
        self._fates: dict[str, str] = {}
        self._events: deque[dict[str, Any]] = deque(maxlen=EVENTS_MAX)
        self._tasks: set[asyncio.Task[None]] = set()

    def choose(self, address: str, fate: str) -> None:
        """Decide what becomes of mails to an address from now on."""
        self._fates[address.strip().lower()] = fate

    def fate_of(self, address: str) -> str:
        """What becomes of a mail to an address."""
        address = address.strip().lower()
        name, _, host = address.partition("@")
        if host == _TEST_HOST and (label := name.partition("+")[0]) in FATES:
            return label
        return self._fates.get(address, "delivered")

    def sent(self, mail: dict[str, Any]) -> None:
        """Tell what becomes of a mail that was just taken."""
        fate = next((f for f in map(self.fate_of, mail["to"]) if f != "delivered"), "delivered")
        if fate != "bounced":
            self.emit("delivered", mail)
        if fate != "delivered":
            self.emit(fate, mail)

    def emit(self, outcome: str, mail: dict[str, Any], *, bounce: str = "Permanent") -> Any:
        """Make an event of a mail and send it; a bounce is Permanent, Transient or Undetermined."""
        mail["outcome"] = outcome
        data: dict[str, Any] = {
            "email_id": mail["id"],
            "created_at": _iso(mail["at_ms"] / 1000),
            "from": mail["from"],
            "to": mail["to"],
            "subject": mail["subject"],
            "tags": mail["tags"],
        }
        if outcome == "bounced":
            told = "The recipient's mailbox does not exist."
            data["bounce"] = {"message": told, "type": bounce, "subType": "General"}
        body = {"type": f"email.{outcome}", "created_at": _iso(time.time()), "data": data}
        event = {"id": f"msg_{uuid.uuid4().hex}", "body": body, "attempts": [], "delivered": False}
        self._events.append(event)
        if self.url is not None:
            task = asyncio.get_running_loop().create_task(self._deliver(event, self.url))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return event

    def views(self) -> list[dict[str, Any]]:
        """All events with their deliveries, oldest first."""
        return list(self._events)

    def forget(self) -> int:
        """Forget events and fates, drop pending retries; returns how many events there were."""
        for task in self._tasks:
            task.cancel()
        gone = len(self._events)
        self._events.clear()
        self._fates.clear()
        return gone

    async def close(self) -> None:
        """End everything that is under way."""
        self.forget()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.close()

    async def _deliver(self, event: dict[str, Any], url: str) -> None:
        body = msgspec.json.encode(event["body"])
        for wait_s in (*RETRY_WAITS_S, None):
            status = await self._attempt(event, url, body)
            if status is not None and 200 <= status < 300:  # noqa: PLR2004
                event["delivered"] = True
                return
            if wait_s is None:
                return
            await self._clock.sleep(wait_s)

    async def _attempt(self, event: dict[str, Any], url: str, body: bytes) -> int | None:
        at_s = int(time.time())
        attempt: dict[str, Any] = {"at_ms": now_ms(), "status": None}
        event["attempts"].append(attempt)
        headers = [
            ("Content-Type", "application/json"),
            ("User-Agent", "Svix-Webhooks/1.0"),
            ("svix-id", event["id"]),
            ("svix-timestamp", str(at_s)),
            ("svix-signature", sign(self.secret, event["id"], at_s, body)),
        ]
        try:
            attempt["status"] = (await self._client.post(url, headers, body)).status
        except OSError as error:
            attempt["error"] = type(error).__name__
        status: int | None = attempt["status"]
        return status


def sign(secret: str, event_id: str, at_s: int, body: bytes) -> str:
    """The `svix-signature` header: `v1,` and base64 of HMAC-SHA256 of `id.timestamp.body`."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{event_id}.{at_s}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def _iso(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat().replace("+00:00", "Z")
