"""Identifiers: UUIDv7 for rows, prefixed request ids, deterministic message ids.

UUIDv7 (RFC 9562 §5.7) sorts by time, so primary keys append to their index instead of
scattering over it. Python's own ``uuid.uuid7`` arrives with 3.14.
"""

import hashlib
import os
import time
import uuid

_COUNTER_MAX = 0xFFF
_state: list[int] = [0, 0]  # last millisecond, counter inside it


def uuid7() -> uuid.UUID:
    """Return a UUIDv7, strictly increasing within this process."""
    return uuid.UUID(int=_next())


def _next() -> int:
    """Return the next UUIDv7 as a number.

    A 12-bit counter fills ``rand_a`` (RFC 9562 §6.2, method 1); when it overflows the
    millisecond is moved on, so order holds even at more than 4 096 ids a millisecond.
    """
    now_ms = time.time_ns() // 1_000_000
    last_ms, counter = _state
    if now_ms > last_ms:
        counter = 0
    else:
        now_ms = last_ms
        counter += 1
        if counter > _COUNTER_MAX:
            now_ms += 1
            counter = 0
    _state[0] = now_ms
    _state[1] = counter
    rand_b = int.from_bytes(os.urandom(8), "big") & 0x3FFF_FFFF_FFFF_FFFF
    return (
        ((now_ms & 0xFFFF_FFFF_FFFF) << 80) | (0x7 << 76) | (counter << 64) | (0b10 << 62) | rand_b
    )


def request_id() -> str:
    """Return a fresh request id, ``req_`` + UUIDv7."""
    # Written without a UUID object between: each request has one of these.
    digits = f"{_next():032x}"
    parts = digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]
    return f"req_{'-'.join(parts)}"


def channel_key() -> str:
    """Return a channel's public URL segment: 128 random bits, url-safe, no padding."""
    return f"ch_{os.urandom(16).hex()}"


def secret_token(size_bytes: int = 32) -> str:
    """Return a random secret as hex (``2 × size_bytes`` characters)."""
    return os.urandom(size_bytes).hex()


def client_message_id(part_id: uuid.UUID) -> str:
    """Derive the WhatsApp message id that we choose for a part of a reply.

    The format is that of WhatsApp's web clients: ``3EB0`` and 18 upper-case hex digits.
    It depends on the stored row alone, so a resend after any crash carries the same id
    (WAHA ≥ 2026.4.3 honours ``id`` on NOWEB and GOWS).
    """
    digest = hashlib.sha256(b"parley.part:" + part_id.bytes).hexdigest()
    return f"3EB0{digest[:18].upper()}"


def derived_uuid(namespace: uuid.UUID, name: str) -> uuid.UUID:
    """Return the UUIDv5 of a name: caller-made idempotency ids (holds, refunds)."""
    return uuid.uuid5(namespace, name)
