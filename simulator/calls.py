"""The list of calls that the outside services received."""

import base64
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from simulator.clock import now_ms
from simulator.http import Request

CALLS_MAX = 20_000
BODY_BYTES_MAX = 128 * 1024 * 1024
MASK = "***"
_SECRET_HEADERS = frozenset({"authorization", "x-api-key"})

Decoder = Callable[[Request], Any]


def plain_body(request: Request) -> Any:
    """A request's body for reading: JSON as JSON, else text, else `{"base64": …}`; none is null."""
    if not request.body:
        return None
    try:
        return msgspec.json.decode(request.body)
    except msgspec.DecodeError:
        pass
    try:
        return request.body.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(request.body).decode()}


@dataclass(slots=True)
class Call:
    """One recorded request; `status` is None until it was answered, or when it was dropped."""

    service: str
    request: Request
    at_ms: int
    decode: Decoder
    status: int | None = None

    def view(self) -> dict[str, Any]:
        """The call as `GET /_sim/calls` shows it, with credentials masked."""
        headers = {
            name: MASK if name in _SECRET_HEADERS else value
            for name, value in self.request.headers.items()
        }
        return {
            "service": self.service,
            "method": self.request.method,
            "path": self.request.path,
            "query": {k: MASK if k == "_token" else v for k, v in self.request.query.items()},
            "headers": headers,
            "body": self.decode(self.request),
            "status": self.status,
            "at_ms": self.at_ms,
        }


class CallLog:
    """The newest calls, bounded in number and in bytes; bodies are decoded only when read."""

    def __init__(self) -> None:
        self._calls: deque[Call] = deque()
        self._body_bytes = 0

    def record(self, service: str, request: Request, decode: Decoder = plain_body) -> Call:
        """List a call the moment it arrives."""
        call = Call(service, request, now_ms(), decode)
        self._calls.append(call)
        self._body_bytes += len(request.body)
        while len(self._calls) > CALLS_MAX or self._body_bytes > BODY_BYTES_MAX:
            self._body_bytes -= len(self._calls.popleft().request.body)
        return call

    def select(
        self, service: str | None, path: str | None = None, limit: int | None = None
    ) -> list[dict[str, Any]]:
        """Calls in the order they arrived; `limit` keeps the newest ones."""
        chosen = [
            call
            for call in self._calls
            if service in {None, call.service} and path in {None, call.request.path}
        ]
        if limit is not None:
            chosen = chosen[-limit:] if limit else []
        return [call.view() for call in chosen]

    def forget(self, service: str | None) -> int:
        """Drop the calls of one service, or all; returns how many."""
        kept = [call for call in self._calls if service not in {None, call.service}]
        gone = len(self._calls) - len(kept)
        self._calls = deque(kept)
        self._body_bytes = sum(len(call.request.body) for call in kept)
        return gone
