"""What webhook doors share: bodies read whole, and answers in JSON or as problem documents.

A body is read as the bytes that were signed, and at most 1 MiB of it. Refusals are RFC 9457.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any, Self

import msgspec

from app.http.replies import Reply

BODY_BYTES_MAX = 1 << 20
# All bodies together that are on their way, each but for its first part: a stranger's are not
# known for what they are before they are here whole.
READING_BYTES_MAX = 256 << 20
_FIRST_PART_BYTES = 64 << 10
_DISCARD_BYTES_MAX = 16 << 20
_DISCARD_S = 1.0
_encode = msgspec.json.Encoder().encode


class Refused(Exception):  # noqa: N818 - an answer, not a fault
    """Ends a request with a problem document; never leaves the door."""

    def __init__(
        self, status: int, code: str, detail: str, headers: Mapping[str, str] | None = None
    ) -> None:
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = headers or {}
        super().__init__(code)


async def read_body(headers: Mapping[bytes, bytes], receive: Any) -> bytes:
    """Return the body; Refused when it is compressed, too large, or does not arrive."""
    encoding = headers.get(b"content-encoding")
    if encoding is not None and encoding.strip().lower() not in {b"", b"identity"}:
        raise Refused(415, "encoding", "Compressed bodies are not accepted.")
    length = headers.get(b"content-length")
    told = int(length[:12]) if length is not None and length.isdigit() else 0
    if told > BODY_BYTES_MAX:
        await _discard(receive, told)
        raise _too_large()
    with _Share() as share:
        return await _read(receive, share)


async def _read(receive: Any, share: "_Share") -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refused(400, "disconnected", "The body did not arrive.")
        chunk: bytes = message.get("body", b"")
        more = message.get("more_body", False)
        size = len(body) + len(chunk)
        too_large = size > BODY_BYTES_MAX
        if too_large or (more and not share.grow(size)):
            body.clear()
            if more:
                await _discard(receive, size)
            raise _too_large() if too_large else _too_many()
        if not more and not body:
            return chunk
        body += chunk
        if not more:
            return bytes(body)


class _Share:
    """What one body that is being read takes of ``READING_BYTES_MAX``."""

    _taken = 0

    def __init__(self) -> None:
        self._size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        _Share._taken -= self._size

    def grow(self, size: int) -> bool:
        """Take as much as the body has by now; False, and nothing taken, when it does not fit."""
        more = max(size - _FIRST_PART_BYTES, 0) - self._size
        if _Share._taken + more > READING_BYTES_MAX:
            self.__exit__()
            self._size = 0
            return False
        self._size += more
        _Share._taken += more
        return True


def accepted(outcome: str, request_id: str) -> Reply:
    """Answer 200: the event is durable, or nothing is to be done about it."""
    content = _encode({"status": outcome, "requestId": request_id})
    return Reply(200, _headers(b"application/json", content, request_id), content)


def problem(refused: Refused, request_id: str) -> Reply:
    """Answer with a problem document."""
    content = _encode(
        {
            "type": "about:blank",
            "title": refused.code.replace("_", " ").capitalize(),
            "status": refused.status,
            "code": refused.code,
            "detail": refused.detail,
            "requestId": request_id,
        }
    )
    headers = _headers(b"application/problem+json", content, request_id)
    headers.append((b"cache-control", b"no-store"))
    headers += [(k.lower().encode(), v.encode()) for k, v in refused.headers.items()]
    return Reply(refused.status, headers, content)


async def send_reply(send: Any, reply: Reply) -> None:
    """Send an answer by ASGI."""
    await send({"type": "http.response.start", "status": reply.status, "headers": reply.headers})
    await send({"type": "http.response.body", "body": reply.content})


def _headers(kind: bytes, content: bytes, request_id: str) -> list[tuple[bytes, bytes]]:
    return [
        (b"content-type", kind),
        (b"content-length", b"%d" % len(content)),
        (b"x-request-id", request_id.encode()),
    ]


async def _discard(receive: Any, size: int) -> None:
    """Read the rest of a body that is refused, within bounds, so that the answer arrives.

    A connection that is closed over unread bytes is reset, and the 413 is lost with it.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_DISCARD_S):
            while size <= _DISCARD_BYTES_MAX:
                message = await receive()
                size += len(message.get("body", b""))
                if not message.get("more_body", False):
                    return


def _too_many() -> Refused:
    after = {"Connection": "close", "Retry-After": "1"}
    return Refused(503, "unavailable", "Too much is on its way; please send it again.", after)


def _too_large() -> Refused:
    # What is left of the body is not read, so the connection cannot be used again.
    return Refused(413, "too_large", "A webhook has at most 1 MiB.", {"Connection": "close"})
