"""What the dispatcher asks: which turns became due, and when the next one will."""

from dataclasses import dataclass

from sqlalchemy import text

from app.core.db.engine import Database

CHANNEL = "parley_turns"
PROMOTED_MAX = 500
"""Turns a step: their rows are locked and the bell is silent until it is committed."""

_PROMOTE = text(
    """
    with ripe as (
        select tenant_id, id from turns where state = 'waiting' and due_at <= now()
        order by due_at limit :turns_max
        for update skip locked  -- of a message that joins just now, which moves it anyway
    )
    update turns t set state = 'due' from ripe r
    where t.tenant_id = r.tenant_id and t.id = r.id returning 1
    """
)
# The first in an index's order, not EXISTS: after a backlog the planner takes any row for one
# that waits, and reads the whole table when there is none left.
_OUTLOOK = text(
    """
    select
        coalesce((select true from turns where state = 'due' and due_at <= now()
                  order by tenant_id, due_at limit 1), false) as due,
        coalesce((select true from turns
                  where state in ('claimed', 'held', 'generated', 'sending')
                    and lease_until < now()
                  order by tenant_id, lease_until limit 1), false) as abandoned,
        coalesce((select true from inbox_keys
                  where pending and received_at < now() - interval '1 second'
                  order by received_at limit 1), false) as inbox_stale,
        coalesce((select true from message_media where state in ('wanted', 'stored')
                    and due_at < now() - interval '1 second'
                  order by due_at limit 1), false) as media_stale,
        extract(epoch from least(
            (select min(due_at) from turns where state = 'waiting' and due_at > now()),
            (select min(lease_until) from turns
             where state in ('claimed', 'held', 'generated', 'sending') and lease_until > now()),
            (select min(blocked_until) from tenant_queues where blocked_until > now())
        ) - now())::float8 as next_s
    """
)


@dataclass(frozen=True, slots=True)
class Outlook:
    """What waits now, and the seconds until something else will (None: nothing planned)."""

    due: bool
    abandoned: bool
    inbox_stale: bool
    media_stale: bool
    next_s: float | None


async def promote(database: Database) -> int:
    """Close waiting windows that ran out, the oldest first; return how many turns became due.

    ``PROMOTED_MAX`` at most: when as many became due, more may wait.
    """
    async with database.system() as connection:
        return len((await connection.execute(_PROMOTE, {"turns_max": PROMOTED_MAX})).all())


async def outlook(database: Database) -> Outlook:
    """Look at the queue."""
    async with database.system_statement() as connection:
        row = (await connection.execute(_OUTLOOK)).one()
    return Outlook(**row._mapping)  # noqa: SLF001
