"""A bench whose files are fetched from a script."""

from collections.abc import AsyncIterator

import pytest

from app.core.config import Settings
from tests.databases import TestDatabase
from tests.engine.bench import Bench
from tests.media.scripted import FileDesk


@pytest.fixture
async def desk(database: TestDatabase, settings: Settings) -> AsyncIterator[FileDesk]:
    bench = Bench(database, settings)
    try:
        yield FileDesk(bench, database.superuser)
        await bench.assert_proved()
    finally:
        await bench.close()
