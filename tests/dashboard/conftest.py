"""Pages over HTTP: a world for the module, and people with sessions in it."""

from collections.abc import AsyncIterator
from dataclasses import replace
from ipaddress import ip_network

import pytest

from tests.dashboard.browsing import Browsing
from tests.databases import Databases
from tests.isolation.callers import Callers, two_businesses
from tests.worlds import Api, World, open_api, open_world


@pytest.fixture(scope="package")
async def world(databases: Databases, redis_server_url: str) -> AsyncIterator[World]:
    async with open_world(databases, redis_server_url) as world:
        yield world


@pytest.fixture(scope="package")
async def api(world: World) -> AsyncIterator[Api]:
    # Browsers say at which address they are; what comes without one is the walk over all pages.
    limits = replace(world.settings.limits, edge_per_min=60_000, edge_burst=60_000)
    proxies = (ip_network("127.0.0.1/32"),)
    async with open_api(replace(world.settings, limits=limits, trusted_proxies=proxies)) as api:
        yield api


@pytest.fixture(scope="package")
async def callers(world: World) -> Callers:
    return await two_businesses(world)


@pytest.fixture
async def stranger(world: World, api: Api) -> AsyncIterator[Browsing]:
    async with Browsing(world, api) as browsing:
        yield browsing


@pytest.fixture
async def owner(world: World, api: Api, callers: Callers) -> AsyncIterator[Browsing]:
    async with Browsing(world, api, cookie=callers.owner["Cookie"]) as browsing:
        yield browsing
