"""The HTTP client of webhook deliveries: bytes on the wire exactly as WAHA's own client sends them.

General-purpose clients choose the order of headers themselves; receivers are tested against the
order and the spelling that WAHA produces, so requests are written by hand here and answers parsed
by httptools.
"""

import asyncio
import contextlib
import ssl
import time
from collections import defaultdict
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

import httptools

Headers = list[tuple[str, str]]
# Node's agent gives up an idle connection after this long; a server's usual 5 s comes later.
IDLE_S = 4.0
CONNECT_TIMEOUT_S = 30.0
READ_BYTES = 65_536
REDIRECTS_MAX = 5
SEE_OTHER = frozenset({301, 302, 303})
REPOST = frozenset({307, 308})


@dataclass(slots=True)
class Answer:
    """Status and headers (lower-case names) of an answer; its body is read and ignored."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    complete: bool = False
    keep_alive: bool = False


class _Parser:
    """Callbacks for httptools that fill an `Answer`."""

    def __init__(self) -> None:
        self.answer = Answer()
        self.inner = httptools.HttpResponseParser(self)

    def on_header(self, name: bytes, value: bytes) -> None:
        self.answer.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self.answer.status = self.inner.get_status_code()

    def on_message_complete(self) -> None:
        self.answer.complete = True
        self.answer.keep_alive = self.inner.should_keep_alive()


@dataclass(slots=True)
class _Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    idle_since: float = 0.0

    def usable(self) -> bool:
        fresh = time.monotonic() - self.idle_since < IDLE_S
        return fresh and not self.reader.at_eof() and not self.writer.is_closing()


class WebhookClient:
    """POSTs bodies over kept-alive connections; never times out on a slow receiver, as WAHA."""

    def __init__(self) -> None:
        self._idle: defaultdict[tuple[str, str, int], list[_Connection]] = defaultdict(list)
        # WAHA does not check the receiver's certificate.
        self._tls = ssl.create_default_context()
        self._tls.check_hostname = False
        self._tls.verify_mode = ssl.CERT_NONE

    async def post(self, url: str, headers: Headers, body: bytes) -> Answer:
        """Send a body and follow redirects: 301-303 turn into GET without body, 307/308 repost.

        Raises:
            OSError: no connection, or it broke before the answer was complete.
        """
        method, target = "POST", url
        for _ in range(REDIRECTS_MAX + 1):
            answer = await self._exchange(method, target, headers, body)
            location = answer.headers.get("location")
            if not location or answer.status not in SEE_OTHER | REPOST:
                return answer
            target = urljoin(target, location)
            if answer.status in SEE_OTHER and method != "GET":
                method, body = "GET", b""
                headers = [(n, v) for n, v in headers if n.lower() != "content-type"]
        raise ConnectionError("too many redirects")

    async def close(self) -> None:
        """Close the idle connections."""
        for connections in self._idle.values():
            for connection in connections:
                connection.writer.close()
        self._idle.clear()

    async def _exchange(self, method: str, url: str, headers: Headers, body: bytes) -> Answer:
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        port = parts.port or (443 if secure else 80)
        key = (parts.scheme, parts.hostname or "", port)
        connection = await self._connect(key)
        try:
            connection.writer.write(_request_bytes(method, url, headers, body))
            await connection.writer.drain()
            answer = await _read_answer(connection.reader)
        except BaseException:
            connection.writer.close()
            raise
        if answer.keep_alive:
            connection.idle_since = time.monotonic()
            self._idle[key].append(connection)
        else:
            connection.writer.close()
        return answer

    async def _connect(self, key: tuple[str, str, int]) -> _Connection:
        idle = self._idle[key]
        while idle:
            connection = idle.pop()
            if connection.usable():
                return connection
            connection.writer.close()
        scheme, host, port = key
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(
                host, port, ssl=self._tls if scheme == "https" else None
            )
        return _Connection(reader, writer)


def _request_bytes(method: str, url: str, headers: Headers, body: bytes) -> bytes:
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = [f"{method} {target} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in headers]
    if method == "POST":
        lines.append(f"Content-Length: {len(body)}")
    lines += [
        "Accept-Encoding: gzip, compress, deflate, br",
        f"Host: {parts.netloc.rpartition('@')[2]}",
        "Connection: keep-alive",
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def _read_answer(reader: asyncio.StreamReader) -> Answer:
    parser = _Parser()
    while not parser.answer.complete:
        data = await reader.read(READ_BYTES)
        if not data:
            if parser.answer.status:
                # Without a length the body ends with the connection.
                return parser.answer
            raise ConnectionResetError("socket hang up")
        with contextlib.suppress(httptools.HttpParserUpgrade):
            try:
                parser.inner.feed_data(data)
            except httptools.HttpParserError as exc:
                raise ConnectionError(f"not HTTP: {exc}") from exc
    return parser.answer
