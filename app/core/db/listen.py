"""LISTEN on a connection of its own, held open and made anew when it breaks."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import asyncpg

log = logging.getLogger(__name__)

_CHECK_EVERY_S = 5.0
_CONNECT_TIMEOUT_S = 5.0


async def listen(url: str, channel: str, wake: Callable[[], None]) -> None:
    """Call ``wake`` for each notification, and after each reconnect, until cancelled.

    Notifications sent while the connection is down are lost; callers look again by
    themselves now and then.
    """
    while True:
        try:
            connection = await asyncpg.connect(url, timeout=_CONNECT_TIMEOUT_S)
        except (OSError, TimeoutError, asyncpg.PostgresError) as error:
            log.warning("cannot listen", extra={"errorType": type(error).__name__})
            await asyncio.sleep(1.0)
            continue
        try:
            await connection.add_listener(channel, _caller(wake))
            wake()
            while not connection.is_closed():
                await asyncio.sleep(_CHECK_EVERY_S)
                await connection.fetchval("select 1", timeout=_CONNECT_TIMEOUT_S)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            log.warning("listening broke", extra={"errorType": type(error).__name__})
        finally:
            connection.terminate()


def _caller(wake: Callable[[], None]) -> Callable[..., Any]:
    def on_notification(*_: Any) -> None:
        wake()

    return on_notification
