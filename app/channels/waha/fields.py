"""Lenient access to WAHA's bodies: a wrong type or null reads as absent.

WAHA's own deliveries do not fit its OpenAPI (null where a string is said, an object where a
name is said), so nothing here may raise.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from app.core.text import storable

_MILLISECONDS_FROM = 100_000_000_000
_FUTURE_MAX = timedelta(minutes=5)
_EMPTY: Mapping[str, Any] = {}


def mapping(value: object) -> Mapping[str, Any]:
    """Return the value when it is an object, else an empty one."""
    return value if isinstance(value, Mapping) else _EMPTY


def text(value: object, *, chars_max: int = 65_536) -> str | None:
    """Return storable text when the value is a string that is not empty."""
    return storable(value, chars_max=chars_max) if isinstance(value, str) and value else None


def first_text(*values: object) -> str | None:
    """Return the first of the values that is a text."""
    return next((found for value in values if (found := text(value))), None)


def integer(value: object) -> int | None:
    """Return a whole number; floats are cut, anything else is None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return int(value)
    except (OverflowError, ValueError):
        return None


def moment(value: object, now: datetime) -> datetime:
    """Read a time in seconds or milliseconds; absurd or future ones become ``now``."""
    number = integer(value)
    if number is None and isinstance(value, str) and value.isascii() and value.isdigit():
        number = int(value[:15])
    if not number or number < 0:
        return now
    try:
        seconds = number / 1000 if number >= _MILLISECONDS_FROM else number
        result = datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError, ValueError):
        return now
    return now if result > now + _FUTURE_MAX else result


def instant_ms(value: object, now: datetime) -> int | None:
    """Return a time in milliseconds; None where it is absent, absurd or in the future.

    What only orders events must not be replaced by ``now``, and a time from far ahead would
    make everything that is told later look overtaken.
    """
    number = integer(value)
    latest = (now + _FUTURE_MAX).timestamp() * 1000
    return number if number is not None and 0 < number <= latest else None
