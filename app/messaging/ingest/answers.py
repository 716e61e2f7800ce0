"""What the webhook doors answer: a short JSON object, or a problem document (RFC 9457)."""

from collections.abc import Mapping
from typing import Any

import msgspec

from app.http.replies import Reply

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
