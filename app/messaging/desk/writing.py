"""A person's message: queued with ids of its own, once for each form, and free of charge.

It takes the way of every message that leaves: a send with a part, an attempt that is committed
before its call, evidence. Only its work list is another one (``desk_sends``), because a turn is
the assistant's: several messages of people may wait behind each other while it has none.
"""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core import ids
from app.core.errors import ConflictError, NotFoundError, RefusedError
from app.core.text import storable
from app.messaging.desk.viewers import Viewer

TEXT_CHARS_MAX = 4_000

_KNOWN = text(
    "select conversation_id from desk_sends where tenant_id = :tenant_id and form_key = :form_key"
)
# The customer's oldest message since anybody last answered: whoever waits, waits since then.
_WAITING = text(
    """
    select min(m.received_at) from messages m
    where m.tenant_id = :tenant_id and m.conversation_id = :conversation_id
      and m.direction = 'in' and m.sent_at > coalesce((
          select o.sent_at from messages o
          where o.tenant_id = :tenant_id and o.conversation_id = :conversation_id
            and o.direction = 'out' order by o.sent_at desc, o.id desc limit 1), '-infinity')
    """
)
_QUEUE = text(
    """
    with send as (
        insert into sends (tenant_id, id, conversation_id, channel_id, author, address, request_id)
        select c.tenant_id, :send_id, c.id, c.channel_id, 'agent', c.address, :request_id
        from conversations c where c.tenant_id = :tenant_id and c.id = :conversation_id
        returning tenant_id, id, conversation_id, channel_id, request_id
    ), message as (
        insert into messages (tenant_id, id, conversation_id, channel_id, direction, author, kind,
                              body, sent_at, request_id)
        select tenant_id, :message_id, conversation_id, channel_id, 'out', 'agent', :kind, :body,
               now(), request_id
        from send
    ), part as (
        insert into send_parts (tenant_id, id, send_id, channel_id, message_id, part_no,
                                client_message_id)
        select tenant_id, :part_id, id, channel_id, :message_id, 1, :client_message_id from send
    ), place as (
        update conversations c set last_message_at = greatest(c.last_message_at, now())
        from send s where c.tenant_id = s.tenant_id and c.id = s.conversation_id
    )
    insert into desk_sends (tenant_id, send_id, conversation_id, user_id, form_key, waiting_since)
    select tenant_id, id, conversation_id, :user_id, :form_key, :waiting_since from send
    """
)
_ATTACH = text(
    """
    update message_media set message_id = :message_id
    where tenant_id = :tenant_id and id = :media_id and message_id is null
    returning kind
    """
)
_MEDIA_KIND = text(
    "select kind from message_media"
    " where tenant_id = :tenant_id and id = :media_id and message_id is null for update"
)
_OPEN_ONE = text(
    """
    select o.id from conversations c
    join conversations o on o.tenant_id = c.tenant_id and o.channel_id = c.channel_id
     and o.contact_id = c.contact_id and o.state <> 'resolved'
    where c.tenant_id = :tenant_id and c.id = :conversation_id
    """
)
_LAST_OF_CONTACT = text(
    """
    select c.id from conversations c
    join channels h on h.tenant_id = c.tenant_id and h.id = c.channel_id and h.enabled
    where c.tenant_id = :tenant_id and c.contact_id = :contact_id
      and exists (select 1 from messages m where m.tenant_id = c.tenant_id
                  and m.conversation_id = c.id and m.direction = 'in')
    order by c.state <> 'resolved' desc, c.last_message_at desc limit 1
    """
)
_CONTACT = text(
    "select 1 from contacts where tenant_id = :tenant_id and id = :contact_id and erased_at is null"
)


@dataclass(frozen=True, slots=True)
class Draft:
    """What a person wants to say. ``form_key`` is the form's own: sent twice it is said once."""

    body: str = field(repr=False)
    form_key: UUID
    media_id: UUID | None = None
    request_id: str | None = None


def checked(draft: Draft) -> str:
    """Return the text to send; RefusedError when there is nothing or too much of it."""
    body = storable(draft.body).strip()
    if not body and draft.media_id is None:
        raise RefusedError("Write something first.")
    if len(body) > TEXT_CHARS_MAX:
        raise RefusedError("This message is too long: at most 4,000 characters.")
    return body


async def already_sent(connection: AsyncConnection, viewer: Viewer, form_key: UUID) -> UUID | None:
    """Return the conversation that a form was sent to before, or None."""
    found: UUID | None = await connection.scalar(
        _KNOWN, {"tenant_id": viewer.tenant_id, "form_key": form_key}
    )
    return found


async def open_one(connection: AsyncConnection, viewer: Viewer, conversation_id: UUID) -> UUID:
    """Return the open conversation with the same customer, or the given one when none is open."""
    values = {"tenant_id": viewer.tenant_id, "conversation_id": conversation_id}
    found: UUID | None = await connection.scalar(_OPEN_ONE, values)
    return found or conversation_id


async def last_with(connection: AsyncConnection, viewer: Viewer, contact_id: UUID) -> UUID:
    """Return the conversation to go on with a contact in.

    Raises:
        NotFoundError: the contact is unknown, foreign or erased.
        ConflictError: they never wrote: numbers linked by QR code that write first get banned.
    """
    values = {"tenant_id": viewer.tenant_id, "contact_id": contact_id}
    if not await connection.scalar(_CONTACT, values):
        raise NotFoundError("There is no such contact.")
    found: UUID | None = await connection.scalar(_LAST_OF_CONTACT, values)
    if found is None:
        raise ConflictError("Wait until they write to you: WhatsApp bans numbers that write first.")
    return found


async def queue(
    connection: AsyncConnection, viewer: Viewer, conversation_id: UUID, draft: Draft
) -> None:
    """Store a person's message and put it on the work list; the conversation is locked."""
    key = {"tenant_id": viewer.tenant_id, "conversation_id": conversation_id}
    kind = await _kind(connection, viewer, draft)
    part_id, message_id = ids.uuid7(), ids.uuid7()
    values: dict[str, Any] = {
        **key,
        "send_id": ids.uuid7(),
        "message_id": message_id,
        "part_id": part_id,
        "client_message_id": ids.client_message_id(part_id),
        "user_id": viewer.user_id,
        "form_key": draft.form_key,
        "kind": kind,
        "body": checked(draft) or None,
        "request_id": draft.request_id,
        "waiting_since": await connection.scalar(_WAITING, key),
    }
    await connection.execute(_QUEUE, values)
    if draft.media_id is not None:
        found = {"tenant_id": viewer.tenant_id, "media_id": draft.media_id}
        await connection.execute(_ATTACH, {**found, "message_id": message_id})


async def _kind(connection: AsyncConnection, viewer: Viewer, draft: Draft) -> str:
    if draft.media_id is None:
        return "text"
    values = {"tenant_id": viewer.tenant_id, "media_id": draft.media_id}
    kind: str | None = await connection.scalar(_MEDIA_KIND, values)
    if kind is None:
        raise NotFoundError("This attachment is not there any more. Choose the file again.")
    return kind
