"""The world of the edge: a database and an API for a module of tests, a business for each."""

from collections.abc import AsyncIterator

import pytest

from tests.worlds import Api, Shop, World, open_api, open_world


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def world(
    anyio_backend: str, superuser_url: str, redis_server_url: str
) -> AsyncIterator[World]:
    async with open_world(superuser_url, redis_server_url) as world:
        yield world


@pytest.fixture(scope="module")
async def api(world: World) -> AsyncIterator[Api]:
    async with open_api(world.settings) as api:
        yield api


@pytest.fixture
async def shop(world: World) -> Shop:
    return await world.open_shop()
