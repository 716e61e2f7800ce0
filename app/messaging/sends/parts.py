"""The parts of replies, with all that sending them needs: text, address, number, ages."""

from collections.abc import Sequence
from typing import Any, TypeAlias
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

Parts: TypeAlias = Sequence[Any]
"""Rows of one reply's parts, in order."""

# As old as the newest message that the reply answers, which is what the hold went by.
_PARTS = text(
    """
    select s.turn_id, p.id, p.part_no, p.state, p.client_message_id, p.wa_id, p.attempts,
           p.idempotent,
           extract(epoch from now() - p.started_at)::float8 as started_s,
           m.body, s.address, s.channel_id, s.conversation_id, s.hold_id,
           c.session, c.api_url, c.api_key, c.engine, c.engine_version,
           extract(epoch from now() - coalesce(
               (select max(a.sent_at) from messages a
                where a.tenant_id = t.tenant_id and a.turn_id = t.id and a.direction = 'in'
                  and a.revoked_at is null), t.first_at))::float8 as age_s,
           coalesce(b.answer_max_age_s, :answer_max_age_s) as answer_max_age_s
    from sends s
    join send_parts p on p.tenant_id = s.tenant_id and p.send_id = s.id
    join messages m on m.tenant_id = p.tenant_id and m.id = p.message_id
    join channels c on c.tenant_id = s.tenant_id and c.id = s.channel_id
    join tenants b on b.id = s.tenant_id
    join turns t on t.tenant_id = s.tenant_id and t.id = s.turn_id
    where s.tenant_id = :tenant_id and s.turn_id = any(:turns)
    order by s.turn_id, p.part_no
    """
)


async def read_parts(
    connection: AsyncConnection,
    tenant_id: UUID,
    turn_ids: Sequence[UUID],
    *,
    answer_max_age_s: float,
) -> dict[UUID, Parts]:
    """Read the replies of turns; a turn without one is left out.

    ``answer_max_age_s`` counts where the tenant has none of its own.
    """
    rows = await connection.execute(
        _PARTS,
        {"tenant_id": tenant_id, "turns": list(turn_ids), "answer_max_age_s": answer_max_age_s},
    )
    found: dict[UUID, list[Any]] = {}
    for row in rows:
        found.setdefault(row.turn_id, []).append(row)
    return dict(found)
