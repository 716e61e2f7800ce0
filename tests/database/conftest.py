"""What migrations leave is looked at in copies of the template, never in a used database."""

from collections.abc import AsyncIterator

import pytest

from tests.conftest import TestDatabase, open_database


@pytest.fixture
async def database(superuser_url: str) -> AsyncIterator[TestDatabase]:
    async with open_database(superuser_url) as opened:
        yield opened
