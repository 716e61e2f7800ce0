"""A business for each test of the edge, in its module's world."""

import pytest

from tests.worlds import Shop, World


@pytest.fixture
async def shop(world: World) -> Shop:
    return await world.open_shop()
