"""Evidence that a part reached WhatsApp: echoes and acks, applied in one direction only.

An echo or ack that names a part still in ``sending`` is kept on the part (``wa_id``), so that
whoever comes next (its worker, or the one that takes over the lease) knows that the provider
has it. On a part that is ``unknown`` it settles the matter at once.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.channels.port import AckEvent
from app.core.db.engine import Database
from app.core.db.rows import as_rows
from app.messaging.ingest.items import Echo, Item
from app.messaging.sends import settling
from app.messaging.sends.refunding import refund_if_undelivered

_ERROR, _READ = -1, 3

# WHERE on both ids with OR would not use the indexes, so the matches are found first.
_MATCHES = """
    select p.tenant_id, p.id, t.wa_id, t.level from told t
    join send_parts p on p.client_message_id = t.wa_id and p.tenant_id = t.tenant_id
    union
    select p.tenant_id, p.id, t.wa_id, t.level from told t
    join send_parts p on p.tenant_id = t.tenant_id and p.channel_id = t.channel_id
     and p.wa_id = t.wa_id
"""
# Acks and echoes of one batch name the same parts in any order, and so do workers: all lock
# them in the order of their ids before they write.
_LOCK = text(
    f"""
    with told as (
        select * from jsonb_to_recordset(cast(:acks as jsonb))
            as r(tenant_id uuid, channel_id uuid, wa_id text, level int)
    ), matched as ({_MATCHES}), echoed as (
        select * from jsonb_to_recordset(cast(:echoes as jsonb)) as r(tenant_id uuid, part_id uuid)
    ), named as (
        select tenant_id, id from matched
        union
        select tenant_id, part_id from echoed
    )
    select p.id from named n
    join send_parts p on p.tenant_id = n.tenant_id and p.id = n.id
    order by p.tenant_id, p.id for no key update of p
    """  # noqa: S608
)
# Levels only grow. A device's receipt outweighs an error, and an error outweighs the server's
# receipt, whichever of them is told first: all orders and batches end alike.
# What an error had ended is known as accepted since its receipt only: a hold that was released
# between the two stays so.
_ACK = text(
    f"""
    with told as (
        select * from jsonb_to_recordset(cast(:rows as jsonb))
            as r(tenant_id uuid, channel_id uuid, wa_id text, level int)
    ), matched as ({_MATCHES}), highest as (
        select tenant_id, id, min(wa_id) as wa_id, max(level) as level,
               bool_or(level = -1) as failed
        from matched group by tenant_id, id
    ), known as (
        select h.*, greatest(p.ack, h.level) as ack,
               h.failed or coalesce(p.error = 'ack_error', false) as doubted
        from highest h join send_parts p on p.tenant_id = h.tenant_id and p.id = h.id
    )
    update send_parts p
    set ack = k.ack,
        acked_at = now(),
        wa_id = coalesce(p.wa_id, k.wa_id),
        accepted_at = case when p.state = 'failed' and p.error = 'ack_error' and k.ack >= 2
            then clock_timestamp() else p.accepted_at end,
        state = case
            when p.state not in ('accepted', 'sent', 'delivered', 'read')
             and not (p.state = 'failed' and coalesce(p.error = 'ack_error', false)) then p.state
            when k.ack >= 3 then 'read'
            when k.ack = 2 then 'delivered'
            when k.doubted then 'failed'
            when k.ack = 1 then 'sent'
            else p.state end,
        error = case
            when k.ack >= 2 then nullif(p.error, 'ack_error')
            when k.doubted and (p.state <> 'failed' or p.error = 'ack_error') then 'ack_error'
            else p.error end
    from known k
    where p.tenant_id = k.tenant_id and p.id = k.id
      and (k.level > p.ack or k.failed or p.wa_id is null)
    returning p.tenant_id, p.id, p.send_id, p.state
    """  # noqa: S608
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
    with waiting as (
        select t.tenant_id, t.id
        from jsonb_to_recordset(cast(:rows as jsonb)) as r(tenant_id uuid, send_id uuid)
        join sends s on s.tenant_id = r.tenant_id and s.id = r.send_id
        join turns t on t.tenant_id = s.tenant_id and t.id = s.turn_id and t.state = 'sending'
         and t.lease_owner is null and t.lease_until > now()
        order by t.tenant_id, t.id for no key update of t
    )
    update turns t set lease_until = now()
    from waiting w where t.tenant_id = w.tenant_id and t.id = w.id
    """
)

_PROVEN = text(
    """
    select tenant_id, id from send_parts where state = 'unknown' and wa_id is not null
    order by started_at limit 1
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


async def note(
    connection: AsyncConnection, items: Sequence[Item], echoes: Sequence[Echo]
) -> list[Consequence]:
    """Keep acks (of ``items``) and echoes of our own messages as proof; what must follow."""
    acks = as_rows(_ack_row(i, i.event) for i in items if isinstance(i.event, AckEvent))
    seen = as_rows(asdict(e) for e in echoes)
    if acks == seen:  # two empty lists
        return []
    await connection.execute(_LOCK, {"acks": acks, "echoes": seen})
    changed = [
        Consequence(part.tenant_id, part.id, part.send_id, part.state, "ack")
        for part in await connection.execute(_ACK, {"rows": acks})
        if part.state in {"sending", "unknown", "failed"}
    ]
    changed += [
        Consequence(part.tenant_id, part.id, part.send_id, part.state, "echo")
        for part in await connection.execute(_ECHO, {"rows": seen})
    ]
    return changed


def _ack_row(item: Item, ack: AckEvent) -> dict[str, object]:
    return {
        "tenant_id": item.tenant_id,
        "channel_id": item.channel_id,
        "wa_id": ack.wa_id,
        "level": max(_ERROR, min(ack.level, _READ)),
    }


async def refund(connection: AsyncConnection, consequences: Iterable[Consequence]) -> None:
    """Give back what was charged for replies that did not arrive, in the commit that tells so."""
    for each in consequences:
        if each.state == "failed":
            await refund_if_undelivered(connection, each.tenant_id, each.send_id)


async def follow(database: Database, consequences: Iterable[Consequence]) -> None:
    """Settle parts that had been given up, and wake turns that wait, behind the commit.

    All turns are woken at once. Doubt is settled in a transaction each, because a conversation is
    locked before its parts. What a crash leaves out is found again: the proof stands on the part
    (``settle_proven``), and a turn that nobody wakes comes back when its lease ends.
    """
    told = sorted(consequences, key=lambda c: (c.tenant_id, c.part_id))
    woken = [c for c in told if c.state == "sending"]
    if woken:
        rows = as_rows({"tenant_id": c.tenant_id, "send_id": c.send_id} for c in woken)
        async with database.system() as connection:
            await connection.execute(_WAKE, {"rows": rows})
    for each in told:
        if each.state == "unknown":
            async with database.system() as connection:
                await settling.settle_unknown(connection, each.tenant_id, each.part_id, each.by)


async def settle_proven(connection: AsyncConnection) -> int:
    """Settle a part that is in doubt although proof of it is stored; how many there were.

    One a call: settling ends at a wallet, behind which no other conversation may be locked.
    """
    found = (await connection.execute(_PROVEN)).one_or_none()
    if found is None:
        return 0
    await settling.settle_unknown(connection, found.tenant_id, found.id, "ack")
    return 1
