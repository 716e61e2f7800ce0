"""Litestar with doors in front: plain ASGI applications that pay for nothing of the framework.

A mount inside the framework still goes through its router, its exception middleware and its
wrapped ``send``, which costs more than all that the webhook door does itself. The mounts stay
registered for every other spelling of a path and for the time before the doors can open, so
both ways lead to the same answers.

What begins like none of the framework's routes belongs to the pages, an application of its own.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from litestar import Litestar
from litestar.plugins import PluginProtocol
from litestar.plugins.core import MsgspecDIPlugin

from app.http.replies import DirectDoor

Door = Callable[[Any, Any, Any], Awaitable[None]]


class Application(Litestar):
    """The framework's application; a request whose path has a door goes past it.

    Args:
        find_door: the ASGI application behind a path, None where the framework is to answer.
            A door answers everything itself, its own errors included.
        find_direct: the door that may be asked before ASGI (``app/http/direct.py``), by target.
        pages: the application that answers every path whose first segment is no route's of ours.
        options: Litestar's own.
    """

    def __init__(
        self,
        *,
        find_door: Callable[[str], Door | None],
        find_direct: Callable[[bytes], DirectDoor | None] | None = None,
        pages: Door | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self._find_door = find_door
        self.find_direct = find_direct
        self.pages = pages
        self._segments = {route.path.split("/", 2)[1] for route in self.routes}

    @staticmethod
    def _get_default_plugins(plugins: list[PluginProtocol]) -> list[PluginProtocol]:
        """Leave out what the framework adds for pydantic and attrs, which no route of ours speaks.

        Loading pydantic is a fifth of the time until the application can answer; the SDKs that
        need it import it on first use.
        """
        return [*plugins, MsgspecDIPlugin()]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Hand a request to its door, to the pages, or to the framework."""
        door = None
        if scope["type"] == "http":
            path = scope["path"]
            door = self._find_door(path)
            if door is None and self._is_page(path):
                door = self.pages
        await (door or super().__call__)(scope, receive, send)

    def _is_page(self, path: str) -> bool:
        return path.startswith("/") and path.split("/", 2)[1] not in self._segments
