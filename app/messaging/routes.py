"""Conversations and messages over REST: read, page by page, in the caller's own tenant."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, get
from litestar.params import FromPath, FromQuery, QueryParameter
from sqlalchemy import text

from app.core.db.engine import Database
from app.core.errors import NotFoundError, RefusedError
from app.messaging.states import ConversationState
from tenants.api import caller, page_size

# Keyset pages: the cursor is the last row of the page before.
_CONVERSATIONS = text(
    """
    select c.id, c.state, c.channel_id, c.contact_id, coalesce(k.name, k.push_name) as contact_name,
           c.handover_reason, c.last_message_at, c.created_at
    from conversations c
    join contacts k on k.tenant_id = c.tenant_id and k.id = c.contact_id
    where c.tenant_id = :tenant_id and (cast(:state as text) is null or c.state = :state)
      and (cast(:after as uuid) is null or (c.last_message_at, c.id) < (
          select a.last_message_at, a.id from conversations a
          where a.tenant_id = :tenant_id and a.id = :after))
    order by c.last_message_at desc, c.id desc limit :rows_max
    """
)
_EXISTS = text("select 1 from conversations where tenant_id = :tenant_id and id = :id")
_MESSAGES = text(
    """
    select m.id, m.direction, m.author, m.kind, m.body as text, m.sent_at, m.disposition
    from messages m
    where m.tenant_id = :tenant_id and m.conversation_id = :id and m.revoked_at is null
      and (cast(:after as uuid) is null or (m.sent_at, m.id) < (
          select a.sent_at, a.id from messages a
          where a.tenant_id = :tenant_id and a.id = :after))
    order by m.sent_at desc, m.id desc limit :rows_max
    """
)


class ConversationView(msgspec.Struct, rename="camel"):
    """One conversation."""

    id: UUID
    state: str
    channel_id: UUID
    contact_id: UUID
    contact_name: str | None
    handover_reason: str | None
    last_message_at: datetime
    created_at: datetime


class MessageView(msgspec.Struct, rename="camel"):
    """One message of a conversation."""

    id: UUID
    direction: str
    author: str
    kind: str
    text: str | None
    sent_at: datetime
    disposition: str | None


class ConversationPage(msgspec.Struct, rename="camel"):
    """Conversations, the latest first; ``next`` is the cursor of the next page, or null."""

    conversations: list[ConversationView]
    next: UUID | None


class MessagePage(msgspec.Struct, rename="camel"):
    """Messages, the newest first; ``next`` is the cursor of the next page, or null."""

    messages: list[MessageView]
    next: UUID | None


def api_routes(database: Callable[[], Awaitable[Database]]) -> list[Any]:
    """Return the handlers, to be mounted behind ``api_key_required``."""

    @get("/conversations", summary="Conversations, the latest first")
    async def conversations(
        request: Request[Any, Any, Any],
        in_state: Annotated[str | None, QueryParameter(name="state")] = None,
        after: FromQuery[UUID | None] = None,
        limit: FromQuery[int | None] = None,
    ) -> ConversationPage:
        tenant_id = caller(request, "read").tenant_id
        size = page_size(limit)
        known = [s.value for s in ConversationState]
        if in_state is not None and in_state not in known:
            raise RefusedError("state must be one of %(known)s.", known=", ".join(known))
        values = {"tenant_id": tenant_id, "state": in_state, "after": after, "rows_max": size}
        async with (await database()).tenant(tenant_id) as connection:
            rows = (await connection.execute(_CONVERSATIONS, values)).mappings().all()
        found = [ConversationView(**row) for row in rows]
        return ConversationPage(found, found[-1].id if len(found) == size else None)

    @get("/conversations/{conversation_id:uuid}/messages", summary="Its messages, newest first")
    async def messages(
        request: Request[Any, Any, Any],
        conversation_id: FromPath[UUID],
        after: FromQuery[UUID | None] = None,
        limit: FromQuery[int | None] = None,
    ) -> MessagePage:
        tenant_id = caller(request, "read").tenant_id
        size = page_size(limit)
        key = {"tenant_id": tenant_id, "id": conversation_id}
        async with (await database()).tenant(tenant_id) as connection:
            if not await connection.scalar(_EXISTS, key):
                raise NotFoundError("There is no such conversation.")
            found = await connection.execute(_MESSAGES, {**key, "after": after, "rows_max": size})
            rows = [MessageView(**row) for row in found.mappings()]
        return MessagePage(rows, rows[-1].id if len(rows) == size else None)

    return [conversations, messages]
