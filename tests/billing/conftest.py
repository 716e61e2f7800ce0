"""One database for all tests of billing, empty for each; and a tenant with a wallet in it."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from tests.billing.ledger import Ledger
from tests.conftest import TestDatabase, open_database
from tests.wiping import KEEP, WIPE


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
async def shared(
    anyio_backend: str, superuser_url: str
) -> AsyncIterator[tuple[TestDatabase, asyncpg.Connection]]:
    async with open_database(superuser_url) as opened:
        superuser = await asyncpg.connect(opened.superuser_url)
        await superuser.execute(KEEP)
        yield opened, superuser
        await superuser.close()


@pytest.fixture
async def database(shared: tuple[TestDatabase, asyncpg.Connection]) -> TestDatabase:
    opened, superuser = shared
    await superuser.execute(WIPE)
    return opened


@pytest.fixture
async def ledger(database: TestDatabase) -> Ledger:
    return await Ledger.with_tenant(database.db)
