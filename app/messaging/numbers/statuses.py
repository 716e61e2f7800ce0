"""What WAHA tells of a number's session, kept: its status, since when, and what is wrong.

Told by events (which may come late and in any order), by polling, and by whoever changes a
session on a page. A number that worked once and works no more is *down* until it works again.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.channels.waha.sessions import SessionFacts
from app.core.db.rows import as_rows
from app.messaging.ingest.queries import ANOTHER_PHONE

WORKING = "WORKING"
REMOVED = "REMOVED"
"""Our own word, at the end: WAHA has no session of this number any more."""

_CHANGES = """
        status = coalesce(r.status, c.status),
        status_at = case when r.status is distinct from c.status and r.status is not null
                         then now() else c.status_at end,
        connected_at = case when r.status = 'WORKING' then coalesce(c.connected_at, now())
                            else c.connected_at end,
        down_since = case
            when c.wanted <> 'on' then null
            when coalesce(r.status, c.status) = 'WORKING' and r.problem is null then null
            when c.connected_at is not null then coalesce(c.down_since, now())
            else null end
"""
# An event that another one overtook (its own time is older) says nothing any more.
_FROM_EVENTS = text(
    f"""
    with r as (
        select * from jsonb_to_recordset(cast(:rows as jsonb))
            as told(tenant_id uuid, id uuid, status text, status_ms bigint, problem text)
    )
    update channels c set {_CHANGES}, status_ms = coalesce(r.status_ms, c.status_ms),
        seen_at = now(), problem = null, problem_at = null
    from r
    where c.tenant_id = r.tenant_id and c.id = r.id and c.status <> 'REMOVED'
      and (r.status_ms is null or c.status_ms is null or r.status_ms >= c.status_ms)
    """  # noqa: S608 - our own assignments
)
_FROM_WAHA = text(
    f"""
    with r as (
        select * from jsonb_to_recordset(cast(:rows as jsonb))
            as told(tenant_id uuid, id uuid, status text, problem text, own_address text,
                    own_name text, engine text, engine_version text)
    )
    update channels c set {_CHANGES},
        own_address = coalesce(r.own_address, c.own_address),
        own_name = coalesce(r.own_name, c.own_name), engine = coalesce(r.engine, c.engine),
        engine_version = coalesce(r.engine_version, c.engine_version),
        seen_at = case when r.problem is null or r.problem in ('missing', 'taken')
                       then now() else c.seen_at end,
        {ANOTHER_PHONE}, problem = r.problem,
        problem_at = case when r.problem is null then null
                          when r.problem = c.problem then c.problem_at else now() end
    from r
    where c.tenant_id = r.tenant_id and c.id = r.id and c.status <> 'REMOVED'
    """  # noqa: S608
)


@dataclass(frozen=True, slots=True)
class Told:
    """A status that an event told, and when it was so on WAHA's clock (None: not told)."""

    tenant_id: UUID
    channel_id: UUID
    status: str
    at_ms: int | None


async def note_statuses(connection: AsyncConnection, told: Iterable[Told]) -> None:
    """Keep the newest status of each number, unless a newer one is known."""
    newest: dict[UUID, Told] = {}
    for one in told:
        known = newest.get(one.channel_id)
        if known is None or (one.at_ms or 0) >= (known.at_ms or 0):
            newest[one.channel_id] = one
    if newest:
        rows = as_rows(
            {
                "tenant_id": one.tenant_id,
                "id": channel_id,
                "status": one.status,
                "status_ms": one.at_ms,
                "problem": None,
            }
            for channel_id, one in sorted(newest.items())
        )
        await connection.execute(_FROM_EVENTS, {"rows": rows})


async def note_answer(
    connection: AsyncConnection,
    tenant_id: UUID,
    channel_id: UUID,
    facts: SessionFacts | None = None,
    *,
    problem: str | None = None,
    version: str | None = None,
) -> None:
    """Keep what WAHA answered when it was asked: the session, or why it has none to tell."""
    row = {
        "tenant_id": tenant_id,
        "id": channel_id,
        "status": facts.status if facts else None,
        "problem": problem,
        "own_address": facts.own_address if facts else None,
        "own_name": facts.own_name if facts else None,
        "engine": facts.engine if facts else None,
        "engine_version": version,
    }
    await connection.execute(_FROM_WAHA, {"rows": as_rows([row])})
