"""Live updates for the pages: every open page hears that something changed, then asks for it."""

import asyncio
from collections.abc import AsyncIterator

import msgspec

QUEUE_MAX = 256
KEEPALIVE_S = 15.0


class LiveUpdates:
    """Server-sent events to any number of pages.

    Events carry no content, only what changed (`{"kind","phone"}`), so a page that falls behind and
    loses some of them is still right after its next fetch.
    """

    def __init__(self) -> None:
        self._queues: set[asyncio.Queue[bytes | None]] = set()

    @property
    def pages(self) -> int:
        """How many pages listen."""
        return len(self._queues)

    def publish(self, kind: str, phone: str | None = None) -> None:
        """Tell all open pages; a page whose queue is full misses this one."""
        if not self._queues:
            return
        data = msgspec.json.encode({"kind": kind, "phone": phone})
        self._put(b"event: change\ndata: " + data + b"\n\n")

    def close(self) -> None:
        """End all streams, at shutdown."""
        self._put(None)

    def _put(self, item: bytes | None) -> None:
        for queue in self._queues:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(item)

    async def stream(self) -> AsyncIterator[bytes]:
        """The bytes of one page's event stream, with a comment now and then to keep it open."""
        queue: asyncio.Queue[bytes | None] = asyncio.Queue(QUEUE_MAX)
        self._queues.add(queue)
        try:
            yield b"retry: 1000\n\n"
            while True:
                try:
                    item = await asyncio.wait_for(queue.get(), KEEPALIVE_S)
                except TimeoutError:
                    yield b": still here\n\n"
                    continue
                if item is None:
                    return
                yield item
        finally:
            self._queues.discard(queue)
