"""Queueing a reply: the send, its parts with their ids, and the messages that show them.

All ids are chosen here, before anything is sent, and stored: a resend after any crash
carries the same WhatsApp id.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core import ids
from app.core.db.rows import as_rows
from app.messaging.sends.parts import Parts, read_parts
from app.messaging.turns.model import ClaimedTurn

_INSERT = text(
    """
    with send as (
        insert into sends (tenant_id, id, conversation_id, channel_id, turn_id, author, address,
                           hold_id, price_ucr, request_id)
        select :tenant_id, r.id, c.id, c.channel_id, r.turn_id, 'assistant', c.address,
               r.hold_id, r.price_ucr, r.request_id
        from jsonb_to_recordset(cast(:sends as jsonb))
            as r(id uuid, conversation_id uuid, turn_id uuid, hold_id uuid, price_ucr bigint,
                 request_id text)
        join conversations c on c.tenant_id = :tenant_id and c.id = r.conversation_id
        returning id, channel_id, conversation_id, turn_id, request_id
    ), part as (
        select r.*, s.channel_id, s.conversation_id, s.turn_id, s.request_id
        from send s join jsonb_to_recordset(cast(:parts as jsonb))
            as r(id uuid, send_id uuid, message_id uuid, part_no int, body text,
                 client_message_id text) on r.send_id = s.id
    ), message as (
        insert into messages (tenant_id, id, conversation_id, channel_id, direction, author,
                              kind, body, sent_at, turn_id, request_id)
        select :tenant_id, message_id, conversation_id, channel_id, 'out', 'assistant', 'text',
               body, now(), turn_id, request_id
        from part
    )
    insert into send_parts (tenant_id, id, send_id, channel_id, message_id, part_no,
                            client_message_id)
    select :tenant_id, id, send_id, channel_id, message_id, part_no, client_message_id from part
    """
)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What is to be said, and what it costs; without a hold it is free."""

    bubbles: Sequence[str] = field(repr=False)
    hold_id: UUID | None = None
    price_ucr: int = 0


async def queue(
    connection: AsyncConnection,
    tenant_id: UUID,
    outgoing: Mapping[ClaimedTurn, Outgoing],
    *,
    answer_max_age_s: float,
) -> dict[UUID, Parts]:
    """Store the replies of a tenant's turns; return their parts, ready to be sent, by turn."""
    if not outgoing:
        return {}
    sends: list[dict[str, Any]] = []
    parts: list[dict[str, Any]] = []
    for turn, words in outgoing.items():
        send_id = ids.uuid7()
        sends.append(_send(turn, send_id, words))
        parts += [_part(send_id, part_no, body) for part_no, body in enumerate(words.bubbles, 1)]
    values = {"tenant_id": tenant_id, "sends": as_rows(sends), "parts": as_rows(parts)}
    await connection.execute(_INSERT, values)
    return await read_parts(
        connection, tenant_id, [t.id for t in outgoing], answer_max_age_s=answer_max_age_s
    )


def _send(turn: ClaimedTurn, send_id: UUID, words: Outgoing) -> dict[str, Any]:
    return {
        "id": send_id,
        "conversation_id": turn.conversation_id,
        "turn_id": turn.id,
        "hold_id": words.hold_id,
        "price_ucr": words.price_ucr,
        "request_id": turn.request_id,
    }


def _part(send_id: UUID, part_no: int, body: str) -> dict[str, Any]:
    part_id = ids.uuid7()
    return {
        "id": part_id,
        "send_id": send_id,
        "message_id": ids.uuid7(),
        "part_no": part_no,
        "body": body,
        "client_message_id": ids.client_message_id(part_id),
    }
