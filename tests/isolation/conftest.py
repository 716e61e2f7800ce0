"""Two businesses with people and keys, and the running API, for a module of tests."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from tests.isolation.callers import Callers, two_businesses
from tests.worlds import Api, World, open_api


@pytest.fixture(scope="module")
async def api(world: World) -> AsyncIterator[Api]:
    # The walk is one address that asks some hundred times.
    limits = replace(world.settings.limits, edge_per_min=60_000, edge_burst=60_000)
    async with open_api(replace(world.settings, limits=limits)) as api:
        yield api


@pytest.fixture(scope="module")
async def callers(world: World) -> Callers:
    return await two_businesses(world)
