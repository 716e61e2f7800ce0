"""What webhook doors share: bodies read whole, and answers in JSON or as problem documents.

A body is read as the bytes that were signed, and at most 1 MiB of it. Refusals are RFC 9457.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any

import msgspec

from app.http.replies import Reply

BODY_BYTES_MAX = 1 << 20
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
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refused(400, "disconnected", "The body did not arrive.")
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > BODY_BYTES_MAX:
            if message.get("more_body", False):
                await _discard(receive, size)
            raise _too_large()
        chunks.append(chunk)
        if not message.get("more_body", False):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)


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


def _too_large() -> Refused:
    # What is left of the body is not read, so the connection cannot be used again.
    return Refused(413, "too_large", "A webhook has at most 1 MiB.", {"Connection": "close"})
