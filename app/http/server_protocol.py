"""uvicorn's HTTP protocol, with one write for each answer instead of one for its every part.

An application hands uvicorn the head and the body of an answer one after the other, and each
becomes a system call, a TCP segment and a wake-up of whoever reads: a fifth of what uvicorn
costs for a short answer. Here what is written within one turn of the event loop leaves together.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_GATHERED_BYTES_MAX = 16_384


class GatheringProtocol(HttpToolsProtocol):
    """``HttpToolsProtocol`` over a transport that gathers writes."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Put the gathering transport before the real one."""
        gathering: Any = GatheringTransport(transport, self.loop)
        super().connection_made(gathering)


class GatheringTransport:
    """Writes at the end of the loop's turn, or earlier what is more than 16 KiB.

    The bound keeps flow control at work: the real transport has to see what piles up. All but
    writing and closing is the real transport's.
    """

    __slots__ = ("_loop", "_parts", "_size", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._parts: list[bytes] = []
        self._size = 0

    def write(self, data: bytes) -> None:
        """Keep for the write to come."""
        if not self._parts:
            self._loop.call_soon(self._flush)
        self._parts.append(data)
        self._size += len(data)
        if self._size > _GATHERED_BYTES_MAX:
            self._flush()

    def write_whole(self, data: bytes) -> None:
        """Write what has no other parts: at once, behind what is kept."""
        self._flush()
        self._transport.write(data)

    def close(self) -> None:
        """Write what is left, then close."""
        self._flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def _flush(self) -> None:
        if not self._parts:
            return
        data = b"".join(self._parts)
        self._parts.clear()
        self._size = 0
        if not self._transport.is_closing():
            self._transport.write(data)
