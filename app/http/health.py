"""Health for people and machines: what works, how fast, and whether to send traffic here.

Only a missing database is ``unhealthy`` (503): without Redis, WAHA, the model or mail,
messages are still accepted and kept. Outside services are probed with a TCP connection, at
most every ten seconds, and never with a request that costs money.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from litestar import Response, get

_PROBE_TIMEOUT_S = 1.0
_DATABASE_TIMEOUT_S = 2.0
_OUTSIDE_TTL_S = 10.0
_DEFAULT_PORTS = {"https": 443, "http": 80, "redis": 6379, "rediss": 6380}

Probe = Callable[[], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class QueueState:
    """How the queue fares: living workers, and the age of the oldest untaken work."""

    workers: int
    lag_s: float


@dataclass(frozen=True, slots=True)
class Probes:
    """What health asks. ``outside`` maps a service to its URL, empty when not configured."""

    database: Probe
    migrated: Callable[[], Awaitable[bool]]
    redis: Probe
    queue: Callable[[], Awaitable[QueueState]]
    outside: Mapping[str, str]


class Health:
    """Answers /health and /readyz from probes that run side by side."""

    def __init__(self, probes: Probes, *, service: str, version: str) -> None:
        self._probes = probes
        self._service = service
        self._version = version
        self._started = time.monotonic()
        self._outside: dict[str, Any] = {}
        self._outside_until = 0.0

    async def report(self) -> tuple[int, dict[str, Any]]:
        """Return the HTTP status and the whole report."""
        database, redis, outside = await asyncio.gather(
            _timed(self._probes.database, _DATABASE_TIMEOUT_S),
            _timed(self._probes.redis, _PROBE_TIMEOUT_S),
            self._probe_outside(),
        )
        database_up, redis_up = database["status"] == "healthy", redis["status"] == "healthy"
        queue = await self._queue(database_up=database_up, redis_up=redis_up)
        services = {"database": database, "redis": redis, "queue": queue, **outside}
        fine = {"healthy", "not_configured"}
        status = "healthy" if all(s["status"] in fine for s in services.values()) else "degraded"
        if not database_up:
            status = "unhealthy"
        report = {
            "status": status,
            "service": self._service,
            "version": self._version,
            "uptime": round(time.monotonic() - self._started, 3),
            "timestamp": datetime.now(UTC).isoformat(),
            "services": services,
            "checks": {"database": database_up, "redis": redis_up},
        }
        return (200 if database_up else 503), report

    async def ready(self) -> tuple[int, dict[str, Any]]:
        """Return whether traffic may come: the database answers and has our schema."""
        checks = {"database": False, "migrated": False}
        with suppress(Exception):
            async with asyncio.timeout(_DATABASE_TIMEOUT_S):
                await self._probes.database()
                checks["database"] = True
                checks["migrated"] = await self._probes.migrated()
        ready = all(checks.values())
        body = {"status": "ready" if ready else "not_ready", "checks": checks}
        return (200 if ready else 503), body

    async def _queue(self, *, database_up: bool, redis_up: bool) -> dict[str, Any]:
        if not database_up:
            return {"status": "unknown", "workers": 0, "lagSeconds": None}
        try:
            async with asyncio.timeout(_DATABASE_TIMEOUT_S):
                state = await self._probes.queue()
        except Exception:  # noqa: BLE001 - a probe reports, it never raises
            return {"status": "unknown", "workers": 0, "lagSeconds": None}
        fine = redis_up and state.workers > 0
        return {
            "status": "healthy" if fine else "degraded",
            "workers": state.workers,
            "lagSeconds": round(max(state.lag_s, 0.0), 3),
        }

    async def _probe_outside(self) -> dict[str, Any]:
        if time.monotonic() >= self._outside_until:
            names = list(self._probes.outside)
            states = await asyncio.gather(*(_reach(self._probes.outside[n]) for n in names))
            self._outside = dict(zip(names, states, strict=True))
            self._outside_until = time.monotonic() + _OUTSIDE_TTL_S
        return self._outside


async def _timed(probe: Probe, timeout_s: float) -> dict[str, Any]:
    began = time.perf_counter()
    try:
        async with asyncio.timeout(timeout_s):
            await probe()
    except Exception:  # noqa: BLE001 - a probe reports, it never raises
        return {"status": "unreachable", "responseTime": None}
    return {"status": "healthy", "responseTime": _ms_since(began)}


async def _reach(url: str) -> dict[str, Any]:
    if not url:
        return {"status": "not_configured"}
    parts = urlsplit(url)
    began = time.perf_counter()
    try:
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme, 443)
        async with asyncio.timeout(_PROBE_TIMEOUT_S):
            _, writer = await asyncio.open_connection(parts.hostname, port)
        writer.close()
    except (OSError, TimeoutError, ValueError):
        return {"status": "unreachable", "responseTime": None}
    return {"status": "healthy", "responseTime": _ms_since(began)}


def _ms_since(began: float) -> float:
    return round((time.perf_counter() - began) * 1000, 2)


def health_routes(health: Health) -> list[Any]:
    """Return the handlers of /health, /healthz, /readyz and their aliases."""

    @get(["/health", "/api/health"], summary="What works, and how fast")
    async def report() -> Response[dict[str, Any]]:
        status, body = await health.report()
        return Response(body, status_code=status, headers={"Cache-Control": "no-store"})

    @get("/healthz", summary="The process is alive", sync_to_thread=False)
    def alive() -> dict[str, str]:
        return {"status": "alive"}

    @get(["/readyz", "/ready"], summary="May traffic be sent here?")
    async def ready() -> Response[dict[str, Any]]:
        status, body = await health.ready()
        return Response(body, status_code=status, headers={"Cache-Control": "no-store"})

    return [report, alive, ready]
