"""A tenant with a wallet in an empty database."""

import pytest

from tests.billing.ledger import Ledger
from tests.databases import TestDatabase


@pytest.fixture
async def ledger(database: TestDatabase) -> Ledger:
    return await Ledger.with_tenant(database.db)
