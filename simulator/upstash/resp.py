"""A small Redis client: raw commands, pipelined over one connection, raw replies."""

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

CONNECT_TIMEOUT_S = 5.0
DEFAULT_PORT = 6379


class RedisUnreachableError(Exception):
    """There is no Redis to ask, or the connection broke."""


@dataclass(frozen=True, slots=True)
class RedisError:
    """An error reply, as a value."""

    message: str


@dataclass(frozen=True, slots=True)
class Status:
    """A status reply such as OK, kept apart from strings: OK is never base64-encoded."""

    text: str


Reply = Any
Command = list[bytes]


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """Where a Redis is: `redis://[user:password@]host:port/db`, or `unix:///path?db=n`."""

    host: str | None
    port: int
    path: str | None
    username: str | None
    password: str | None
    database: int

    @classmethod
    def parse(cls, url: str) -> "RedisAddress":
        """Read a Redis URL.

        Raises:
            ValueError: the scheme is not redis, unix or redis+socket.
        """
        parts = urlsplit(url)
        query = parse_qs(parts.query)
        user = unquote(parts.username) if parts.username else None
        secret = unquote(parts.password) if parts.password else None
        if parts.scheme in {"unix", "redis+socket"}:
            number = (query.get("db") or query.get("virtual_host") or ["0"])[0]
            return cls(None, 0, unquote(parts.path), user, secret, int(number))
        if parts.scheme != "redis":
            raise ValueError("a Redis URL begins with redis://, unix:// or redis+socket://")
        database = int((query.get("db") or [parts.path.strip("/") or "0"])[0])
        host = parts.hostname or "127.0.0.1"
        return cls(host, parts.port or DEFAULT_PORT, None, user, secret, database)


class RedisConnection:
    """Commands of many callers over one connection; a batch's commands stand together on the wire.

    Replies come in the order of the commands, so a queue of futures is all that is needed. A broken
    connection fails what is under way and is opened again by the next call.
    """

    def __init__(self, address: RedisAddress) -> None:
        self._address = address
        self._writer: asyncio.StreamWriter | None = None
        self._waiting: deque[asyncio.Future[Reply]] = deque()
        self._reading: asyncio.Task[None] | None = None
        self._opening = asyncio.Lock()

    async def run(self, commands: list[Command]) -> list[Reply]:
        """Run commands one after the other, nothing of other callers in between.

        Raises:
            RedisUnreachableError: no connection, or it broke.
        """
        writer = await self._connected()
        futures = self._write(writer, commands)
        return list(await asyncio.gather(*futures))

    async def close(self) -> None:
        """Close the connection."""
        if self._reading:
            self._reading.cancel()
        self._lost("closed")

    def _write(
        self, writer: asyncio.StreamWriter, commands: list[Command]
    ) -> list[asyncio.Future[Reply]]:
        loop = asyncio.get_running_loop()
        futures: list[asyncio.Future[Reply]] = [loop.create_future() for _ in commands]
        self._waiting.extend(futures)
        writer.write(b"".join(_packed(command) for command in commands))
        return futures

    async def _connected(self) -> asyncio.StreamWriter:
        async with self._opening:
            if self._writer is None:
                try:
                    async with asyncio.timeout(CONNECT_TIMEOUT_S):
                        await self._open()
                except (OSError, TimeoutError) as exc:
                    raise RedisUnreachableError(str(exc) or "no connection") from exc
            if self._writer is None:
                raise RedisUnreachableError("the connection was lost")
            return self._writer

    async def _open(self) -> None:
        address = self._address
        if address.path:
            reader, writer = await asyncio.open_unix_connection(address.path)
        else:
            reader, writer = await asyncio.open_connection(address.host, address.port)
        self._writer = writer
        self._reading = asyncio.get_running_loop().create_task(self._read(reader))
        first: list[Command] = []
        if address.password:
            names = [address.username] if address.username else []
            first.append([b"AUTH", *(n.encode() for n in names), address.password.encode()])
        if address.database:
            first.append([b"SELECT", str(address.database).encode()])
        for reply in await asyncio.gather(*self._write(writer, first)):
            if isinstance(reply, RedisError):
                self._lost(reply.message)
                raise ConnectionError(reply.message)

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while True:
                reply = await read_reply(reader)
                future = self._waiting.popleft()
                if not future.done():
                    future.set_result(reply)
        except (OSError, EOFError, ValueError, IndexError) as exc:
            self._lost(str(exc) or "the connection was lost")

    def _lost(self, reason: str) -> None:
        if self._writer:
            self._writer.close()
        self._writer = None
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_exception(RedisUnreachableError(reason))


def _packed(command: Command) -> bytes:
    parts = [b"*%d\r\n" % len(command)]
    parts += [b"$%d\r\n%b\r\n" % (len(argument), argument) for argument in command]
    return b"".join(parts)


async def read_reply(reader: asyncio.StreamReader) -> Reply:
    """One RESP2 reply: bytes, int, None, Status, RedisError or a list of them.

    Raises:
        EOFError: the connection ended.
    """
    line = await reader.readuntil(b"\r\n")
    kind, rest = line[:1], line[1:-2]
    if kind == b"+":
        return Status(rest.decode())
    if kind == b"-":
        return RedisError(rest.decode(errors="replace"))
    if kind == b":":
        return int(rest)
    length = int(rest)
    if length < 0:
        return None
    if kind == b"$":
        return (await reader.readexactly(length + 2))[:-2]
    return [await read_reply(reader) for _ in range(length)]
