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
_ROUNDS_MAX = 40
_FOUND_MAX = 200

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
# What nobody has understood yet is kept, however long the workers were away.
_DROP_DAYS = text(
    """
    select inbox_drop_days(greatest(
        1, (select max(retention_days) from tenants),
        (select current_date - event_day from inbox_keys where pending
         order by received_at limit 1)))
    """
)
# Bodies leave with their tenant's retention; whole days leave as partitions. Tenant by tenant
# through the key: the planner would rather read every body there is.
_BY_KEY = text("select set_config('enable_seqscan', 'off', true)")
_PRUNE_BODIES = text(
    """
    delete from inbox where (tenant_id, id, received_day) in (
        select i.tenant_id, i.id, i.received_day
        from (select id, least(
                  current_date - retention_days,
                  (select event_day from inbox_keys where pending
                   order by received_at limit 1)) as first_day from tenants) t
        cross join lateral (
            select o.tenant_id, o.id, o.received_day from inbox o
            where o.tenant_id = t.id and o.received_day < t.first_day
            limit :batch_max) i
        limit :batch_max)
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
    """One periodic job: its name, its period in seconds, and what it does.

    One that works in batches is run again at once while a batch was full (``batch``), for as
    many rounds as keep the others from waiting.
    """

    name: str
    every_s: float
    work: Callable[[AsyncConnection], Awaitable[int]]
    batch: int | None = None


async def release_orphaned_holds(connection: AsyncConnection) -> int:
    """Release holds whose turn ended without them (a merge, a crash between commits)."""
    rows = (await connection.execute(_ORPHANED_HOLDS, {"batch_max": _FOUND_MAX})).all()
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
    found = await strays(connection, rows_max=_FOUND_MAX)
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


async def prune_bodies(connection: AsyncConnection) -> int:
    """Delete a batch of bodies past their tenant's retention."""
    await connection.execute(_BY_KEY)
    return (await connection.execute(_PRUNE_BODIES, {"batch_max": _PRUNE_BATCH})).rowcount


async def prune_keys(connection: AsyncConnection) -> int:
    """Delete a batch of keys that no redelivery can ask for any more."""
    values = {"days": INBOX_KEY_DAYS, "batch_max": _PRUNE_BATCH}
    return (await connection.execute(_PRUNE_KEYS, values)).rowcount


async def prune_beats(connection: AsyncConnection) -> int:
    """Delete the heartbeats of processes that are gone."""
    return (await connection.execute(_PRUNE_BEATS)).rowcount


def chores(settings: Settings) -> list[Chore]:
    """Return all periodic work of the leader."""
    return [
        Chore("release_orphaned_holds", settings.timings.sweep_s * 2, release_orphaned_holds),
        Chore(
            "adopt_strays", settings.timings.sweep_s * 2, partial(adopt_strays, settings=settings)
        ),
        Chore("settle_doubt", 60.0, settle_doubt),
        Chore("keep_partitions", 3600.0, keep_partitions),
        Chore("prune_bodies", 600.0, prune_bodies, batch=_PRUNE_BATCH),
        Chore("prune_keys", 60.0, prune_keys, batch=_PRUNE_BATCH),
        Chore("prune_beats", 600.0, prune_beats),
        Chore("drop_loose_files", 600.0, drop_loose),
        Chore("prove_tonight", proving.EVERY_S, proving.prove_tonight),
        *(Chore(*terms) for terms in money.work(settings)),
        *(Chore(*terms) for terms in people.work(settings)),
        *(Chore(*terms) for terms in knowing.work()),
        *(Chore(*terms) for terms in numbers.work(settings)),
        *(Chore(*terms) for terms in desk.work(settings)),
    ]


async def run(database: Database, chore: Chore) -> None:
    """Run one chore, each round of it in a transaction of its own."""
    count = 0
    for _ in range(_ROUNDS_MAX if chore.batch else 1):
        async with database.system() as connection:
            done = await chore.work(connection)
            fault_point("sweep.before_commit")
        count += done
        if chore.batch is None or done < chore.batch:
            break
    if count:
        log.info("upkeep done", extra={"task": chore.name, "count": count})
