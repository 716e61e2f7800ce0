"""Leaving and coming back: a customer's STOP and START.

The contact's row is written before its conversation is locked, in the order that everything
keeps which hears of contacts: contacts → conversation → turn → wallet.
"""

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.channels.port import ContentKind
from app.core.config import Settings
from app.core.db.rows import as_rows
from app.messaging.conversations import Thread
from app.messaging.ingest.items import Item
from app.messaging.opt_words import opting_of
from app.messaging.states import Disposition, Notice
from app.messaging.turns.ending import withdraw
from app.messaging.turns.opening import tell_dispatcher

# A START that comes late, out of a gap, does not undo a later STOP: both count from when they
# were written.
_OPT = text(
    """
    with changed as (
        select c.tenant_id, c.id, r.leaves, r.sent_at
        from jsonb_to_recordset(cast(:rows as jsonb))
            as r(tenant_id uuid, id uuid, leaves boolean, sent_at timestamptz)
        join contacts c on c.tenant_id = r.tenant_id and c.id = r.id
         and (c.opted_out_at is not null) <> r.leaves
         and (r.leaves or r.sent_at >= c.opted_out_at)
        order by c.tenant_id, c.id for no key update of c
    )
    update contacts c
    set opted_out_at = case when h.leaves then least(h.sent_at, now()) end
    from changed h where c.tenant_id = h.tenant_id and c.id = h.id
    returning c.tenant_id, c.id
    """
)


async def note_wishes(
    connection: AsyncConnection, items: Sequence[Item], contacts: Mapping[tuple[UUID, str], UUID]
) -> None:
    """Let customers leave or come back by their word; marks the message that did it.

    Args:
        connection: an open transaction that holds no conversation yet.
        items: new messages of customers, oldest first.
        contacts: the contact of each (tenant, address).
    """
    last: dict[tuple[UUID, UUID], tuple[Item, Notice]] = {}
    for item in sorted(items, key=lambda i: i.message.sent_at):
        message = item.message
        if message.from_me or message.kind is not ContentKind.TEXT:
            continue
        if meaning := opting_of(message.body, item.channel.locale):
            last[item.tenant_id, contacts[item.tenant_id, message.chat]] = (item, meaning)
    if not last:
        return
    rows = as_rows(
        {
            "tenant_id": tenant_id,
            "id": contact_id,
            "leaves": meaning is Notice.OPTED_OUT,
            "sent_at": item.message.sent_at,
        }
        for (tenant_id, contact_id), (item, meaning) in last.items()
    )
    for changed in await connection.execute(_OPT, {"rows": rows}):
        item, meaning = last[changed.tenant_id, changed.id]
        item.opting = meaning


async def take_back_replies(
    connection: AsyncConnection,
    settings: Settings,
    items: Sequence[Item],
    threads: Mapping[int, Thread],
) -> None:
    """Have nothing sent any more to who has just left, but that it was understood.

    A turn that has not come to its reply sees the wish by itself; here is the reply that waits
    already. The conversations are locked, and so are their live turns.

    Args:
        connection: an open transaction that will lock no turn of another tenant any more.
        settings: of the process.
        items: messages that let their customers leave (``note_wishes``), of one tenant.
        threads: each item's conversation by the item's identity.
    """
    taken = [
        await withdraw(
            connection,
            settings,
            item.tenant_id,
            threads[id(item)].id,
            disposition=Disposition.OPTED_OUT,
        )
        for item in items
    ]
    if any(taken):
        await tell_dispatcher(connection)
