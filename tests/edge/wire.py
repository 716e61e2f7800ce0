"""Requests byte by byte, for what an HTTP client would not let pass."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

ANSWER_S = 20.0


@dataclass(frozen=True)
class Answer:
    """A response as it came; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


def request(
    target: str,
    headers: Iterable[tuple[str, str]] = (),
    body: bytes = b"",
    *,
    method: str = "POST",
) -> bytes:
    """Write a request; nothing is added to its headers."""
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def chunked(body: bytes, size: int = 7) -> bytes:
    """Write a body in chunks."""
    pieces = [body[i : i + size] for i in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"


@dataclass(frozen=True)
class Wire:
    """A connection that is kept: one request after the other."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @classmethod
    @asynccontextmanager
    async def open(cls, port: int) -> "AsyncIterator[Wire]":
        """Connect, and hang up at the end."""
        wire = cls(*await asyncio.open_connection("127.0.0.1", port))
        try:
            yield wire
        finally:
            wire.writer.transport.abort()

    async def ask(self, data: bytes) -> Answer:
        """Send a request, read its answer."""
        async with asyncio.timeout(ANSWER_S):
            self.writer.write(data)
            await self.writer.drain()
            return await self.answer()

    async def answer(self) -> Answer:
        """Read the answer to what has been sent."""
        async with asyncio.timeout(ANSWER_S):
            return await _read(self.reader, bodiless=False)


async def exchange(port: int, data: bytes) -> Answer:
    """Send bytes, read one answer."""
    async with asyncio.timeout(ANSWER_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(data)
            return await _read(reader, bodiless=data.startswith(b"HEAD "))
        finally:
            writer.transport.abort()


async def _read(reader: asyncio.StreamReader, *, bodiless: bool) -> Answer:
    head, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    pairs = (line.partition(": ") for line in lines if line)
    headers = {name.lower(): value for name, _, value in pairs}
    size = 0 if bodiless else int(headers.get("content-length", "0"))
    body = await reader.readexactly(size)
    return Answer(int(head.split()[1]), headers, body)
