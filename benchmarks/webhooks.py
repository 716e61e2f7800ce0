"""Signed WAHA webhooks in numbers: each a distinct message, as a busy server would send it."""

import hashlib
import hmac
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

VERSION = "2026.7.1"
_OWN = "353719100142"
_FIRST_PHONE = 353_860_000_000
# Placeholders as long as what takes their place need not be: the body is made by replacement.
_EVENT_ID, _WA_ID, _PHONE, _TEXT = b"@@event@@", b"@@wa@@", b"@@phone@@", b"@@text@@"


@dataclass(frozen=True, slots=True)
class Number:
    """A WhatsApp number of a business, as the sender of its webhooks knows it."""

    tenant_id: str
    channel_id: str
    path: str
    session: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Signed:
    """One event, ready to be posted."""

    path: str
    body: bytes
    signature: str

    def request(self, host: str) -> bytes:
        """The whole HTTP/1.1 request, with the headers that WAHA sends."""
        head = (
            f"POST {self.path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: WAHA/{VERSION}\r\n"
            f"Accept: application/json, text/plain, */*\r\nContent-Type: application/json\r\n"
            f"X-Webhook-Request-Id: {self.signature[:26]}\r\n"
            f"X-Webhook-Timestamp: {time.time_ns() // 1_000_000}\r\n"
            f"X-Webhook-Hmac: {self.signature}\r\nX-Webhook-Hmac-Algorithm: sha512\r\n"
            f"Content-Length: {len(self.body)}\r\n\r\n"
        )
        return head.encode() + self.body


class WebhookMaker:
    """Makes ``message`` events, spread evenly over the numbers; no two of a maker are alike.

    Args:
        numbers: who receives them.
        label: tells this maker's messages from those of others (up to 10 hexadecimal digits).
        first_phone: the first customer's; each event is of another customer.
    """

    def __init__(self, numbers: Sequence[Number], label: str, *, first_phone: int = 0) -> None:
        self._numbers = numbers
        self._label = label.upper()
        self._phone = _FIRST_PHONE + first_phone
        now_ms = time.time_ns() // 1_000_000
        self._templates = [_template(number, now_ms) for number in numbers]
        self._made = 0

    def take(self, count: int) -> Iterator[Signed]:
        """Make the next ``count`` events."""
        for _ in range(count):
            yield self.one()

    def one(self, text: str | None = None, number: Number | None = None) -> Signed:
        """Make the next event, in turn for each number or for a given one."""
        serial = self._made
        self._made += 1
        index = serial % len(self._numbers) if number is None else self._numbers.index(number)
        chosen = self._numbers[index]
        said = text or f"Are you open on Sunday, and what does a loaf cost? ({serial})"
        body = (
            self._templates[index]
            .replace(_EVENT_ID, f"{self._label:0>10}{serial:016d}".lower().encode())
            .replace(_WA_ID, f"{self._label:0>10}{serial:08X}".encode())
            .replace(_PHONE, str(self._phone + serial).encode())
            .replace(_TEXT, said.encode())
        )
        signature = hmac.new(chosen.secret.encode(), body, hashlib.sha512).hexdigest()
        return Signed(chosen.path, body, signature)


def _template(number: Number, now_ms: int) -> bytes:
    phone, wa_id = _PHONE.decode(), _WA_ID.decode()
    event: dict[str, Any] = {
        "id": f"evt_{_EVENT_ID.decode()}",
        "timestamp": now_ms,
        "event": "message",
        "session": number.session,
        "metadata": {},
        "me": {"id": f"{_OWN}@c.us", "pushName": "Front desk", "lid": "270000000000099@lid"},
        "payload": {
            "id": f"false_{phone}@c.us_3EB0{wa_id}",
            "timestamp": now_ms // 1000,
            "from": f"{phone}@c.us",
            "fromMe": False,
            "source": "app",
            "participant": None,
            "body": _TEXT.decode(),
            "hasMedia": False,
            "media": None,
            "ack": 2,
            "ackName": "DEVICE",
            "location": None,
            "vCards": None,
            "replyTo": None,
            "_data": {
                "key": {
                    "remoteJid": f"{phone}@s.whatsapp.net",
                    "fromMe": False,
                    "id": f"3EB0{wa_id}",
                },
                "messageTimestamp": str(now_ms // 1000),
                "pushName": "A customer",
                "broadcast": False,
                "message": {"conversation": "…"},
            },
        },
        "engine": "NOWEB",
        "environment": {
            "version": VERSION,
            "engine": "NOWEB",
            "tier": "PLUS",
            "browser": None,
            "platform": "linux/x64",
        },
    }
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
