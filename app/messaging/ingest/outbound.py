"""Messages from the business's own number: echoes of our sends, or its owner typing.

WAHA shows every message of the number. What carries one of our ids is an echo and proves a
send. Anything else was typed by a person on the paired phone (or another program): people
have taken the conversation over, and the assistant is silent for twelve hours.
``source: api`` alone proves nothing: WAHA forgets it at a restart.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from app.core import ids
from app.core.db.rows import as_rows
from app.messaging import messages
from app.messaging.conversations import HUMAN_TAKEOVER_S, Thread, hand_to_people
from app.messaging.ingest import queries
from app.messaging.ingest.items import Echo, Item
from app.messaging.media.models import KINDS
from app.messaging.media.wanting import want
from app.messaging.states import Disposition, HandoverReason
from app.messaging.turns.ending import silence


async def split(
    connection: AsyncConnection, items: Sequence[Item]
) -> tuple[list[Item], list[Echo]]:
    """Part what people typed from echoes of our sends. Reads only: nothing is locked."""
    if not items:
        return [], []
    echoes: list[Echo] = []
    typed: list[Item] = []
    by_id = await _parts_by_id(connection, items)
    for n, item in enumerate(items):
        part = by_id.get(n) or await _part_by_text(connection, item)
        if part is None:
            typed.append(item)
            continue
        item.outcome = "echo"
        if part.state in {"sending", "unknown"}:
            echoes.append(Echo(item.tenant_id, part.id, item.message.wa_id))
    return typed, echoes


async def _parts_by_id(connection: AsyncConnection, items: Sequence[Item]) -> dict[int, Any]:
    rows = as_rows(
        {
            "n": n,
            "tenant_id": item.tenant_id,
            "channel_id": item.channel_id,
            "wa_id": item.message.wa_id,
        }
        for n, item in enumerate(items)
    )
    return {row.n: row for row in await connection.execute(queries.OWN_PARTS, {"rows": rows})}


async def _part_by_text(connection: AsyncConnection, item: Item) -> Any:
    """Find the send in flight that an echo with an id not of our choosing belongs to."""
    message = item.message
    if not message.body and message.kind.value not in KINDS:
        return None
    found = await connection.execute(
        queries.ECHO_BY_TEXT,
        {
            "tenant_id": item.tenant_id,
            "channel_id": item.channel_id,
            "chat": message.chat,
            "body": message.body or "",
            "kind": message.kind.value if message.kind.value in KINDS else "text",
            "via_api": message.via_api,
        },
    )
    return found.one_or_none()


async def process(
    connection: AsyncConnection, items: Sequence[Item], threads: Mapping[int, Thread]
) -> None:
    """Store what people typed, and let them take the conversation over.

    The conversations are locked, and so are their live turns (``opening.lock_live``).
    """
    for item in sorted(items, key=lambda i: (threads[id(i)].id, i.message.sent_at)):
        await _take_over(connection, item, threads[id(item)])


async def _take_over(connection: AsyncConnection, item: Item, thread: Thread) -> None:
    message = item.message
    row = {
        "tenant_id": item.tenant_id,
        "id": ids.uuid7(),
        "conversation_id": thread.id,
        "channel_id": item.channel_id,
        "direction": "out",
        "author": "owner",
        "wa_id": message.wa_id,
        "kind": message.kind.value,
        "body": message.body,
        "media": message.media,
        "reply_to": message.reply_to,
        "sent_at": message.sent_at,
        "disposition": None,
        "request_id": item.request_id,
    }
    if not await messages.insert_new(connection, [row]):
        return
    await want(connection, [row])
    item.outcome = "human_takeover"
    left = timedelta(seconds=HUMAN_TAKEOVER_S) - (item.channel.now - message.sent_at)
    if left <= timedelta(0):
        return
    await hand_to_people(
        connection,
        item.tenant_id,
        thread.id,
        HandoverReason.HUMAN_TAKEOVER,
        human_s=left.total_seconds(),
    )
    await silence(
        connection,
        item.tenant_id,
        thread.id,
        disposition=Disposition.HUMAN_OWNED,
        reason="human_takeover",
    )
