"""A bench on a fresh database; whatever a test did, the ledger must add up afterwards."""

from collections.abc import AsyncIterator

import pytest

from app.core import faults
from app.core.config import Settings
from tests.databases import TestDatabase
from tests.engine.bench import Bench


@pytest.fixture
async def bench(database: TestDatabase, settings: Settings) -> AsyncIterator[Bench]:
    bench = Bench(database, settings)
    try:
        yield bench
        await bench.assert_proved()
    finally:
        faults.install_plan("")
        await bench.close()
