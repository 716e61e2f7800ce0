"""Periodic work about knowledge: pages are read again in time, large tenants get their graph."""

from collections.abc import Awaitable, Callable

from sqlalchemy.ext.asyncio import AsyncConnection

from app.assistant.knowledge.generations import grow_graph
from app.assistant.knowledge.sources import begin_due_syncs

Work = Callable[[AsyncConnection], Awaitable[int]]


def work() -> list[tuple[str, float, Work]]:
    """Return name, period in seconds and function of each piece."""
    return [
        ("begin_due_syncs", 60.0, begin_due_syncs),
        ("grow_graph", 5.0, grow_graph),
    ]
