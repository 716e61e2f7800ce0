"""uvicorn's HTTP protocol with an end to its patience, and with manners at a connection's end.

uvicorn reads a head of any length, waits for the rest of a request for ever, answers what cannot
be read before what came before it, and gives up who closes his half of the connection behind a
request. Whoever can reach the port could use up memory and file descriptors without a signature,
and an event that was stored would be answered 400, or not at all.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from app.http.server_protocol import GatheringProtocol

HEAD_BYTES_MAX = 64 * 1024
# For a request that has begun, for the first one of a connection, and for taking an answer. Who
# sends much may take longer, if it comes at this rate.
PATIENCE_S = 30.0
_BYTES_PER_S_MIN = 8 * 1024
_BLANK_LINE = b"\r\n"


class PatientProtocol(GatheringProtocol):
    """``GatheringProtocol`` that bounds what it waits for.

    The heir tells what the parser finds: ``_begins``, ``_head_is_whole``, ``_is_whole``.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        # A request has begun that is not here whole; since when, and how much of it has come.
        self._reading = False
        self._in_head = False
        self._since = 0.0
        self._received = 0
        self._begun = 0
        # Nothing more is read: who waits is answered, then the connection ends, with these words.
        self._ending = False
        self._farewell: str | None = None
        self._left = -1
        self._watch: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start to wait."""
        super().connection_made(transport)
        self._since = self.loop.time()
        self._watch = self.loop.call_later(PATIENCE_S, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        if self._watch is not None:
            self._watch.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came, and count it for the request that it is part of."""
        if self._ending:
            return
        begun, reading = self._begun, self._reading
        super().data_received(data)
        # Of bytes that end one request and begin another nobody knows which are whose.
        if self._reading and self._begun - begun == (0 if reading else 1):
            self._received += len(data)
            if self._in_head and self._received > HEAD_BYTES_MAX:
                self._part(431, "The head of the request is too large.")

    def eof_received(self) -> bool | None:  # type: ignore[override]
        """Answer who sends no more but may still read; an answer under way ends as before."""
        if not self._owes() or self.cycle.response_started:
            self.transport.close()  # which first writes what is gathered
            return None
        self._ending = True
        return True

    def send_400_response(self, msg: str) -> None:
        """Answer what cannot be read, behind the answers to what came before it."""
        if self._owes():
            self._ending, self._farewell = True, msg
        else:
            self._part(400, msg)

    def on_response_complete(self) -> None:
        """Go on with the next request, or part when there is none."""
        if self._ending and not (self.pipeline and _whole(self.pipeline[-1][0])):
            self.server_state.total_requests += 1
            self._part(400, self._farewell)
            return
        if self._reading:
            # Behind a request that was being answered nobody could send.
            self._since = self.loop.time()
        super().on_response_complete()

    def _begins(self) -> None:
        self._reading = self._in_head = True
        self._since = self.loop.time()
        self._received = 0
        self._begun += 1

    def _head_is_whole(self) -> None:
        self._in_head = False

    def _is_whole(self) -> None:
        self._reading = False

    def _owes(self) -> bool:
        """Tell whether a request that is here whole waits for its answer."""
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            return False
        return _whole(cycle) or bool(self.pipeline)

    def _look(self) -> None:
        """End what has lasted too long; look again later."""
        again_s = PATIENCE_S
        if self.transport.is_closing() or self.flow.write_paused:
            left = self.transport.get_write_buffer_size()
            if left == self._left:
                self.transport.abort()
                return
            self._left = left
        else:
            self._left = -1
            again_s = self._wait_s()
            if again_s <= 0:
                self._part(408, "The request did not arrive." if self._reading else None)
                again_s = PATIENCE_S
        self._watch = self.loop.call_later(max(again_s, 0.05), self._look)

    def _wait_s(self) -> float:
        """How much longer the other side may take; not above 0 when it took too long."""
        if self._owes():
            return PATIENCE_S
        if not self._reading and self.timeout_keep_alive_task is not None:
            return PATIENCE_S  # idle between requests, which uvicorn ends
        if self.flow.read_paused:
            self._since = self.loop.time()
        received = self._received if self._reading else 0
        return self._since + PATIENCE_S + received / _BYTES_PER_S_MIN - self.loop.time()

    def _part(self, status: int, words: str | None) -> None:
        """Say why, unless an answer is under way or nothing is to be said, and close."""
        self._ending = True
        if self.transport.is_closing():
            return
        cycle = self.cycle
        mute = cycle is not None and not cycle.response_complete and cycle.response_started
        if words is not None and not mute:
            lines = [STATUS_LINE[status]]
            for name, value in self.server_state.default_headers:
                lines += (name, b": ", value, _BLANK_LINE)
            text = words.encode()
            lines.append(b"content-type: text/plain; charset=utf-8\r\n")
            lines.append(b"content-length: %d\r\nconnection: close\r\n\r\n" % len(text))
            self.transport.write(b"".join([*lines, text]))
        self.transport.close()


def _whole(cycle: Any) -> bool:
    return not cycle.more_body
