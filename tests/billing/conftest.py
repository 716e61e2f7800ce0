"""A tenant with a wallet, beside the shared database."""

import pytest

from tests.billing.ledger import Ledger
from tests.conftest import TestDatabase


@pytest.fixture
async def ledger(database: TestDatabase) -> Ledger:
    return await Ledger.with_tenant(database.db)
