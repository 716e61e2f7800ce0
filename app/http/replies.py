"""Whole answers, and doors that give them without ASGI (``app/http/direct.py`` asks them)."""

from collections.abc import Callable, Mapping
from typing import NamedTuple


class Reply(NamedTuple):
    """A whole answer: status, headers (lower-case names), body."""

    status: int
    headers: list[tuple[bytes, bytes]]
    content: bytes


Answer = Callable[[Reply], None]


class DirectRequest(NamedTuple):
    """A request whose body is complete. ``headers`` has every name once, in lower case."""

    target: bytes
    headers: Mapping[bytes, bytes]
    client: tuple[str, int] | None
    body: bytes


# True: the door will answer, once, now or later. False: the request is to go the usual way.
DirectDoor = Callable[[DirectRequest, Answer], bool]
