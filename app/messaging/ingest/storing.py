"""Events into the inbox: one statement for many, keys and bodies together, known keys left out."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from app.core.db.engine import Database
from app.core.db.standing import StandingConnection
from app.core.faults import fault_point

COMMIT_TIMEOUT_S = 5.0

_STORE = """
    with incoming as materialized (
        select * from unnest(
            $1::uuid[], $2::uuid[], $3::bytea[], $4::uuid[], $5::text[], $6::bytea[], $7::text[]
        ) with ordinality as i(tenant_id, channel_id, key, id, event, body, request_id, n)
    ), fresh as (
        insert into inbox_keys (tenant_id, channel_id, key, event_day, inbox_id)
        select tenant_id, channel_id, key, current_date, id from incoming
        -- One order for all processes: two batches with the same keys cannot deadlock.
        order by tenant_id, channel_id, key, id
        on conflict do nothing
        returning inbox_id
    ), stored as (
        insert into inbox (tenant_id, id, received_day, channel_id, event, body, request_id)
        select i.tenant_id, i.id, current_date, i.channel_id, i.event, i.body, i.request_id
        from incoming i join fresh f on f.inbox_id = i.id
    )
    select i.n - 1 from incoming i join fresh f on f.inbox_id = i.id
"""


@dataclass(slots=True)
class Delivery:
    """One verified event at the door. ``key`` is 16 bytes that name the event for ever."""

    tenant_id: UUID
    channel_id: UUID
    key: bytes
    inbox_id: UUID
    event: str
    body: bytes = field(repr=False)
    request_id: str
    hook_per_min: int | None = None
    hook_burst: int | None = None


async def store_on(connection: StandingConnection, deliveries: Sequence[Delivery]) -> set[int]:
    """Store events in one transaction; return the positions of those that are new.

    Raises:
        StatementRefusedError: one of the events cannot be stored, so none was.
        TimeoutError: no answer within 5 s; they may have been stored.
        Exception: PostgreSQL is away (``is_away`` says so).
    """
    fault_point("ingest.before_commit")
    async with asyncio.timeout(COMMIT_TIMEOUT_S):
        rows = await connection.fetch(
            _STORE,
            [d.tenant_id for d in deliveries],
            [d.channel_id for d in deliveries],
            [d.key for d in deliveries],
            [d.inbox_id for d in deliveries],
            [d.event for d in deliveries],
            [d.body for d in deliveries],
            [d.request_id for d in deliveries],
        )
    return {row[0] for row in rows}


async def store(database: Database, deliveries: Sequence[Delivery]) -> set[int]:
    """``store_on`` a connection of its own, for who does it now and then."""
    connection = database.standing()
    try:
        return await store_on(connection, deliveries)
    finally:
        await connection.close()
