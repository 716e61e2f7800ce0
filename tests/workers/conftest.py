"""The engine's bench, and a condition to wait for: no test sleeps and hopes."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from tests.engine.conftest import bench

__all__ = ["bench", "until"]
WAIT_S = 30.0


async def until(condition: Callable[[], Awaitable[object]], what: str) -> None:
    """Poll until the condition is true."""
    deadline = time.monotonic() + WAIT_S
    while not await condition():
        assert time.monotonic() < deadline, f"not within {WAIT_S:g} s: {what}"
        await asyncio.sleep(0.01)
