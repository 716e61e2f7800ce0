"""Files that came while people answered: read once the assistant answers again.

Nobody pays for hearing a voice note that a person listens to. But an assistant that goes on in
such a conversation has to know what was said in it, so that the newest of its files are read then.
"""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.db.rows import as_rows
from app.messaging.media.limits import READ_KINDS

FILES_MAX = 10
_HOURS_MAX = 24
# Whoever is fetching such a file just now does not know that it is to be read: the higher number
# of attempts takes it out of those hands.
_WANT = text(
    """
    with missed as (
        select f.tenant_id, f.id
        from jsonb_to_recordset(cast(:rows as jsonb)) as r(tenant_id uuid, id uuid)
        cross join lateral (
            select w.tenant_id, w.id from messages m
            join message_media w on w.tenant_id = m.tenant_id and w.message_id = m.id
            where m.tenant_id = r.tenant_id and m.conversation_id = r.id and m.direction = 'in'
              and m.sent_at > now() - make_interval(hours => :hours_max)
              and m.revoked_at is null and w.kind = any(:kinds)
              and not w.to_read and w.reading is null
              and (w.state = 'wanted' or w.state = 'ready' and w.size_bytes is not null)
            order by m.sent_at desc, m.id desc limit :files_max) f
    )
    update message_media w
    set to_read = true, due_at = now(), finished_at = null,
        attempts = case when w.state = 'ready' then 0 else w.attempts + 1 end,
        state = case when w.state = 'ready' then 'stored' else w.state end
    from missed m where w.tenant_id = m.tenant_id and w.id = m.id
    """
)


async def read_missed(
    connection: AsyncConnection, conversations: Sequence[tuple[UUID, UUID]]
) -> int:
    """Have files of (tenant, conversation) pairs read that nobody read; return how many."""
    values = {
        "rows": as_rows({"tenant_id": t, "id": c} for t, c in conversations),
        "kinds": sorted(READ_KINDS),
        "hours_max": _HOURS_MAX,
        "files_max": FILES_MAX,
    }
    return (await connection.execute(_WANT, values)).rowcount if conversations else 0
