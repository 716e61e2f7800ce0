"""Live updates: server-sent events with ids, heartbeats and a quick end.

A page connects with ``hx-sse:connect``; the browser sends ``Last-Event-ID`` when it comes back,
so a source that can begin after an id leaves no gap. A stream lasts a few minutes at most: the
browser reconnects by itself, and a session that has ended or a role that was taken away counts
from then. Sources open short transactions of their own; a stream holds none. When the process
stops, the server cancels the streams within its grace (`parley serve`): nothing waits for them.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass

from litestar.response import Stream

HEARTBEAT_S = 15.0
SESSION_S = 300.0
RETRY_MS = 1000
EVENT_ID_CHARS_MAX = 100


@dataclass(frozen=True, slots=True)
class LiveEvent:
    """One event. ``name`` empty: htmx swaps ``data`` into the page; else it is triggered."""

    id: str
    data: str
    name: str = ""

    def encode(self) -> bytes:
        """Return the event as the wire has it; line breaks in ``data`` become lines of it."""
        lines = [f"id: {self.id}"]
        if self.name:
            lines.append(f"event: {self.name}")
        lines += [f"data: {line}" for line in self.data.splitlines() or [""]]
        return ("\n".join(lines) + "\n\n").encode()


Source = Callable[[str | None], AsyncGenerator[LiveEvent, None]]


def last_event_id(header: str | None) -> str | None:
    """Return the id of a ``Last-Event-ID`` header; None when it is missing or no id of ours."""
    if not header or len(header) > EVENT_ID_CHARS_MAX or not header.isprintable():
        return None
    return header


def event_stream(
    source: Source,
    *,
    after: str | None = None,
    heartbeat_s: float = HEARTBEAT_S,
    session_s: float = SESSION_S,
) -> Stream:
    """Answer with the source's events until it ends or the session's time is over.

    Args:
        source: called with the last id that the browser has seen; yields what came after.
        after: that id, from ``last_event_id``.
        heartbeat_s: silence after which a comment keeps proxies from closing the stream.
        session_s: the longest a stream lasts.
    """
    return Stream(
        stream_events(source, after=after, heartbeat_s=heartbeat_s, session_s=session_s),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def stream_events(
    source: Source, *, after: str | None, heartbeat_s: float, session_s: float
) -> AsyncIterator[bytes]:
    """Yield the bytes of a stream; see ``event_stream``."""
    loop = asyncio.get_running_loop()
    ends_at = loop.time() + session_s
    yield f"retry: {RETRY_MS}\n\n".encode()
    async with aclosing(source(after)) as events:
        coming = asyncio.ensure_future(anext(events, None))
        try:
            while (left_s := ends_at - loop.time()) > 0:
                await asyncio.wait({coming}, timeout=min(heartbeat_s, left_s))
                if not coming.done():
                    yield b": still here\n\n"
                    continue
                event = coming.result()
                if event is None:
                    return
                yield event.encode()
                coming = asyncio.ensure_future(anext(events, None))
        finally:
            coming.cancel()
            # The source must have let go before its generator can be closed.
            with suppress(asyncio.CancelledError, Exception):
                await coming
