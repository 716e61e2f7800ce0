import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from redis.asyncio import Redis

from app.core import redis as redis_connections
from app.core.limits import transports
from app.core.limits.limiter import SharedLimiter
from app.core.limits.transports import RedisTransport, Transport, UpstashTransport
from tests.core.limits.rest_endpoint import TOKEN, RestEndpoint

LimiterFactory = Callable[[], SharedLimiter]


@pytest.fixture
def patient_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the store 10 s, so that a busy machine does not turn a contract test local."""
    monkeypatch.setattr(redis_connections, "CONNECT_TIMEOUT_S", 10.0)
    monkeypatch.setattr(redis_connections, "DECISION_TIMEOUT_S", 10.0)
    monkeypatch.setattr(transports, "DECISION_TIMEOUT_S", 10.0)


@pytest.fixture
def subject() -> str:
    return f"t-{uuid.uuid4()}"


@pytest.fixture
async def raw_redis(anyio_backend: str, redis_server_url: str) -> AsyncIterator[Any]:
    client = Redis.from_url(redis_server_url, decode_responses=True)
    yield client
    await client.aclose()


@pytest.fixture
async def rest(anyio_backend: str, redis_server_url: str) -> AsyncIterator[RestEndpoint]:
    endpoint = await RestEndpoint(redis_server_url).start()
    yield endpoint
    await endpoint.stop()


@pytest.fixture(params=["tcp", "rest"])
async def new_limiter(
    request: pytest.FixtureRequest,
    redis_server_url: str,
    rest: RestEndpoint,
    patient_calls: None,
) -> AsyncIterator[LimiterFactory]:
    """Make limiters as separate processes would hold them: own connections, own memory."""
    made: list[SharedLimiter] = []

    def transport() -> Transport:
        if request.param == "tcp":
            return RedisTransport(redis_server_url)
        return UpstashTransport(rest.url, TOKEN)

    def make() -> SharedLimiter:
        made.append(SharedLimiter(transport()))
        return made[-1]

    yield make
    await asyncio.gather(*(limiter.close() for limiter in made))


@pytest.fixture
def limiter(new_limiter: LimiterFactory) -> SharedLimiter:
    return new_limiter()
