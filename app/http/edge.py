"""The framework's own doorman: denied networks, and how often one address may ask.

Webhooks go past it (they have limits of their own), and so do health probes.
"""

from collections.abc import Awaitable, Callable

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

from app.core.config import Settings
from app.core.errors import ForbiddenError, TooManyAttemptsError
from app.core.limits import policies
from app.core.limits.subjects import hash_address
from app.core.limits.types import Check, Limiter
from app.http.client import client_address

Tools = tuple[Limiter, Callable[[str], Awaitable[bool]]]
"""The limiter, and the question whether an address is denied."""


class EdgeMiddleware:
    """Refuses denied addresses (403) and those that ask too often (429)."""

    def __init__(
        self, app: ASGIApp, settings: Settings, tools: Callable[[], Awaitable[Tools]]
    ) -> None:
        self._app = app
        self._tools = tools
        self._policy = policies.edge(settings.limits)
        # Hashes of it stand for addresses.
        self._key = settings.secret_key
        self._trusted = settings.trusted_proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or raise what it is answered with."""
        if scope["type"] == ScopeType.HTTP:
            await self._admit(client_address(scope, self._trusted))
        await self._app(scope, receive, send)

    async def _admit(self, address: str) -> None:
        limiter, is_denied = await self._tools()
        if await is_denied(address):
            raise ForbiddenError("Requests from this network are not accepted.")
        check = Check(self._policy, hash_address(self._key, address))
        verdict = await limiter.decide([check])
        if not verdict.allowed:
            raise TooManyAttemptsError(
                "Too many requests from this address. Slow down.",
                retry_after_s=max(1.0, verdict.retry_after_s),
            )


def edge(
    settings: Settings, tools: Callable[[], Awaitable[Tools]]
) -> Callable[[ASGIApp], EdgeMiddleware]:
    """Return the middleware as a factory for Litestar's layers.

    Args:
        settings: how often one address may ask, and which proxies are believed.
        tools: what it works with, once the application has started.
    """

    def build(app: ASGIApp) -> EdgeMiddleware:
        return EdgeMiddleware(app, settings, tools)

    return build
