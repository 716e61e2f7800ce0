"""What all tests share: one PostgreSQL and one Redis a session, an empty database a test.

The cluster and the migrated template are made once a session (once an xdist worker); a test
gets a copy, or one that was emptied, so tests neither see each other's rows nor depend on their
order.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from app.cli.local.postgres import EmbeddedPostgres
from app.cli.local.redis import EmbeddedRedis
from app.core.config import Limits, Settings, Timings
from tests.databases import Databases, TestDatabase, make_template
from tests.spreading import Spreading, longest_first
from tests.worlds import Api, World, open_api, open_world


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    longest_first(items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Spreading:
    return Spreading(config, log)


@pytest.fixture(autouse=True)
def _environment_of_one_test() -> Iterator[None]:
    """Commands load an environment into the process; it ends with the test that ran them."""
    before = dict(os.environ)
    yield
    if dict(os.environ) != before:
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """One event loop a session, so that connections may outlive a test."""
    return "asyncio"


@pytest.fixture(scope="session")
def superuser_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A cluster of this session, with the migrated template in it."""
    given = os.environ.get("PARLEY_TEST_SUPERUSER_URL")
    if given:
        asyncio.run(make_template(given))
        yield given
        return
    server = EmbeddedPostgres(tmp_path_factory.mktemp("postgres") / "data", durable=False)
    server.start()
    try:
        asyncio.run(make_template(server.superuser_url))
        yield server.superuser_url
    finally:
        server.destroy()


@pytest.fixture(scope="session")
async def databases(anyio_backend: str, superuser_url: str) -> AsyncIterator[Databases]:
    """What databases are lent from."""
    stock = Databases(superuser_url)
    yield stock
    await stock.close()


@pytest.fixture
async def database(databases: Databases) -> AsyncIterator[TestDatabase]:
    """An empty database for one test."""
    async with databases.lend() as lent:
        yield lent


@pytest.fixture(scope="session")
def redis_server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis of this session."""
    server = EmbeddedRedis(tmp_path_factory.mktemp("redis") / "data")
    server.start()
    try:
        yield server.url
    finally:
        server.stop()


@pytest.fixture
def settings(database: TestDatabase, redis_server_url: str) -> Settings:
    """Settings of a process on this test's database, with short waiting times."""
    return Settings(
        environment="test",
        database_url=database.app_url,
        database_system_url=database.system_url,
        redis_url=redis_server_url,
        secret_key="k" * 48,
        encryption_keys=f"t1:{'5a' * 32}",
        waha_webhook_secret="shared-secret-of-the-platform",
        openai_api_key="simulator",
        timings=Timings(idle_s=0, cap_s=5, sweep_s=0.5, typing_max_s=0, retry_base_s=0.1),
        limits=Limits(),
    )


@pytest.fixture(scope="module")
async def world(databases: Databases, redis_server_url: str) -> AsyncIterator[World]:
    """Businesses and numbers in a database of the module's own."""
    async with open_world(databases, redis_server_url) as world:
        yield world


@pytest.fixture(scope="module")
async def api(world: World) -> AsyncIterator[Api]:
    """The API over real HTTP, in the module's world."""
    async with open_api(world.settings) as api:
        yield api
