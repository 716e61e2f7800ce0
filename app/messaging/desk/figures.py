"""A person's own figures: how much they answered, and how long customers waited for it."""

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.messaging.desk.viewers import Viewer

DAYS = 7
# The first message after the customer's is the answer; what follows it has nobody waiting.
_OWN = text(
    """
    select count(*) filter (where created_at > now() - interval '1 day') as sent_today,
           count(*) as sent,
           percentile_cont(0.5) within group (
               order by extract(epoch from created_at - waiting_since)::float8)
               filter (where waiting_since is not null) as median_s
    from desk_sends
    where tenant_id = :tenant_id and user_id = :user_id
      and created_at > now() - make_interval(days => :days)
    """
)


@dataclass(frozen=True, slots=True)
class OwnFigures:
    """Of the last 24 hours and the last 7 days; the median is None without an answer."""

    sent_today: int
    sent: int
    median_s: float | None


async def own(connection: AsyncConnection, viewer: Viewer) -> OwnFigures:
    """Return the viewer's figures."""
    values = {"tenant_id": viewer.tenant_id, "user_id": viewer.user_id, "days": DAYS}
    row = (await connection.execute(_OWN, values)).one()
    return OwnFigures(row.sent_today, row.sent, row.median_s)
