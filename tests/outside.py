"""The outside world for tests of mail and payments: a simulator process and its control."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from tests.simulator.conftest import running_simulator

__all__ = ["Outside", "outside_of", "running_simulator"]


class Outside:
    """The simulator's control, asynchronously."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http
        self.url = str(http.base_url).rstrip("/")

    async def get(self, path: str, **query: Any) -> Any:
        response = await self.http.get(path, params=query)
        assert response.status_code == 200, response.text
        return response.json()

    async def post(self, path: str, body: Any) -> Any:
        response = await self.http.post(path, json=body)
        assert response.status_code in {200, 201, 202}, response.text
        return response.json()

    async def emails(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.get("/_sim/emails"))["emails"]
        return found

    async def calls(self, service: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.get("/_sim/calls", service=service))["calls"]
        return found

    async def fault(self, service: str, path: str = "*", **what: Any) -> None:
        await self.post("/_sim/faults", {"service": service, "path": path, **what})

    async def stripe(self, kind: str, **what: Any) -> Any:
        """Let something happen at Stripe; the event that tells of it."""
        return await self.post("/_sim/stripe/events", {"type": kind, **what})


@asynccontextmanager
async def outside_of(url: str) -> AsyncIterator[Outside]:
    """The simulator at an address, with nothing remembered and quick retries."""
    async with httpx.AsyncClient(base_url=url, timeout=20) as client:
        for part in ("emails", "calls", "faults", "stripe/events"):
            await client.delete(f"/_sim/{part}")
        outside = Outside(client)
        await outside.post("/_sim/clock", {"retry_scale": 0.01})
        yield outside
