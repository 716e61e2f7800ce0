"""One middleware for framework routes: request id, access line, no NUL in what is asked."""

import logging
import time
from typing import Any

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from app.core.config import Network
from app.core.errors import RefusedError
from app.core.observability.context import bind
from app.http.client import request_id

log = logging.getLogger(__name__)


class RequestContext:
    """Gives each request an id that is logged, reported and returned as ``X-Request-Id``."""

    def __init__(self, app: ASGIApp, trusted: tuple[Network, ...] = ()) -> None:
        self._app = app
        self._trusted = trusted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run a request inside its context."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        rid = request_id(scope, self._trusted)
        scope["parley_request_id"] = rid  # type: ignore[typeddict-unknown-key]
        began = time.perf_counter()
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if not any(name.lower() == b"x-request-id" for name, _ in message["headers"]):
                    message["headers"] = [*message["headers"], (b"x-request-id", rid.encode())]
            await send(message)

        with bind(request_id=rid):
            if b"%00" in scope.get("query_string", b""):
                # No text of ours holds it, and PostgreSQL takes none that does.
                raise RefusedError("This address has a character that cannot be read.")
            await self._app(scope, receive, send_with_id)
            log.debug(
                "request",
                extra={
                    "method": str(scope.get("method")),
                    "status": status,
                    "durationMs": round((time.perf_counter() - began) * 1000, 2),
                },
            )


def request_context(trusted: tuple[Network, ...]) -> Any:
    """Return the middleware as a factory for Litestar's layers."""

    def build(app: ASGIApp) -> RequestContext:
        return RequestContext(app, trusted)

    return build
