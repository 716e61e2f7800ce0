"""Litestar with doors in front: plain ASGI applications that pay for nothing of the framework.

A mount inside the framework still goes through its router, its exception middleware and its
wrapped ``send``, which costs more than all that the webhook door does itself. The mounts stay
registered for every other spelling of a path and for the time before the doors can open, so
both ways lead to the same answers.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from litestar import Litestar

Door = Callable[[Any, Any, Any], Awaitable[None]]


class Application(Litestar):
    """The framework's application; a request whose path has a door goes past it.

    Args:
        find_door: the ASGI application behind a path, None where the framework is to answer.
            A door answers everything itself, its own errors included.
        options: Litestar's own.
    """

    def __init__(self, *, find_door: Callable[[str], Door | None], **options: Any) -> None:
        super().__init__(**options)
        self._find_door = find_door

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Hand a request to its door, or to the framework."""
        door = self._find_door(scope["path"]) if scope["type"] == "http" else None
        await (door or super().__call__)(scope, receive, send)
