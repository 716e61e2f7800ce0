"""WAHA webhooks signed and delivered by ourselves, as a WAHA server would send them."""

import hashlib
import hmac
import json
import secrets
import time
from dataclasses import dataclass

from app.cli.local.demo_tenant import DemoTenant
from app.cli.local.http_client import request

WAHA_VERSION = "2026.7.1"
# Crockford's alphabet of ULIDs, in lower case as WAHA writes them.
ULID_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event, serialised once: a repeated delivery is byte-identical.

    `message_id` is WhatsApp's own id of the message, without direction and chat.
    """

    message_id: str
    body: bytes
    timestamp_ms: int

    def send(self, api_url: str, channel_key: str, secret: str) -> int:
        """Deliver it signed with `secret`; the HTTP status."""
        headers = {
            "User-Agent": f"WAHA/{WAHA_VERSION}",
            "X-Webhook-Request-Id": secrets.token_hex(9),
            "X-Webhook-Timestamp": str(self.timestamp_ms),
            "X-Webhook-Hmac": hmac.new(secret.encode(), self.body, hashlib.sha512).hexdigest(),
            "X-Webhook-Hmac-Algorithm": "sha512",
        }
        url = f"{api_url}/webhooks/waha/{channel_key}"
        return request("POST", url, body=self.body, headers=headers).status


def customer_message(tenant: DemoTenant, phone: str, text: str) -> Delivery:
    """A `message` event: the customer `phone` (digits) writes `text` to the demo business."""
    now_ms = time.time_ns() // 1_000_000
    message_id = f"3EB0{secrets.token_hex(9).upper()}"
    event = {
        "id": "evt_" + "".join(secrets.choice(ULID_ALPHABET) for _ in range(26)),
        "timestamp": now_ms,
        "event": "message",
        "session": tenant.waha_session,
        "metadata": {},
        "me": {"id": f"{tenant.waha_number}@c.us", "pushName": tenant.name},
        "payload": {
            "id": f"false_{phone}@c.us_{message_id}",
            "timestamp": now_ms // 1000,
            "from": f"{phone}@c.us",
            "fromMe": False,
            "source": "app",
            "to": None,
            "participant": None,
            "body": text,
            "hasMedia": False,
            "media": None,
            "ack": 2,
            "ackName": "DEVICE",
            "replyTo": None,
            "_data": {"pushName": "Demo customer"},
        },
        "engine": "NOWEB",
        "environment": {"version": WAHA_VERSION, "engine": "NOWEB", "tier": "PLUS"},
    }
    body = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
    return Delivery(message_id, body, now_ms)
