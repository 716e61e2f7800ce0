"""Errors as RFC 9457 problem documents with a stable ``code``; nothing internal leaks."""

import logging
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException

from app.core.errors import (
    NotSignedInError,
    ParleyError,
    TooManyAttemptsError,
    UnavailableError,
)
from app.core.observability.sentry import capture
from app.http.client import request_id

log = logging.getLogger(__name__)

_SERVER_ERROR = 500
_CODES = {
    400: "invalid",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method",
    413: "too_large",
    415: "media_type",
    429: "rate_limit",
    503: "unavailable",
}
MEDIA_TYPE = "application/problem+json"


def problem(
    request: Request[Any, Any, Any],
    *,
    status: int,
    code: str,
    detail: str,
    headers: dict[str, str] | None = None,
) -> Response[bytes]:
    """Build a problem document for a request."""
    rid = request.scope.get("parley_request_id") or request_id(request.scope, ())
    body = {
        "type": "about:blank",
        "title": code.replace("_", " ").capitalize(),
        "status": status,
        "code": code,
        "detail": detail,
        "requestId": rid,
    }
    return Response(
        msgspec.json.encode(body),
        status_code=status,
        media_type=MEDIA_TYPE,
        headers={"X-Request-Id": str(rid), "Cache-Control": "no-store", **(headers or {})},
    )


def on_http_error(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """Answer the framework's own errors (404, 405, bad parameters)."""
    status = error.status_code
    code = _CODES.get(status, "invalid" if status < _SERVER_ERROR else "internal")
    detail = "There is nothing here." if status == 404 else str(error.detail)  # noqa: PLR2004
    if status >= _SERVER_ERROR:
        return on_unexpected(request, error)
    return problem(
        request, status=status, code=code, detail=detail, headers=dict(error.headers or {})
    )


def on_parley_error(request: Request[Any, Any, Any], error: ParleyError) -> Response[bytes]:
    """Answer an error of ours with its own status and code."""
    if error.status >= _SERVER_ERROR and not isinstance(error, UnavailableError):
        return on_unexpected(request, error)
    headers = {}
    if isinstance(error, UnavailableError | TooManyAttemptsError):
        headers["Retry-After"] = str(max(1, round(error.retry_after_s)))
    if isinstance(error, NotSignedInError):
        headers["WWW-Authenticate"] = 'Bearer realm="parley"'
    return problem(
        request, status=error.status, code=error.code, detail=str(error), headers=headers
    )


def on_unexpected(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Answer 500 without a word of what happened; log and report it."""
    log.error("unexpected error", exc_info=error, extra={"errorType": type(error).__name__})
    capture(error)
    return problem(
        request,
        status=_SERVER_ERROR,
        code="internal",
        detail="Something went wrong on our side. It has been reported.",
    )
