"""The plan behind a search of a long ledger."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.engine import Engine

from billing.entries import Wanted, of_tenant
from tests.billing.ledger import Ledger
from tests.databases import TestDatabase

pytestmark = pytest.mark.anyio


async def test_days_of_a_long_ledger_are_found_by_its_numbers(
    database: TestDatabase, ledger: Ledger
):
    """Row level security keeps what may leak from an index; the bounds must not be such."""
    seen: list[tuple[str, Any]] = []

    def note(_c: object, _cursor: object, statement: str, values: Any, *_: object) -> None:
        if "order by j.seq" in statement:
            seen.append((statement, values))

    # Of reservations no index of movements knows: only their numbers lead to them.
    first, second = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
    wanted = Wanted(kind="reservations", since=first, until=second)
    event.listen(Engine, "before_cursor_execute", note)
    try:
        async with database.db.tenant(ledger.tenant_id) as connection:
            await of_tenant(connection, ledger.tenant_id, wanted)
            await connection.execute(text("set local enable_seqscan = off"))
            await connection.execute(text("set local enable_bitmapscan = off"))
            ((statement, values),) = seen
            plan = await connection.exec_driver_sql(f"explain {statement}", values)
            told = "\n".join(row[0] for row in plan)
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert re.search(r"pk_journal on journal j .*\n\s+Index Cond: .*seq >= .*seq <= ", told), told
