"""Identifiers in the forms the real services use."""

import hashlib
import random
import secrets
import string
import time

_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"
_BASE36 = string.digits + string.ascii_lowercase


def ulid() -> str:
    """A lower-case ULID: 48 bits of milliseconds, 80 random bits, 26 characters."""
    value = (time.time_ns() // 1_000_000) << 80 | random.getrandbits(80)
    return "".join(_CROCKFORD[(value >> shift) & 31] for shift in range(125, -1, -5))


def event_id() -> str:
    """The id of a WAHA event: `evt_` and a lower-case ULID."""
    return f"evt_{ulid()}"


def webhook_request_id() -> str:
    """An opaque id of one delivery: 18 base-36 characters, the first ones growing with time."""
    value = time.time_ns() << 24 | random.getrandbits(24)
    digits = []
    for _ in range(18):
        value, digit = divmod(value, 36)
        digits.append(_BASE36[digit])
    return "".join(reversed(digits))


def phone_message_id() -> str:
    """A message id as a telephone makes it: 20 upper-case hex digits that begin with 3A."""
    return f"3A{random.getrandbits(72):018X}"


def api_message_id() -> str:
    """A message id as a linked device makes it: 22 upper-case hex digits that begin with 3EB0."""
    return f"3EB0{random.getrandbits(72):018X}"


def lid_of(phone: str) -> str:
    """The hidden-number id of a phone: 15 digits, always the same for the same phone."""
    digest = hashlib.sha256(f"lid:{phone}".encode()).digest()
    return str(10**14 + int.from_bytes(digest[:8]) % (9 * 10**14))


def secret_token() -> str:
    """An unguessable token of 32 URL-safe characters."""
    return secrets.token_urlsafe(24)
