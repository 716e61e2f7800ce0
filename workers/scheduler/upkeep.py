"""Periodic work that belongs to nobody's request: each is safe to run twice, or late."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.config import Settings
from app.core.db.engine import Database
from app.core.faults import fault_point
from app.messaging import conversations
from app.messaging.media.sweeping import drop_loose
from app.messaging.sends.settling import release_overdue_unknown
from app.messaging.turns.opening import adopt, strays
from billing.ledger.schemas import CloseRequest
from billing.ledger.service import close_many
from workers.scheduler import desk, knowing, money, numbers, people, proving

log = logging.getLogger(__name__)

INBOX_DAYS_AHEAD = 14
INBOX_KEY_DAYS = 14
UNKNOWN_RELEASE_S = 24 * 3600
_PRUNE_BATCH = 5_000
_HOLDS_BATCH = 200

# A hold is released when its turn is over or gone, unless a send of it is still doubtful.
_ORPHANED_HOLDS = text(
    """
    select h.tenant_id, h.id, h.request_id
    from credit_holds h
    where h.state = 'pending' and h.created_at < now() - interval '10 seconds'
      and not exists (
          select 1 from turns t where t.tenant_id = h.tenant_id and t.id = h.job_id
            and t.state in ('waiting', 'due', 'claimed', 'held', 'generated', 'sending'))
      and not exists (
          select 1 from sends s join send_parts p on p.tenant_id = s.tenant_id and p.send_id = s.id
          where s.tenant_id = h.tenant_id and s.hold_id = h.id
            and p.state in ('sending', 'unknown'))
    order by h.tenant_id, h.id limit :batch_max
    """
)
_ENSURE_DAYS = text("select inbox_ensure_days(:days)")
_DROP_DAYS = text("select inbox_drop_days(greatest(1, (select max(retention_days) from tenants)))")
# Bodies leave with their tenant's retention; whole days leave as partitions.
_PRUNE_BODIES = text(
    """
    delete from inbox i using tenants t
    where t.id = i.tenant_id and i.received_day < current_date - t.retention_days
    """
)
_PRUNE_KEYS = text(
    """
    delete from inbox_keys where (tenant_id, channel_id, key) in (
        select tenant_id, channel_id, key from inbox_keys
        where event_day < current_date - cast(:days as int) and not pending limit :batch_max)
    """
)
_PRUNE_BEATS = text("delete from process_heartbeats where beat_at < now() - interval '1 hour'")


@dataclass(frozen=True, slots=True)
class Chore:
    """One periodic job: its name, its period in seconds, and what it does."""

    name: str
    every_s: float
    work: Callable[[AsyncConnection], Awaitable[int]]


async def release_orphaned_holds(connection: AsyncConnection) -> int:
    """Release holds whose turn ended without them (a merge, a crash between commits)."""
    rows = (await connection.execute(_ORPHANED_HOLDS, {"batch_max": _HOLDS_BATCH})).all()
    requests = [
        CloseRequest(
            tenant_id=row.tenant_id,
            hold_id=row.id,
            captured_ucr=0,
            delivered=False,
            request_id=row.request_id,
        )
        for row in rows
    ]
    await close_many(connection, requests)
    return len(requests)


async def adopt_strays(connection: AsyncConnection, settings: Settings) -> int:
    """Give open messages that no turn has to a turn: nothing may be left without an end."""
    found = await strays(connection, rows_max=_HOLDS_BATCH)
    timings = settings.timings
    for tenant_id, conversation_id in found:
        await conversations.lock(connection, tenant_id, conversation_id)
        await adopt(
            connection, tenant_id, conversation_id, idle_s=timings.idle_s, cap_s=timings.cap_s
        )
    return len(found)


async def settle_doubt(connection: AsyncConnection) -> int:
    """Release the holds of sends that nobody could prove within a day."""
    return await release_overdue_unknown(connection, after_s=UNKNOWN_RELEASE_S)


async def keep_partitions(connection: AsyncConnection) -> int:
    """Make the inbox's coming days, drop those that every tenant's retention has passed."""
    made = await connection.scalar(_ENSURE_DAYS, {"days": INBOX_DAYS_AHEAD})
    dropped = await connection.scalar(_DROP_DAYS)
    return int(made or 0) + int(dropped or 0)


async def prune(connection: AsyncConnection) -> int:
    """Delete bodies past their tenant's retention, old keys and dead heartbeats."""
    counts = [
        (await connection.execute(_PRUNE_BODIES)).rowcount,
        (
            await connection.execute(
                _PRUNE_KEYS, {"days": INBOX_KEY_DAYS, "batch_max": _PRUNE_BATCH}
            )
        ).rowcount,
        (await connection.execute(_PRUNE_BEATS)).rowcount,
    ]
    return sum(counts)


def chores(settings: Settings) -> list[Chore]:
    """Return all periodic work of the leader."""
    return [
        Chore("release_orphaned_holds", settings.timings.sweep_s * 2, release_orphaned_holds),
        Chore(
            "adopt_strays", settings.timings.sweep_s * 2, partial(adopt_strays, settings=settings)
        ),
        Chore("settle_doubt", 60.0, settle_doubt),
        Chore("keep_partitions", 3600.0, keep_partitions),
        Chore("prune", 600.0, prune),
        Chore("drop_loose_files", 600.0, drop_loose),
        Chore("prove_tonight", proving.EVERY_S, proving.prove_tonight),
        *(Chore(*terms) for terms in money.work(settings)),
        *(Chore(*terms) for terms in people.work(settings)),
        *(Chore(*terms) for terms in knowing.work()),
        *(Chore(*terms) for terms in numbers.work(settings)),
        *(Chore(*terms) for terms in desk.work(settings)),
    ]


async def run(database: Database, chore: Chore) -> None:
    """Run one chore in a transaction of its own."""
    async with database.system() as connection:
        done = await chore.work(connection)
        fault_point("sweep.before_commit")
    if done:
        log.info("upkeep done", extra={"task": chore.name, "count": done})
