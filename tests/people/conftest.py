"""A house of people for each test, in an empty world."""

from collections.abc import AsyncIterator

import pytest

from tests.databases import Databases
from tests.people.house import House
from tests.worlds import open_world


@pytest.fixture
async def house(databases: Databases, redis_server_url: str) -> AsyncIterator[House]:
    async with open_world(databases, redis_server_url) as world:
        made = House(world)
        yield made
        await made.close()
