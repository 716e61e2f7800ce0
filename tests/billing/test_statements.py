"""Monthly statements: every movement, sums that add up, months of the tenant's time zone."""

import csv
import io
import json
from datetime import datetime
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from app.core.errors import NotFoundError, RefusedError
from billing import statements
from billing.ledger import service
from billing.ledger.schemas import Refund
from billing.statement_formats import CSV_COLUMNS, as_csv, as_json
from tests.billing.ledger import CREDIT, Ledger

pytestmark = pytest.mark.anyio
ZONE = "America/New_York"


@pytest.fixture
async def superuser(database):
    connection = await asyncpg.connect(database.superuser_url)
    try:
        yield connection
    finally:
        await connection.close()


async def dated(superuser, ledger: Ledger, *moments: str) -> None:
    """Date the journal's entries; the chain is not a statement's business."""
    await superuser.execute("set session_replication_role = replica")
    await superuser.execute("update tenants set time_zone = $1", ZONE)
    for seq, moment in enumerate(moments, 1):
        await superuser.execute(
            "update journal set created_at = $1 where tenant_id = $2 and seq = $3",
            datetime.fromisoformat(moment),
            ledger.tenant_id,
            seq,
        )


async def written(ledger: Ledger, month: str, form=as_json) -> str:
    async with ledger.db.tenant(ledger.tenant_id) as connection:
        about = await statements.terms(connection, ledger.tenant_id, month)
        return "".join([piece async for piece in form(about, statements.lines(connection, about))])


async def test_a_month_adds_up_and_ends_at_the_tenants_midnight(ledger, superuser):
    await ledger.grant(10 * CREDIT, ref="ticket-1")
    charged = await ledger.charge(2 * CREDIT, CREDIT)
    await ledger.refund(charged, CREDIT)
    await ledger.claw(3 * CREDIT)
    await dated(
        superuser,
        ledger,
        "2026-10-31T23:30:00-04:00",  # still October in New York, November in Greenwich
        "2026-11-01T00:00:00-04:00",  # the hold: no movement of the statement's balance
        "2026-11-01T00:00:01-04:00",  # charged
        "2026-11-01T00:00:01-04:00",  # and the rest released
        "2026-11-20T12:00:00-05:00",
        "2026-12-01T00:00:00-05:00",  # December
    )
    october = json.loads(await written(ledger, "2026-10"))
    november = json.loads(await written(ledger, "2026-11"))
    assert (october["opening"], october["closing"]) == ("0", "10")
    assert [line["reference"] for line in october["lines"]] == ["purchase ticket-1"]
    assert (november["opening"], november["closing"]) == ("10", "10")
    assert november["since"] == "2026-11-01T00:00:00-04:00"
    assert november["until"] == "2026-12-01T00:00:00-05:00"
    assert [(x["kind"], x["amount"], x["balance"]) for x in november["lines"]] == [
        ("capture", "-1", "9"),
        ("refund", "1", "10"),
    ]
    assert november["lines"][0]["time"] == "2026-11-01T00:00:01-04:00"
    assert november["totals"] == {
        "granted": "0",
        "charged": "1",
        "refunded": "1",
        "expired": "0",
        "clawed": "0",
    }
    assert november["line_count"] == 2


async def test_csv_says_the_same_as_json(ledger):
    await ledger.grant(5 * CREDIT)
    await ledger.charge(CREDIT, CREDIT // 2)
    month = f"{datetime.now(ZoneInfo('UTC')):%Y-%m}"
    rows = list(csv.DictReader(io.StringIO(await written(ledger, month, as_csv))))
    found = json.loads(await written(ledger, month))
    opening, *lines, closing = rows
    assert tuple(opening) == CSV_COLUMNS
    assert (opening["kind"], opening["balance"]) == ("opening", found["opening"])
    assert (closing["kind"], closing["balance"]) == ("closing", found["closing"])
    assert [row["amount"] for row in lines] == ["5", "-0.5"]
    assert [row["balance"] for row in lines] == [line["balance"] for line in found["lines"]]
    assert found["provisional"]


async def test_texts_that_a_spreadsheet_would_run_are_made_harmless(ledger):
    await ledger.grant(CREDIT, ref="x")
    hold_id = await ledger.charge(CREDIT, CREDIT)
    for reason in ("=HYPERLINK()", "+1", "-1", "@x", "\tx", "fine"):
        await _refund(ledger, hold_id, reason)
    month = f"{datetime.now(ZoneInfo('UTC')):%Y-%m}"
    rows = list(csv.DictReader(io.StringIO(await written(ledger, month, as_csv))))
    references = [row["reference"] for row in rows if row["kind"] == "refund"]
    assert references == ["'=HYPERLINK()", "'+1", "'-1", "'@x", "'\tx", "fine"]
    charges = [row["amount"] for row in rows if row["kind"] == "capture"]
    assert charges == ["-1"]


async def _refund(ledger: Ledger, hold_id: UUID, reason: str) -> None:
    request = Refund(
        tenant_id=ledger.tenant_id,
        op_id=uuid4(),
        hold_id=hold_id,
        amount_ucr=1,
        reason=reason,
        created_by="test",
    )
    async with ledger.db.system() as connection:
        await service.refund(connection, request)


async def test_a_long_month_is_read_in_pages(ledger, monkeypatch):
    monkeypatch.setattr(statements, "PAGE_LINES", 4)
    await ledger.grant(20 * CREDIT)
    for _ in range(10):
        await ledger.charge(CREDIT, CREDIT)
    found = json.loads(await written(ledger, f"{datetime.now(ZoneInfo('UTC')):%Y-%m}"))
    assert found["line_count"] == 11
    assert found["closing"] == "10"


async def test_impossible_months_and_foreign_tenants_are_refused(ledger):
    for month, words in (
        ("2026-13", "is not a month; write it like 2026-11"),
        ("11/2026", "is not a month"),
        ("2999-01", "has not begun yet"),
    ):
        with pytest.raises(RefusedError, match=words):
            await written(ledger, month)
    other = await Ledger.with_tenant(ledger.db)
    async with ledger.db.tenant(ledger.tenant_id) as connection:
        with pytest.raises(NotFoundError):
            await statements.terms(connection, other.tenant_id, "2026-11")
