"""Charges added up by the day say what the holds say, whatever part of them is added up."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import text

from billing import account, charge_days
from billing.margin import Margin, margins
from billing.statements import Row, Terms, rows, terms
from tests.billing.ledger import CREDIT, Ledger
from tests.databases import TestDatabase

pytestmark = pytest.mark.anyio
_BACK = """
update {table} set {column} = {column} - make_interval(hours => {hours});
"""
_BORN = "update tenants set created_at = now() - interval '40 days', time_zone = 'Asia/Kolkata'"
_COLUMNS = (("credit_holds", "closed_at"), ("journal", "created_at"))


async def as_superuser(database: TestDatabase, *statements: str) -> None:
    connection = await asyncpg.connect(database.superuser_url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def later(database: TestDatabase, hours: int) -> None:
    """Let some hours pass for everything that is there."""
    moves = [_BACK.format(table=t, column=c, hours=hours) for t, c in _COLUMNS]
    await as_superuser(database, "set session_replication_role = replica", *moves)


async def charge(ledger: Ledger, amount_ucr: int, cost_usd_micro: int | None) -> UUID:
    request = ledger.holding(2 * CREDIT)
    assert await ledger.hold(request) == "held"
    closing = ledger.closing(request.hold_id, amount_ucr, cost_usd_micro=cost_usd_micro)
    assert await ledger.close(closing) in {"captured", "released"}
    return request.hold_id


@dataclass(frozen=True)
class Read:
    """What margins, statements and a business's burn rate say, over days and parts of days."""

    margins: list[list[Margin]]
    used_ucr: int
    statements: list[tuple[Terms, list[Row]]]


async def read(database: TestDatabase, ledger: Ledger) -> Read:
    now = datetime.now(UTC)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    spans = [
        (now - timedelta(days=40), now),
        (midnight - timedelta(days=30), now),
        (now - timedelta(days=2, hours=5), now - timedelta(hours=20)),
        (midnight - timedelta(days=2), midnight - timedelta(days=1)),
        (midnight, now),
    ]
    async with database.db.system() as connection:
        found = [await margins(connection, since=a, until=b) for a, b in spans]
        used = await account.read(connection, ledger.tenant_id)
        months = {f"{moment:%Y-%m}" for moment, _ in spans}
        about = [await terms(connection, ledger.tenant_id, month) for month in sorted(months)]
        printed = [(each, await rows(connection, each)) for each in about]
    return Read(found, used.used_ucr, printed)


async def add_all_up(database: TestDatabase) -> None:
    done: datetime | None = None
    while True:
        async with database.db.system() as connection:
            await charge_days.add_up(connection)
            mark = await connection.scalar(text(f"select {charge_days.MARK_SQL}"))
        if mark == done:
            return
        done = mark


async def test_days_say_what_their_holds_say(database: TestDatabase, ledger: Ledger):
    await as_superuser(database, _BORN)
    await ledger.grant(5 * CREDIT)
    await ledger.grant(90 * CREDIT, unit_price_minor=7, currency="EUR")
    charged = []
    for hours in (0, 30, 3, 20, 1, 49, 5, 0, 26, 100, 2, 1):
        charged.append(await charge(ledger, CREDIT, 300))
        charged.append(await charge(ledger, CREDIT // 3, None))
        await charge(ledger, 0, 50)
        await later(database, hours)
    plain = await read(database, ledger)
    assert plain.margins[0][0].charges == 24
    assert plain.margins[0][0].revenue_minor
    await add_all_up(database)
    assert await read(database, ledger) == plain
    async with database.db.system() as connection:
        assert await connection.scalar(text("select sum(charges) from charge_days")) == 24

    # What is given back later is taken off the day of its charge; what is new is read beside.
    for hold_id in charged[1::5]:
        await ledger.refund(hold_id, CREDIT // 4)
    charged.append(await charge(ledger, CREDIT, 1))
    mixed = await read(database, ledger)
    assert mixed != plain
    ((first, _), *_), ((last, lines), *_) = mixed.statements, mixed.statements[::-1]
    moved = sum(row.amount_ucr for _, rows_ in mixed.statements for row in rows_)
    balance = await ledger.balance()
    assert first.opening_ucr + moved == balance.available_ucr + balance.held_ucr
    assert last.opening_ucr + sum(row.amount_ucr for row in lines) == first.opening_ucr + moved
    # A business that moves to another time zone has its days read again.
    await as_superuser(database, "update charge_days set time_zone = 'Europe/Madrid'")
    assert await read(database, ledger) == mixed
    await as_superuser(database, "delete from platform_settings")
    assert await read(database, ledger) == mixed


async def test_nothing_is_added_up_twice(database: TestDatabase, ledger: Ledger):
    await as_superuser(database, _BORN)
    await ledger.grant(9 * CREDIT, unit_price_minor=5, currency="EUR")
    await charge(ledger, CREDIT, 10)
    await later(database, 2)
    await add_all_up(database)
    await add_all_up(database)
    async with database.db.system() as connection:
        rows = (
            await connection.execute(text("select charges, charged_ucr from charge_days"))
        ).all()
        minor = await connection.scalar(text("select revenue_minor from charge_day_revenue"))
    assert (list(map(tuple, rows)), int(minor or 0)) == ([(1, CREDIT)], 5)
