"""One database for all tests about people; each test finds it empty."""

from collections.abc import AsyncIterator

import pytest

from tests.people.house import House
from tests.wiping import KEEP, WIPE
from tests.worlds import World, open_world


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
async def people_world(
    anyio_backend: str, superuser_url: str, redis_server_url: str
) -> AsyncIterator[World]:
    async with open_world(superuser_url, redis_server_url) as world:
        await world.run(KEEP)
        yield world


@pytest.fixture
async def house(people_world: World) -> AsyncIterator[House]:
    await people_world.run(WIPE)
    made = House(people_world)
    yield made
    await made.close()
