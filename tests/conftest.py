"""What all tests share: one PostgreSQL and one Redis a session, a migrated database a test.

The cluster and the migrated template are made once a session (once an xdist worker); a test
gets a copy, so tests neither see each other's rows nor depend on their order.
"""

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from app.cli.local.postgres import EmbeddedPostgres
from app.cli.local.redis import EmbeddedRedis
from app.core.config import Limits, Settings, Timings
from app.core.db.engine import Database
from migrations import bootstrap, runner
from tests import wiping

TEMPLATE = "parley_template"
PASSWORDS = bootstrap.RolePasswords(owner="owner", app="app", system="system")


@dataclass(frozen=True)
class TestDatabase:
    """A migrated, empty database with its logins' URLs."""

    __test__ = False

    db: Database
    app_url: str
    system_url: str
    admin_url: str
    superuser_url: str


@pytest.fixture(autouse=True)
def _environment_of_one_test() -> Iterator[None]:
    """Commands load an environment into the process; it ends with the test that ran them."""
    before = dict(os.environ)
    yield
    if dict(os.environ) != before:
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def superuser_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A cluster of this session, with the migrated template in it."""
    given = os.environ.get("PARLEY_TEST_SUPERUSER_URL")
    if given:
        asyncio.run(_make_template(given))
        yield given
        return
    server = EmbeddedPostgres(tmp_path_factory.mktemp("postgres") / "data", durable=False)
    server.start()
    try:
        asyncio.run(_make_template(server.superuser_url))
        yield server.superuser_url
    finally:
        server.destroy()


async def _make_template(superuser_url: str) -> None:
    await bootstrap.drop_database(superuser_url, TEMPLATE)
    urls = await bootstrap.bootstrap(superuser_url, database=TEMPLATE, passwords=PASSWORDS)
    await runner.upgrade(urls.admin)


@asynccontextmanager
async def open_database(superuser_url: str) -> AsyncIterator[TestDatabase]:
    """A copy of the template, dropped in the end."""
    name = await _copy(superuser_url)
    try:
        async with _connected(superuser_url, name) as opened:
            yield opened
    finally:
        await bootstrap.drop_database(superuser_url, name)


async def _copy(superuser_url: str) -> str:
    name = f"test_{uuid.uuid4().hex[:12]}"
    await bootstrap.clone_database(superuser_url, TEMPLATE, name)
    return name


@asynccontextmanager
async def _connected(superuser_url: str, name: str) -> AsyncIterator[TestDatabase]:
    urls = bootstrap.urls_for(superuser_url, database=name, passwords=PASSWORDS)
    db = Database(app_url=urls.app, system_url=urls.system, pool_size=16)
    try:
        root = superuser_url.rsplit("/", 1)[0]
        yield TestDatabase(db, urls.app, urls.system, urls.admin, f"{root}/{name}")
    finally:
        await db.close()


@pytest.fixture(scope="session")
def idle_databases() -> dict[str, str]:
    """Databases that a test has left empty, with their schema's fingerprint."""
    return {}


@pytest.fixture
async def database(
    superuser_url: str, idle_databases: dict[str, str]
) -> AsyncIterator[TestDatabase]:
    """An empty database for one test: one that was used and wiped, else a copy of the template.

    A copy takes as long as ten tests do. What a test changed of the schema is noticed; then its
    database goes, and the next test gets a copy.
    """
    if idle_databases:
        name, schema = idle_databases.popitem()
    else:
        name = await _copy(superuser_url)
        schema = await wiping.prepare(superuser_url, name)
    async with _connected(superuser_url, name) as opened:
        yield opened
    if await wiping.wipe(superuser_url, name, schema):
        idle_databases[name] = schema
    else:
        await bootstrap.drop_database(superuser_url, name)


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
