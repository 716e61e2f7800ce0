"""Small requests handed to a door straight from uvicorn's parser: no task, scope or cycle each.

What uvicorn and asyncio spend on an ASGI request (a task with its context, a scope, a cycle
with its event, five awaits and the wake-up) is more than all the work of a webhook's door. A
door that can judge a request at once and answer it later with a call says so by
``Application.find_direct``; it is then asked first.

Only the plainest requests come this way: POST over HTTP/1.1 on a connection with nothing else
under way, a told and moderate length, no repeated header, no upgrade, no expectation. Everything
else, and whatever the door does not want to judge at once, goes the usual way as if it had not
been asked; uvicorn's parser reads both, so there is one reading of HTTP.
"""

from collections.abc import Mapping
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from app.http.patient_protocol import PatientProtocol
from app.http.replies import DirectDoor, DirectRequest, Reply

# What is larger is rare, and what is forged is verified twice: once here, once on the usual way.
BODY_BYTES_MAX = 64 * 1024
# As many as the bound has: of a number with more, its leading zeros say nothing of its size.
_LENGTH_DIGITS_MAX = len(str(BODY_BYTES_MAX))
_USUAL_ONLY = {b"transfer-encoding", b"content-encoding", b"expect", b"upgrade"}


class _Exchange:
    """What uvicorn's protocol wants to know of a request under way, for one of ours."""

    __slots__ = ("disconnected", "keep_alive", "response_complete")

    more_body = False
    response_started = False

    def __init__(self) -> None:
        self.response_complete = True
        self.disconnected = False
        self.keep_alive = True

    @property
    def message_event(self) -> "_Exchange":
        """Nobody waits for the body of a request that is here whole."""
        return self

    def set(self) -> None:
        """Wake nobody."""


class DirectProtocol(PatientProtocol):
    """uvicorn's HTTP protocol, asking the application's direct doors first."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._find_direct = getattr(self.app, "find_direct", None)
        self._exchange: Any = _Exchange()
        self._door: DirectDoor | None = None
        self._named: Mapping[bytes, bytes] = {}
        self._body = b""

    def on_message_begin(self) -> None:
        """Start a request; its scope is made when it goes the usual way."""
        self.url = b""
        self.headers = []
        self.expect_100_continue = False
        self._door = None
        self._begins()

    def on_headers_complete(self) -> None:
        """Choose the way."""
        self._head_is_whole()
        self._door = self._choose()
        if self._door is None:
            self._go_the_usual_way()

    def on_body(self, body: bytes) -> None:
        """Keep the body for the door."""
        if self._door is None:
            super().on_body(body)
        else:
            self._body = self._body + body if self._body else body

    def on_message_complete(self) -> None:
        """Ask the door; what it leaves goes the usual way, whole."""
        self._is_whole()
        door = self._door
        if door is None:
            super().on_message_complete()
            return
        body, self._body, self._door = self._body, b"", None
        exchange, before = self._exchange, self.cycle
        exchange.response_complete = False
        self.cycle = exchange
        if door(DirectRequest(self.url, self._named, self.client, body), self._answer):
            return
        exchange.response_complete = True
        self.cycle = before
        self._go_the_usual_way()
        if body:
            super().on_body(body)
        super().on_message_complete()

    def _choose(self) -> DirectDoor | None:
        cycle = self.cycle
        if self._find_direct is None or (cycle is not None and not cycle.response_complete):
            return None
        door: DirectDoor | None = self._find_direct(self.url)
        if door is None:
            return None
        named = dict(self.headers)
        parser = self.parser
        length = named.get(b"content-length", b"")
        plain = (
            len(named) == len(self.headers)
            and _USUAL_ONLY.isdisjoint(named)
            and named.get(b"connection", b"keep-alive").lower() == b"keep-alive"
            and length.isdigit()
            and len(length) <= _LENGTH_DIGITS_MAX
            and int(length) <= BODY_BYTES_MAX
            and parser.get_method() == b"POST"
            and parser.get_http_version() == "1.1"
            and not self.flow.write_paused
        )
        self._named = named
        return door if plain else None

    def _go_the_usual_way(self) -> None:
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers.extend(headers)
        super().on_headers_complete()

    def _answer(self, reply: Reply) -> None:
        exchange = self._exchange
        # Of requests behind each other uvicorn tells only the last that the connection is gone.
        if exchange.response_complete or exchange.disconnected or self.transport.is_closing():
            return
        lines = [STATUS_LINE[reply.status]]
        for name, value in self.server_state.default_headers:
            lines += (name, b": ", value, b"\r\n")
        for name, value in reply.headers:
            lines += (name, b": ", value, b"\r\n")
        if not exchange.keep_alive:
            lines.append(b"connection: close\r\n")
        lines += (b"\r\n", reply.content)
        self.transport.write_whole(b"".join(lines))  # type: ignore[attr-defined]
        exchange.response_complete = True
        if not exchange.keep_alive:
            self.transport.close()
        self.on_response_complete()
