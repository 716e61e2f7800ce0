"""A bench whose files are fetched from a script; one database for all, each test finds it empty."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from app.core.config import Limits, Settings, Timings
from tests.conftest import TestDatabase, open_database
from tests.engine.bench import Bench
from tests.media.scripted import FileDesk
from tests.wiping import KEEP, WIPE


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def files_database(anyio_backend: str, superuser_url: str) -> AsyncIterator[TestDatabase]:
    async with open_database(superuser_url) as opened:
        superuser = await asyncpg.connect(opened.superuser_url)
        await superuser.execute(KEEP)
        await superuser.close()
        yield opened


@pytest.fixture
async def desk(files_database: TestDatabase, redis_server_url: str) -> AsyncIterator[FileDesk]:
    superuser = await asyncpg.connect(files_database.superuser_url)
    await superuser.execute(WIPE)
    settings = Settings(
        environment="test",
        database_url=files_database.app_url,
        database_system_url=files_database.system_url,
        redis_url=redis_server_url,
        secret_key="k" * 48,
        encryption_keys=f"t1:{'5a' * 32}",
        timings=Timings(idle_s=0, cap_s=5, sweep_s=0.5, typing_max_s=0, retry_base_s=0.1),
        limits=Limits(),
    )
    bench = Bench(files_database, settings)
    try:
        yield FileDesk(bench, superuser)
        await bench.assert_proved()
    finally:
        await bench.close()
        await superuser.close()
