"""A cable to PostgreSQL that a test can cut: the server runs on, nobody reaches it."""

import asyncio
import contextlib
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit, urlunsplit


class PostgresLink:
    """Forwards a port of its own to the real one, until it is cut."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._target = (parts.hostname or "", parts.port or 5432)
        self._loop = asyncio.new_event_loop()
        self._up = True
        self._open: set[asyncio.StreamWriter] = set()
        self._server = self._loop.run_until_complete(
            asyncio.start_server(self._serve, "127.0.0.1", 0)
        )
        self._port = self._server.sockets[0].getsockname()[1]
        self._thread = threading.Thread(target=self._loop.run_forever, name="link")
        self._thread.start()

    def through(self, url: str) -> str:
        """The same database, reached over this cable."""
        parts = urlsplit(url)
        netloc = f"{parts.username}:{parts.password}@127.0.0.1:{self._port}"
        return urlunsplit(parts._replace(netloc=netloc))

    def cut(self) -> None:
        """End all connections, and every new one at once."""
        self._call(self._set(up=False))

    def mend(self) -> None:
        """Let connections through again."""
        self._call(self._set(up=True))

    def close(self) -> None:
        """Stop for good."""
        self._call(self._finish())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _set(self, *, up: bool) -> None:
        self._up = up
        if not up:
            for writer in list(self._open):
                writer.transport.abort()

    async def _finish(self) -> None:
        self._server.close()
        await self._set(up=False)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._up:
            writer.transport.abort()
            return
        far_reader, far_writer = await asyncio.open_connection(*self._target)
        ends = {writer, far_writer}
        self._open |= ends
        try:
            await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))
        finally:
            self._open -= ends
            for end in ends:
                end.transport.abort()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


@contextmanager
def linked(url: str) -> Iterator[PostgresLink]:
    """A cable to the server of this URL."""
    link = PostgresLink(url)
    try:
        yield link
    finally:
        link.close()
