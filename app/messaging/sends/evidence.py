"""Evidence that a part reached WhatsApp: echoes and acks, applied in one direction only.

An echo or ack that names a part still in ``sending`` is kept on the part (``wa_id``), so that
whoever comes next (its worker, or the one that takes over the lease) knows that the provider
has it. On a part that is ``unknown`` it settles the matter at once.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.channels.port import AckEvent
from app.core.db.rows import as_rows
from app.messaging.ingest.items import Echo, Item
from app.messaging.sends import settling

_ERROR, _READ = -1, 3

# WHERE on both ids with OR would not use the indexes, so the matches are found first. Levels
# only grow; an error counts only until a device has the message.
_ACK = text(
    """
    with told as (
        select * from jsonb_to_recordset(cast(:rows as jsonb))
            as r(tenant_id uuid, channel_id uuid, wa_id text, level int)
    ), matched as (
        select p.tenant_id, p.id, t.wa_id, t.level from told t
        join send_parts p on p.client_message_id = t.wa_id and p.tenant_id = t.tenant_id
        union
        select p.tenant_id, p.id, t.wa_id, t.level from told t
        join send_parts p on p.tenant_id = t.tenant_id and p.channel_id = t.channel_id
         and p.wa_id = t.wa_id
    ), highest as (
        select tenant_id, id, min(wa_id) as wa_id, max(level) as level,
               bool_or(level = -1) as failed
        from matched group by tenant_id, id
    )
    update send_parts p
    set ack = greatest(p.ack, h.level),
        acked_at = now(),
        wa_id = coalesce(p.wa_id, h.wa_id),
        state = case
            when p.state not in ('accepted', 'sent', 'delivered', 'read') then p.state
            when greatest(p.ack, h.level) >= 3 then 'read'
            when greatest(p.ack, h.level) = 2 then 'delivered'
            when h.failed and p.ack < 2 then 'failed'
            when greatest(p.ack, h.level) = 1 then 'sent'
            else p.state end,
        error = case when h.failed and p.ack < 2 and h.level < 2 then 'ack_error' else p.error end
    from highest h
    where p.tenant_id = h.tenant_id and p.id = h.id
      and (h.level > p.ack or h.failed or p.wa_id is null)
    returning p.tenant_id, p.id, p.send_id, p.state
    """
)
_ECHO = text(
    """
    update send_parts p
    set wa_id = coalesce(p.wa_id, r.wa_id), resolved_by = coalesce(p.resolved_by, 'echo')
    from jsonb_to_recordset(cast(:rows as jsonb)) as r(tenant_id uuid, part_id uuid, wa_id text)
    where p.tenant_id = r.tenant_id and p.id = r.part_id and p.state in ('sending', 'unknown')
    returning p.tenant_id, p.id, p.send_id, p.state
    """
)
# A turn that waits for evidence (or for its next try) need not wait any longer; one that a
# worker is on is left to it.
_WAKE = text(
    """
    update turns t set lease_until = now()
    from sends s
    where s.tenant_id = :tenant_id and s.id = :send_id
      and t.tenant_id = s.tenant_id and t.id = s.turn_id and t.state = 'sending'
      and t.lease_owner is null and t.lease_until > now()
    """
)


@dataclass(frozen=True, slots=True)
class Consequence:
    """What evidence makes necessary once all locks on parts are taken."""

    tenant_id: UUID
    part_id: UUID
    send_id: UUID
    state: str
    by: str


async def note_acks(connection: AsyncConnection, items: Sequence[Item]) -> list[Consequence]:
    """Apply acks of our own messages, many at once; return what must follow."""
    acks = [(i, i.event) for i in items if isinstance(i.event, AckEvent)]
    if not acks:
        return []
    rows = [
        {
            "tenant_id": item.tenant_id,
            "channel_id": item.channel_id,
            "wa_id": ack.wa_id,
            "level": max(_ERROR, min(ack.level, _READ)),
        }
        for item, ack in acks
    ]
    changed = await connection.execute(_ACK, {"rows": as_rows(rows)})
    return [
        Consequence(part.tenant_id, part.id, part.send_id, part.state, "ack")
        for part in changed
        if part.state in {"sending", "unknown", "failed"}
    ]


async def note_echoes(connection: AsyncConnection, echoes: Sequence[Echo]) -> list[Consequence]:
    """Keep echoes as proof on parts still on their way; return what must follow."""
    if not echoes:
        return []
    changed = await connection.execute(_ECHO, {"rows": as_rows(asdict(e) for e in echoes)})
    return [
        Consequence(part.tenant_id, part.id, part.send_id, part.state, "echo") for part in changed
    ]


async def follow(connection: AsyncConnection, consequences: Sequence[Consequence]) -> None:
    """Settle parts that had been given up, wake turns that wait, refund what did not arrive."""
    for each in sorted(consequences, key=lambda c: (c.tenant_id, c.part_id)):
        if each.state == "unknown":
            await settling.settle_unknown(connection, each.tenant_id, each.part_id, each.by)
        elif each.state == "sending":
            await connection.execute(_WAKE, {"tenant_id": each.tenant_id, "send_id": each.send_id})
        else:
            await settling.refund_if_undelivered(connection, each.tenant_id, each.send_id)
