"""WAHA's published and recorded bodies, read in place where they are; else nothing is collected."""

from collections.abc import AsyncIterator

import pytest

from tests.conformance.bodies import FOLDER
from tests.worlds import Api, World, open_api, open_world

collect_ignore_glob = [] if FOLDER.is_dir() else ["test_*.py"]


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
