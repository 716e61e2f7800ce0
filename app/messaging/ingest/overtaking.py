"""Edits and deletions that came before their message.

WAHA delivers each event on its own, so one that has to be retried is overtaken by what came
after it. A change without its message is kept under a key that is made of the message's id;
whoever stores the message finds it there. Such keys are pruned with the others.

A change and its message that two workers have at the same moment wait for each other: else
neither would see what the other has not committed.
"""

import hashlib
from collections.abc import Sequence
from typing import TypeAlias
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.channels.port import EditEvent, MessageEvent, RevokeEvent
from app.channels.waha.parse import parse_event
from app.core.db.rows import as_rows
from app.core.json import decode_object
from app.messaging.ingest.items import Item
from app.messaging.messages import CHANGE_LOCK

Change: TypeAlias = tuple[UUID, UUID, EditEvent | RevokeEvent]

_LOCK = text(
    f"""
    select case when r.changed then pg_advisory_xact_lock({CHANGE_LOCK})::text
                else pg_advisory_xact_lock_shared({CHANGE_LOCK})::text end
    from (
        select channel_id, wa_id, bool_or(changed) as changed
        from jsonb_to_recordset(cast(:rows as jsonb))
            as given(channel_id uuid, wa_id text, changed boolean)
        group by channel_id, wa_id order by channel_id, wa_id
    ) r
    """  # noqa: S608 - our own words
)
# The newest change of each kind counts.
_KEEP = text(
    """
    insert into inbox_keys (tenant_id, channel_id, key, event_day, inbox_id, pending, outcome)
    select k.tenant_id, k.channel_id, decode(r.early, 'hex'), k.event_day, k.inbox_id, false,
           'overtook'
    from jsonb_to_recordset(cast(:rows as jsonb))
        as r(tenant_id uuid, channel_id uuid, key text, early text, wa_id text)
    join inbox_keys k on k.tenant_id = r.tenant_id and k.channel_id = r.channel_id
     and k.key = decode(r.key, 'hex')
    where not exists (select 1 from messages m where m.tenant_id = r.tenant_id
                        and m.channel_id = r.channel_id and m.wa_id = r.wa_id)
    order by 1, 2, 3
    on conflict (tenant_id, channel_id, key)
    do update set event_day = excluded.event_day, inbox_id = excluded.inbox_id
    """
)
_FIND = text(
    """
    select k.tenant_id, k.channel_id, i.body
    from jsonb_to_recordset(cast(:rows as jsonb)) as r(tenant_id uuid, channel_id uuid, key text)
    join inbox_keys k on k.tenant_id = r.tenant_id and k.channel_id = r.channel_id
     and k.key = decode(r.key, 'hex')
    join inbox i on i.tenant_id = k.tenant_id and i.id = k.inbox_id
     and i.received_day = k.event_day
    """
)


async def lock(connection: AsyncConnection, items: Sequence[Item]) -> None:
    """Wait for messages that are just being stored and that a batch's events change.

    Before anything else is locked, and with the batch's own messages in one order: so nobody
    who has such a message waits for us.
    """
    rows = [
        {
            "channel_id": item.channel_id,
            "wa_id": item.event.wa_id,
            "changed": not isinstance(item.event, MessageEvent),
        }
        for item in items
        if isinstance(item.event, MessageEvent | EditEvent | RevokeEvent)
    ]
    if any(row["changed"] for row in rows):
        await connection.execute(_LOCK, {"rows": as_rows(rows)})


async def keep(connection: AsyncConnection, items: Sequence[Item]) -> None:
    """Keep the changes among a batch's events whose messages are not there."""
    rows = {
        (item.tenant_id, item.channel_id, early): {
            "tenant_id": item.tenant_id,
            "channel_id": item.channel_id,
            "key": item.key.hex(),
            "early": early,
            "wa_id": item.event.wa_id,
        }
        for item in items
        if isinstance(item.event, EditEvent | RevokeEvent)
        for early in (_key(type(item.event), item.event.wa_id),)
    }
    if rows:
        await connection.execute(_KEEP, {"rows": as_rows(rows.values())})


async def find(connection: AsyncConnection, fresh: Sequence[Item]) -> list[Change]:
    """Return the changes that came before these new messages."""
    if not fresh:
        return []
    rows = as_rows(
        {"tenant_id": i.tenant_id, "channel_id": i.channel_id, "key": _key(kind, i.message.wa_id)}
        for i in fresh
        for kind in (EditEvent, RevokeEvent)
    )
    now = fresh[0].channel.now
    found = await connection.execute(_FIND, {"rows": rows})
    changes = ((r, parse_event(decode_object(bytes(r.body)), now)) for r in found)
    return [
        (row.tenant_id, row.channel_id, event)
        for row, event in changes
        if isinstance(event, EditEvent | RevokeEvent)
    ]


def _key(kind: type[EditEvent | RevokeEvent], wa_id: str) -> str:
    name = f"overtook\0{kind.__name__}\0{wa_id}"
    return hashlib.sha256(name.encode()).digest()[:16].hex()
