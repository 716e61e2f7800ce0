"""WAHA's webhook bodies, as the engine tests need them."""

import json
import secrets
import time
from typing import Any

VERSION = "2026.7.1"


def envelope(event: str, session: str, payload: dict[str, Any], *, engine: str) -> bytes:
    return json.dumps(
        {
            "id": f"evt_{secrets.token_hex(13)}",
            "timestamp": time.time_ns() // 1_000_000,
            "event": event,
            "session": session,
            "metadata": {},
            "me": {"id": "15559999@c.us", "pushName": "Front desk"},
            "payload": payload,
            "engine": engine,
            "environment": {"version": VERSION, "engine": engine, "tier": "CORE"},
        }
    ).encode()


def message(
    chat: str,
    body: str | None,
    *,
    from_me: bool = False,
    wa_id: str | None = None,
    source: str = "app",
    age_s: float = 0,
) -> dict[str, Any]:
    bare = wa_id or f"3EB0{secrets.token_hex(9).upper()}"
    return {
        "id": f"{str(from_me).lower()}_{chat}_{bare}",
        "timestamp": int(time.time() - age_s),
        "from": chat,
        "fromMe": from_me,
        "source": source,
        "to": None,
        "participant": None,
        "body": body,
        "hasMedia": False,
        "media": None,
        "ack": 2,
        "ackName": "DEVICE",
        "replyTo": None,
        "_data": {"pushName": "Ada"},
    }


def ack(chat: str, wa_id: str, level: int) -> dict[str, Any]:
    return {
        "id": f"true_{chat}_{wa_id}",
        "from": chat,
        "fromMe": True,
        "ack": level,
        "ackName": {-1: "ERROR", 1: "SERVER", 2: "DEVICE", 3: "READ"}[level],
    }
