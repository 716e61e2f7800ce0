"""Connections to Redis over TCP: strict time-outs for decisions, calm ones for everything else.

``redis`` is imported on first use; a process that never connects does not pay for it.
"""

from typing import Any

CONNECT_TIMEOUT_S = 0.1
"""A decision's share for connecting."""
DECISION_TIMEOUT_S = 0.25
"""A decision's whole budget, connecting included."""

_CALM_CONNECT_TIMEOUT_S = 2.0
_CALM_TIMEOUT_S = 5.0
_HEALTH_CHECK_S = 25
_CONNECTIONS_MAX = 32


def decision_client(url: str) -> Any:
    """Return a ``redis.asyncio.Redis`` for calls that must answer within 250 ms.

    No retries: a decision sent twice would count twice. RESP2 without CLIENT SETINFO makes a
    fresh connection ready after one round trip at most (AUTH or SELECT, where the URL asks).
    """
    return _client(
        url,
        socket_connect_timeout=CONNECT_TIMEOUT_S,
        socket_timeout=DECISION_TIMEOUT_S,
        wait_s=DECISION_TIMEOUT_S,
        protocol=2,
        driver_info=None,
    )


def redis_client(url: str) -> Any:
    """Return a ``redis.asyncio.Redis`` for health checks and live updates.

    ``socket_timeout`` does not end a subscription that hears nothing: redis-py waits for
    published messages without it when ``listen()`` or ``get_message(timeout=None)`` is used.
    """
    return _client(
        url,
        socket_connect_timeout=_CALM_CONNECT_TIMEOUT_S,
        socket_timeout=_CALM_TIMEOUT_S,
        wait_s=_CALM_TIMEOUT_S,
        health_check_interval=_HEALTH_CHECK_S,
    )


def _client(url: str, *, wait_s: float, **options: Any) -> Any:
    from redis.asyncio import BlockingConnectionPool, Redis
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    if not url.startswith("unix:"):
        options["socket_keepalive"] = True
    # The plain pool raises when all connections are taken; a burst should wait its turn.
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=_CONNECTIONS_MAX,
        timeout=wait_s,
        retry=Retry(NoBackoff(), 0),
        **options,
    )
    return Redis.from_pool(pool)
