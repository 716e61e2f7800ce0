"""Writes of one turn of the loop leave together, in order, and none is lost at a close."""

import asyncio
from typing import cast

import pytest

from app.http.server_protocol import GatheringTransport

pytestmark = pytest.mark.anyio


class Wire:
    """A transport that remembers what reached it."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        assert not self.closed
        self.writes.append(data)

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


def gathering(wire: Wire) -> GatheringTransport:
    return GatheringTransport(cast("asyncio.Transport", wire), asyncio.get_running_loop())


async def test_an_answers_parts_are_one_write() -> None:
    wire = Wire()
    transport = gathering(wire)
    for part in (b"head", b"", b"body"):
        transport.write(part)
    assert wire.writes == []
    await asyncio.sleep(0)
    assert wire.writes == [b"headbody"]
    transport.write(b"next")
    await asyncio.sleep(0)
    assert wire.writes == [b"headbody", b"next"]


async def test_closing_writes_first() -> None:
    wire = Wire()
    transport = gathering(wire)
    transport.write(b"last words")
    transport.close()
    assert (wire.writes, transport.is_closing()) == ([b"last words"], True)
    await asyncio.sleep(0)
    assert wire.writes == [b"last words"]


async def test_much_at_once_does_not_pile_up() -> None:
    wire = Wire()
    transport = gathering(wire)
    for _ in range(100):
        transport.write(b"x" * 1_000)
    assert sum(map(len, wire.writes)) > 80_000
    await asyncio.sleep(0)
    assert b"".join(wire.writes) == b"x" * 100_000


async def test_a_connection_that_went_away_takes_nothing_more() -> None:
    wire = Wire()
    transport = gathering(wire)
    transport.write(b"too late")
    wire.closed = True
    await asyncio.sleep(0)
    assert wire.writes == []
