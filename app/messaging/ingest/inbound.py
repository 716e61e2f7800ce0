"""Customers' messages: contact, conversation, disposition or turn, all under one lock order."""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from app.core import ids
from app.core.config import Timings
from app.core.observability.context import bind
from app.messaging import contacts, conversations, messages, opting
from app.messaging.contacts import Sighting
from app.messaging.conversations import Thread, ThreadKey
from app.messaging.ingest.deciding import Decided, decide_one, tell_closed_once
from app.messaging.ingest.items import Item
from app.messaging.media.catching_up import read_missed
from app.messaging.media.limits import READ_KINDS
from app.messaging.media.wanting import want
from app.messaging.states import Disposition, HandoverReason
from app.messaging.turns.opening import Arrival, join_or_open
from billing.guard import verdicts
from billing.ledger.schemas import CloseRequest

log = logging.getLogger(__name__)

_MEDIA_PATIENCE = 2.0


async def process(
    connection: AsyncConnection,
    timings: Timings,
    items: Sequence[Item],
    threads: Mapping[int, Thread],
) -> None:
    """Store new messages of customers, and give each a disposition or a turn.

    ``threads`` holds each item's locked conversation by the item's identity.
    """
    if not items:
        return
    can_pay = await verdicts(connection, {i.tenant_id for i in items})
    decided: list[Decided] = [
        (item, thread, decide_one(item, thread, can_pay=can_pay[item.tenant_id]))
        for item in items
        for thread in (threads[id(item)],)
    ]
    await conversations.note_closed_told(connection, tell_closed_once(decided))
    stored = await _store(connection, decided)
    await _change_owners(connection, decided, can_pay)
    await join_or_open(connection, _arrivals(decided, stored, timings))


async def unknown_ones(connection: AsyncConnection, items: Sequence[Item]) -> list[Item]:
    """Leave out what is stored already, and the second spelling of one message in the batch."""
    first: dict[tuple[UUID, UUID, str, str], Item] = {}
    for item in items:
        direction = "out" if item.message.from_me else "in"
        key = (item.tenant_id, item.channel_id, item.message.wa_id, direction)
        if first.setdefault(key, item) is not item:
            item.outcome = "duplicate"
    if not first:
        return []
    for key in await messages.known(connection, first):
        first.pop(key).outcome = "duplicate"
    return list(first.values())


async def open_threads(
    connection: AsyncConnection, timings: Timings, items: Sequence[Item]
) -> tuple[dict[int, Thread], list[CloseRequest]]:
    """Return the open conversation of each item, locked, by the item's identity.

    With them come the holds that merging contacts freed, to be released last.
    """
    if not items:
        return {}, []
    known, freed = await contacts.resolve(
        connection,
        [
            Sighting(i.tenant_id, i.message.chat, i.message.alternate, i.message.push_name)
            for i in items
        ],
        timings,
    )
    await opting.note_wishes(connection, items, known)
    keys = [ThreadKey(i.tenant_id, i.channel_id, known[i.tenant_id, i.message.chat]) for i in items]
    newest: dict[ThreadKey, tuple[str, datetime]] = {}
    for key, item in zip(keys, items, strict=True):
        known_address, known_at = newest.get(key, (item.message.chat, item.message.sent_at))
        newest[key] = (
            item.message.chat if not item.message.from_me else known_address,
            max(known_at, item.message.sent_at),
        )
    found = await conversations.find_or_open(
        connection, [(key, address, at) for key, (address, at) in newest.items()]
    )
    return {id(item): found[key] for item, key in zip(items, keys, strict=True)}, freed


async def _store(connection: AsyncConnection, decided: Sequence[Decided]) -> set[str]:
    """Insert the messages; return the bare ids that were new."""
    rows = []
    for item, thread, disposition in decided:
        message = item.message
        rows.append(
            {
                "tenant_id": item.tenant_id,
                "id": ids.uuid7(),
                "conversation_id": thread.id,
                "channel_id": item.channel_id,
                "direction": "in",
                "author": "customer",
                "wa_id": message.wa_id,
                "kind": message.kind.value,
                "body": message.body,
                "media": message.media,
                "reply_to": message.reply_to,
                "sent_at": message.sent_at,
                "disposition": disposition.value if disposition else None,
                "notice": item.notice.value if item.notice else None,
                "request_id": item.request_id,
            }
        )
    fresh = await messages.insert_new(connection, rows)
    await want(connection, [row for row in rows if row["id"] in fresh])
    stored: set[str] = set()
    for row, (item, _, disposition) in zip(rows, decided, strict=True):
        if row["id"] not in fresh:
            item.outcome = "duplicate"
            continue
        stored.add(f"{item.channel_id}:{row['wa_id']}")
        item.outcome = disposition.value if disposition else "turn"
        with bind(request_id=item.request_id, tenant_id=item.tenant_id):
            log.info(
                "message stored",
                extra={
                    "webhook": "waha",
                    "event": "processed",
                    "outcome": item.outcome,
                    "messageId": row["id"],
                },
            )
    return stored


async def _change_owners(
    connection: AsyncConnection,
    decided: Sequence[Decided],
    can_pay: dict[UUID, bool],
) -> None:
    """End ownership that ended by itself; give creditless conversations to people."""
    back: dict[UUID, set[UUID]] = {}
    broke: dict[UUID, set[UUID]] = {}
    for _, thread, disposition in decided:
        tenant_id = thread.key.tenant_id
        if disposition is Disposition.NO_CREDIT and thread.state == "pending":
            broke.setdefault(tenant_id, set()).add(thread.id)
        elif thread.state != "pending" and not thread.people_own and can_pay[tenant_id]:
            back.setdefault(tenant_id, set()).add(thread.id)
    for tenant_id, found in sorted(back.items()):
        await conversations.return_to_assistant(connection, tenant_id, sorted(found))
        await read_missed(connection, [(tenant_id, each) for each in sorted(found)])
    for tenant_id, found in sorted(broke.items()):
        for conversation_id in sorted(found):
            await conversations.hand_to_people(
                connection, tenant_id, conversation_id, HandoverReason.NO_CREDIT
            )


def _arrivals(decided: Sequence[Decided], stored: set[str], timings: Timings) -> list[Arrival]:
    grouped: dict[UUID, list[Item]] = {}
    for item, thread, disposition in decided:
        if disposition is None and f"{item.channel_id}:{item.message.wa_id}" in stored:
            grouped.setdefault(thread.id, []).append(item)
    return [
        Arrival(
            tenant_id=found[-1].tenant_id,
            conversation_id=conversation_id,
            channel_id=found[-1].channel_id,
            message_count=len(found),
            request_id=found[-1].request_id,
            idle_s=_idle_s(found),
            cap_s=found[-1].channel.cap_s,
            messages_max=found[-1].channel.batch_messages_max,
            media_wait_s=timings.media_wait_s if _has_file(found) else 0.0,
        )
        for conversation_id, found in grouped.items()
    ]


def _idle_s(items: Sequence[Item]) -> float:
    """Wait longer behind media: WAHA downloads it first, so the words to it may come later."""
    idle_s = float(items[-1].channel.idle_s)
    return idle_s * _MEDIA_PATIENCE if items[-1].message.media else idle_s


def _has_file(items: Sequence[Item]) -> bool:
    """Tell whether a message brings a file that is read for the assistant."""
    return any(item.message.kind.value in READ_KINDS for item in items)
