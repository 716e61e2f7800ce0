"""The way into the pages: their application is built when the first one is asked for.

A hundred page handlers cost 50 ms to register and their imports 300 ms; a process that only
takes webhooks, or a serverless instance that wakes up for a health check, never pays for them.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from litestar import Litestar

from app.core.errors import ConfigurationError

log = logging.getLogger(__name__)

_NOT_BUILT = b"The pages of this installation are not built. Run: make assets\n"


class Entrance:
    """The pages' ASGI application; it builds itself, in a thread, for its first request.

    Args:
        build: builds the application; imports what the pages need and nothing else does.
    """

    def __init__(self, build: Callable[[], Litestar]) -> None:
        self.build = build
        self._app: Litestar | None = None
        self._building = asyncio.Lock()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request for a page; 503 in plain words where the assets were not built."""
        try:
            app = self._app or await self.app()
        except ConfigurationError as error:
            log.error("the pages are not built", extra={"errorType": type(error).__name__})  # noqa: TRY400
            await _answer_not_built(send)
            return
        await app(scope, receive, send)

    async def app(self) -> Litestar:
        """Return the application, built: for those who walk its routes."""
        async with self._building:
            if self._app is None:
                self._app = await asyncio.to_thread(self.build)
        return self._app


async def _answer_not_built(send: Any) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": _NOT_BUILT})
