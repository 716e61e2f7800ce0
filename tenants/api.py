"""The REST API's front: who calls, how often they may, and ``GET /api/v1/me``.

Other domains add their routes with ``caller`` and ``page`` of this module. Everything that a
key asks for is read in its own tenant's scope, so a foreign id and a missing one are the same
404.
"""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import msgspec
from litestar import Request, get
from litestar.connection import ASGIConnection
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from app.core.errors import (
    ForbiddenError,
    NotSignedInError,
    RefusedError,
    TooManyAttemptsError,
    Word,
)
from app.core.limits import policies
from app.core.limits.types import Check, Limiter
from app.http.client import header
from tenants.api_keys import ApiCaller, ApiKeys

PREFIX = "/api/v1"
PAGE_DEFAULT, PAGE_MAX = 50, 200
_CALLER = "parley_caller"
_BEARER = "bearer "
_REALM = Word("Send an API key: Authorization: Bearer pk_live_…")

Tools = tuple[Limiter, ApiKeys]


class ApiKeyMiddleware:
    """Turns the bearer key of a request into its caller; 401 without a valid one."""

    def __init__(self, app: ASGIApp, tools: Callable[[], Awaitable[Tools]]) -> None:
        self._app = app
        self._tools = tools

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check the key, take one unit of its limit, go on."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        limiter, keys = await self._tools()
        found = await keys.check(_bearer(scope))
        verdict = await limiter.decide([Check(policies.API_KEY, str(found.key_id))])
        if not verdict.allowed:
            raise TooManyAttemptsError(
                "This key makes too many calls. Slow down.",
                retry_after_s=max(1.0, verdict.retry_after_s),
            )
        scope[_CALLER] = found  # type: ignore[literal-required]
        limits = [(k.lower().encode(), v.encode()) for k, v in verdict.headers().items()]

        async def send_with_limits(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *limits]
            await send(message)

        await self._app(scope, receive, send_with_limits)


def api_key_required(
    tools: Callable[[], Awaitable[Tools]],
) -> Callable[[ASGIApp], ApiKeyMiddleware]:
    """Return the middleware as a factory for Litestar's layers."""

    def build(app: ASGIApp) -> ApiKeyMiddleware:
        return ApiKeyMiddleware(app, tools)

    return build


def caller(connection: ASGIConnection[Any, Any, Any, Any], scope: str) -> ApiCaller:
    """Return the calling key, if it has a scope; ForbiddenError otherwise.

    A suspended business may read, and change nothing.
    """
    found: ApiCaller | None = connection.scope.get(_CALLER)  # type: ignore[assignment]
    if found is None:
        raise NotSignedInError(_REALM)
    found.require(scope)
    if scope != "read" and found.tenant_status != "active":
        raise ForbiddenError("The business is %(status)s.", status=found.tenant_status)
    return found


def page_size(limit: int | None) -> int:
    """Return how many rows a page has; RefusedError outside 1 to 200."""
    if limit is None:
        return PAGE_DEFAULT
    if not 1 <= limit <= PAGE_MAX:
        raise RefusedError("limit must be 1 to %(most)s.", most=PAGE_MAX)
    return limit


class Me(msgspec.Struct, rename="camel"):
    """Whom a key stands for."""

    tenant_id: UUID
    tenant_status: str
    key_id: UUID
    key_name: str
    scopes: list[str]


@get("/me", summary="Whose key this is, and what it may do", sync_to_thread=False)
def me(request: Request[Any, Any, Any]) -> Me:
    """Answer for any valid key, whatever its scopes."""
    found: ApiCaller | None = request.scope.get(_CALLER)  # type: ignore[assignment]
    if found is None:
        raise NotSignedInError(_REALM)
    return Me(found.tenant_id, found.tenant_status, found.key_id, found.name, sorted(found.scopes))


def _bearer(scope: Any) -> str:
    raw = header(scope, b"authorization") or b""
    text = raw.decode("latin-1")
    return text[len(_BEARER) :].strip() if text.lower().startswith(_BEARER) else ""
