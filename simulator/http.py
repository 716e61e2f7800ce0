"""A lean HTTP toolkit over plain ASGI: requests, answers, errors and a router.

The simulator answers hundreds of calls a second while a benchmark runs beside it on the same
machine, so it carries no framework: a dictionary look-up for fixed paths, a short scan for
patterns, and msgspec for JSON.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote

import msgspec

Headers = list[tuple[str, str]]


@dataclass(slots=True, kw_only=True)
class Request:
    """One HTTP request with its whole body.

    `path` is the service's own (its prefix in the simulator taken off), percent-encoded as it came.
    Header names are lower case; of repeated headers and query parameters the last one wins.
    """

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    params: dict[str, str] = field(default_factory=dict)

    def json(self) -> Any:
        """The body as JSON; an empty body is None.

        Raises:
            msgspec.DecodeError: the body is not JSON.
        """
        return msgspec.json.decode(self.body) if self.body.strip() else None

    def bearer(self) -> str | None:
        """The token of `Authorization: Bearer …`, if there is one."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() or None if scheme.lower() == "bearer" else None


@dataclass(slots=True, kw_only=True)
class Response:
    """One answer: a whole body, or a stream of pieces."""

    status: int = 200
    body: bytes = b""
    headers: Headers = field(default_factory=list)
    stream: AsyncIterator[bytes] | None = None


class HttpError(Exception):
    """An answer that ends a handler early; `body` is the JSON the real service would send."""

    def __init__(self, status: int, body: Any, headers: Headers | None = None) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status
        self.body = body
        self.headers = headers or []

    def response(self) -> Response:
        """This error as an answer."""
        return json_response(self.body, status=self.status, headers=self.headers)


Handler = Callable[[Request], Awaitable[Response]]


def json_response(value: Any, *, status: int = 200, headers: Headers | None = None) -> Response:
    """A JSON answer, compact and with non-ASCII characters as they are."""
    return Response(
        status=status,
        body=msgspec.json.encode(value),
        headers=[("content-type", "application/json; charset=utf-8"), *(headers or [])],
    )


def text_response(text: str, content_type: str, *, headers: Headers | None = None) -> Response:
    """A text answer in UTF-8; `content_type` names its type without the charset."""
    return Response(
        body=text.encode(),
        headers=[("content-type", f"{content_type}; charset=utf-8"), *(headers or [])],
    )


def parse_query(raw: bytes) -> dict[str, str]:
    """The query string as a dictionary."""
    return dict(parse_qsl(raw.decode("latin-1"), keep_blank_values=True)) if raw else {}


class Router:
    """Finds the handler of a method and a path.

    Patterns are paths whose segments may be `{name}`, which matches one segment and hands it over
    percent-decoded in `Request.params`. Fixed paths win over patterns, earlier patterns over later.
    """

    def __init__(self) -> None:
        self._fixed: dict[str, dict[str, Handler]] = {}
        self._patterns: list[tuple[list[str], dict[str, Handler]]] = []

    def add(self, methods: str, path: str, handler: Handler) -> None:
        """Register `handler` for a path; `methods` are separated by spaces."""
        if "{" in path:
            table: dict[str, Handler] = {}
            self._patterns.append((path.split("/"), table))
        else:
            table = self._fixed.setdefault(path, {})
        for method in methods.split():
            table[method] = handler

    def find(self, request: Request) -> tuple[Handler | None, bool]:
        """The handler, and whether the path exists at all (for 404 against 405)."""
        known = False
        table = self._fixed.get(request.path)
        if table is not None:
            known = True
            if request.method in table:
                return table[request.method], True
        segments = request.path.split("/")
        for pattern, methods in self._patterns:
            params = _match(pattern, segments)
            if params is None:
                continue
            known = True
            if request.method in methods:
                request.params = params
                return methods[request.method], True
        return None, known


def _match(pattern: list[str], segments: list[str]) -> dict[str, str] | None:
    if len(pattern) != len(segments):
        return None
    params: dict[str, str] = {}
    for want, got in zip(pattern, segments, strict=True):
        if want.startswith("{"):
            if not got:
                return None
            params[want[1:-1]] = unquote(got)
        elif want != got:
            return None
    return params
