"""`parley bench ledger`: hold and settle through the ledger, beside one-row UPDATEs."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID, uuid4

import asyncpg

from app.core.db.engine import Database
from benchmarks.businesses import open_businesses
from benchmarks.figures import Column, Report, median
from benchmarks.servers import Servers, servers
from billing.ledger.schemas import CloseRequest, CloseVerdict, HoldRequest
from billing.ledger.service import close_many, hold_many

_PRICE_UCR = 1_000_000
_TABLE = "create table bench_counter (id int primary key, value bigint not null default 0)"
_UPDATE = "update bench_counter set value = value + 1 where id = 1"

# One client's step: does some operations, each durable when it returns, and says how many.
Step = Callable[[], Awaitable[int]]


@dataclass(frozen=True, slots=True)
class Scale:
    """Clients at once, seconds a measurement, turns whose holds share a call, tenants of many."""

    clients: int = 8
    duration_s: float = 4.0
    batch: int = 64
    tenants: int = 1_000


def run(runs: int) -> Report:
    """Measure on a machine of its own."""
    with servers() as machine:
        return measure(machine, runs, Scale())


def measure(machine: Servers, runs: int, scale: Scale) -> Report:
    """Measure ``runs`` times: UPDATEs, one tenant in batches and one by one, many tenants."""
    found = asyncio.run(_measure(machine, runs, scale))
    updates, ours, single, spread = (found[k] for k in ("update", "ours", "single", "spread"))
    ratios = [mine / other for mine, other in zip(ours, updates, strict=True)]
    single_ratios = [mine / other for mine, other in zip(single, updates, strict=True)]
    columns = [
        Column("one-row UPDATEs/s", updates),
        Column("hold and settle, one tenant, operations/s", ours),
        Column("… / UPDATEs", ratios, "≥ 0.5"),
        Column("… one turn a call", single),
        Column("… one turn a call / UPDATEs", single_ratios),
        Column(f"… over {scale.tenants:,} tenants", spread),
    ]
    figures = {
        "update_tps": median(updates),
        "ours_tps": median(ours),
        "ratio_to_update": median(ratios),
        "ours_single_tps": median(single),
        "single_ratio_to_update": median(single_ratios),
        "tenants_1000_tps": median(spread),
    }
    notes = [
        (
            f"{scale.clients} clients each; a hold and a settle count one operation each;"
            f" a call carries {scale.batch} turns and is a transaction, as an UPDATE is"
        ),
        "the UPDATEs and the one tenant's wallet are one hot row each",
    ]
    return Report("ledger", figures, columns, notes)


async def _measure(machine: Servers, runs: int, scale: Scale) -> dict[str, list[float]]:
    numbers = await open_businesses(machine.settings, scale.tenants)
    tenants = [UUID(number.tenant_id) for number in numbers]
    database = Database.from_settings(machine.settings, pool_size=scale.clients)
    plain = await asyncpg.create_pool(
        machine.superuser_database_url, min_size=scale.clients, max_size=scale.clients
    )
    await plain.execute(_TABLE)
    await plain.execute("insert into bench_counter (id) values (1)")

    async def update() -> int:
        await plain.execute(_UPDATE)
        return 1

    steps: dict[str, Step] = {
        "update": update,
        "ours": lambda: hold_and_settle(database, tenants[:1], scale.batch),
        "single": lambda: hold_and_settle(database, tenants[:1], 1),
        "spread": lambda: hold_and_settle(database, tenants, scale.batch),
    }
    found: dict[str, list[float]] = {name: [] for name in steps}
    for step in steps.values():
        await _rate(step, scale.clients, scale.duration_s / 8)
    for _ in range(runs):
        for name, step in steps.items():
            await plain.execute("checkpoint")
            found[name].append(await _rate(step, scale.clients, scale.duration_s))
    await plain.close()
    await database.close()
    return found


async def _rate(step: Step, clients: int, duration_s: float) -> float:
    """Operations a second of so many clients, each doing one step after the other."""
    began_s = time.perf_counter()

    async def client() -> int:
        done = 0
        while time.perf_counter() - began_s < duration_s:
            done += await step()
        return done

    done = sum(await asyncio.gather(*(client() for _ in range(clients))))
    return done / (time.perf_counter() - began_s)


async def hold_and_settle(database: Database, tenants: list[UUID], batch: int) -> int:
    """Hold for a drain's batch of turns, then settle them all; count the operations.

    Raises:
        RuntimeError: a hold or a settle was not done as asked.
    """
    chosen = [random.choice(tenants) for _ in range(batch)]
    holds = [
        HoldRequest(
            tenant_id=tenant,
            hold_id=uuid4(),
            job_id=uuid4(),
            amount_ucr=_PRICE_UCR,
            price_version_id=1,
            created_by="benchmark",
            contact_id=uuid4(),
        )
        for tenant in chosen
    ]
    async with database.system_statement() as connection:
        held = await hold_many(connection, holds)
    closes = [
        CloseRequest(tenant_id=h.tenant_id, hold_id=h.hold_id, captured_ucr=h.amount_ucr)
        for h in holds
    ]
    async with database.system_statement() as connection:
        closed = await close_many(connection, closes)
    if not all(o.live for o in held.values()) or any(
        o.verdict is not CloseVerdict.CAPTURED for o in closed.values()
    ):
        raise RuntimeError("the ledger did not do what it was asked")
    return 2 * batch
