"""Queueing a reply: the send, its parts with their ids, and the messages that show them.

All ids are chosen here, before anything is sent, and stored: a resend after any crash
carries the same WhatsApp id.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core import ids
from app.core.db.rows import as_rows
from app.messaging.turns.model import ClaimedTurn

_INSERT = text(
    """
    with send as (
        insert into sends (tenant_id, id, conversation_id, channel_id, turn_id, author, address,
                           hold_id, price_ucr, request_id)
        select :tenant_id, :send_id, c.id, c.channel_id, :turn_id, 'assistant', c.address,
               :hold_id, :price_ucr, :request_id
        from conversations c where c.tenant_id = :tenant_id and c.id = :conversation_id
        returning id, channel_id, conversation_id
    ), message as (
        insert into messages (tenant_id, id, conversation_id, channel_id, direction, author,
                              kind, body, sent_at, turn_id, request_id)
        select :tenant_id, r.message_id, s.conversation_id, s.channel_id, 'out', 'assistant',
               'text', r.body, now(), :turn_id, :request_id
        from send s cross join jsonb_to_recordset(cast(:rows as jsonb))
            as r(message_id uuid, body text)
    )
    insert into send_parts (tenant_id, id, send_id, channel_id, message_id, part_no,
                            client_message_id)
    select :tenant_id, r.id, s.id, s.channel_id, r.message_id, r.part_no, r.client_message_id
    from send s cross join jsonb_to_recordset(cast(:rows as jsonb))
        as r(id uuid, message_id uuid, part_no int, client_message_id text)
    """
)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What is to be said, and what it costs; without a hold it is free."""

    bubbles: Sequence[str] = field(repr=False)
    hold_id: UUID | None = None
    price_ucr: int = 0


async def queue(connection: AsyncConnection, turn: ClaimedTurn, outgoing: Outgoing) -> UUID:
    """Store a send of a turn with its parts; return the send's id."""
    send_id = ids.uuid7()
    rows: list[dict[str, Any]] = []
    for part_no, body in enumerate(outgoing.bubbles, 1):
        part_id = ids.uuid7()
        rows.append(
            {
                "id": part_id,
                "message_id": ids.uuid7(),
                "part_no": part_no,
                "body": body,
                "client_message_id": ids.client_message_id(part_id),
            }
        )
    await connection.execute(
        _INSERT,
        {
            "tenant_id": turn.tenant_id,
            "send_id": send_id,
            "conversation_id": turn.conversation_id,
            "turn_id": turn.id,
            "hold_id": outgoing.hold_id,
            "price_ucr": outgoing.price_ucr,
            "request_id": turn.request_id,
            "rows": as_rows(rows),
        },
    )
    return send_id
