"""Ranges of a file, as players ask for them (RFC 9110 §14): one range of bytes, no more."""

import re

from app.core.errors import ParleyError

_ONE_RANGE = re.compile(r"bytes=([0-9]{0,15})-([0-9]{0,15})", re.ASCII)


class RangeError(ParleyError):
    """The range asked for lies outside the file."""

    code = "range"
    status = 416


def read_range(header: str, size_bytes: int) -> tuple[int, int] | None:
    """Return first byte and length of what is asked for; None for the whole file.

    What is no single range of bytes (several, another unit) is answered with the whole file.

    Raises:
        RangeError: the file has nothing of the range.
    """
    match = _ONE_RANGE.fullmatch(header.strip())
    if match is None or not (match[1] or match[2]):
        return None
    if not match[1]:
        length = min(int(match[2]), size_bytes)
        if not length:
            raise RangeError("The file has no such part.")
        return size_bytes - length, length
    start = int(match[1])
    end = min(int(match[2]), size_bytes - 1) if match[2] else size_bytes - 1
    if start >= size_bytes:
        raise RangeError("The file has no such part.")
    if end < start:
        return None
    return start, end - start + 1
