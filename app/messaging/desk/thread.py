"""One conversation as people see it: whom it is with, who has it, what was said and noted."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.errors import NotFoundError
from app.messaging.desk.listing import phone_of
from app.messaging.desk.viewers import VISIBLE, Viewer
from app.messaging.desk.waiting import LEFT_AS

MESSAGES = 40
NOTES_MAX = 100
EARLIER_MAX = 5

_HEAD = text(
    f"""
    select c.id, c.state, c.channel_id, c.contact_id, c.address, c.assignee_id, c.human_until,
           c.paused_until, c.snoozed_until, c.handover_reason, c.handover_summary,
           c.created_at, c.last_message_at,
           c.state = 'open' and (c.human_until is null or c.human_until > now()) as people_own,
           coalesce(c.paused_until > now(), false) as paused,
           coalesce(nullif(k.name, ''), nullif(k.push_name, '')) as name, k.push_name,
           k.blocked_at, k.opted_out_at, k.erased_at, k.created_at as contact_since,
           h.name as channel_name, h.enabled as channel_enabled, h.status as channel_status,
           array(select a.address from contact_addresses a
                 where a.tenant_id = c.tenant_id and a.contact_id = c.contact_id
                   and a.kind = 'phone' order by a.created_at) as phones,
           array(select l.label_id from conversation_labels l
                 where l.tenant_id = c.tenant_id and l.conversation_id = c.id) as label_ids,
           exists (select 1 from turns t
                   where t.tenant_id = c.tenant_id and t.conversation_id = c.id
                     and t.state in ('claimed', 'held', 'generated', 'sending')) as answering,
           ({LEFT_AS}) as left_as,
           (select coalesce(json_agg(e), '[]')::text from (
                select o.id, o.created_at, o.last_message_at, o.state from conversations o
                where o.tenant_id = c.tenant_id and o.contact_id = c.contact_id and o.id <> c.id
                  and (:sees_all or o.assignee_id is null or o.assignee_id = :user_id)
                order by o.last_message_at desc limit :earlier_max) e) as earlier
    from conversations c
    join contacts k on k.tenant_id = c.tenant_id and k.id = c.contact_id
    join channels h on h.tenant_id = c.tenant_id and h.id = c.channel_id
    where c.tenant_id = :tenant_id and c.id = :id and {VISIBLE}
    """  # noqa: S608
)
# Notes stand between the messages of the page that they were written at the time of.
_LINES = text(
    """
    with page as (
        select * from messages
        where tenant_id = :tenant_id and conversation_id = :id
          and (cast(:before as uuid) is null or (sent_at, id) < (
              select b.sent_at, b.id from messages b
              where b.tenant_id = :tenant_id and b.id = :before))
        order by sent_at desc, id desc limit :rows_max
    ), span as (
        select case when count(*) < :rows_max then '-infinity' else min(sent_at) end as since,
               case when cast(:before as uuid) is null then 'infinity' else max(sent_at) end
                   as until
        from page
    )
    select m.id, m.direction, m.author, m.kind, m.body, m.sent_at, m.edited_at, m.revoked_at,
           m.disposition, m.turn_id, p.state as part_state, p.error as part_error,
           d.user_id, f.id as media_id, f.kind as media_kind, f.state as media_state,
           f.name as media_name, f.content_type, f.reading, f.duration_ms, f.size_bytes
    from page m
    left join send_parts p on p.tenant_id = m.tenant_id and p.message_id = m.id
    left join desk_sends d on d.tenant_id = p.tenant_id and d.send_id = p.send_id
    left join message_media f on f.tenant_id = m.tenant_id and f.message_id = m.id
    union all
    select n.id, 'note', 'note', 'text', n.body, n.created_at, null, null, null, null, null, null,
           n.user_id, null, null, null, null, null, null, null, null
    from span cross join lateral (
        select * from conversation_notes x
        where x.tenant_id = :tenant_id and x.conversation_id = :id
          and x.created_at >= span.since and x.created_at < span.until
        order by x.created_at desc limit :notes_max) n
    order by sent_at, id
    """
)
_TURN_OF = text(
    "select turn_id, direction, disposition from messages"
    " where tenant_id = :tenant_id and conversation_id = :id and id = :message_id"
)
_HAS_FILE = text(
    """
    select 1 from message_media f
    join messages m on m.tenant_id = f.tenant_id and m.id = f.message_id
    where f.tenant_id = :tenant_id and f.id = :media_id and m.conversation_id = :id
    """
)
_SEEN = text(
    """
    insert into conversation_reads (tenant_id, user_id, conversation_id, seen_at)
    select :tenant_id, :user_id, :id, coalesce(max(sent_at), now()) from messages
    where tenant_id = :tenant_id and conversation_id = :id
    on conflict (tenant_id, user_id, conversation_id)
    do update set seen_at = excluded.seen_at
    where conversation_reads.seen_at < excluded.seen_at
    """
)


@dataclass(frozen=True, slots=True)
class Earlier:
    """Another conversation with the same contact."""

    id: UUID
    created_at: datetime
    last_message_at: datetime
    state: str


@dataclass(frozen=True, slots=True)
class Head:
    """A conversation without its messages.

    ``left_as`` is what became of the last message of an assistant's conversation where a person
    has to answer it all the same.
    """

    id: UUID
    state: str
    channel_id: UUID
    contact_id: UUID
    address: str
    assignee_id: UUID | None
    human_until: datetime | None
    paused_until: datetime | None
    snoozed_until: datetime | None
    handover_reason: str | None
    handover_summary: str | None
    created_at: datetime
    last_message_at: datetime
    people_own: bool
    paused: bool
    name: str | None
    push_name: str | None
    blocked_at: datetime | None
    opted_out_at: datetime | None
    erased_at: datetime | None
    contact_since: datetime
    channel_name: str
    channel_enabled: bool
    channel_status: str | None
    phones: Sequence[str]
    label_ids: Sequence[UUID]
    answering: bool
    left_as: str | None
    earlier: Sequence[Earlier]

    @property
    def title(self) -> str:
        """Whom the conversation is with."""
        return self.name or self.phone

    @property
    def phone(self) -> str:
        """Their number, empty while WhatsApp hides it."""
        return phone_of(self.phones[0] if self.phones else self.address)

    @property
    def owner(self) -> str:
        """Who has it: ``assistant``, ``people``, ``paused``, ``snoozed`` or ``resolved``."""
        if self.state in {"resolved", "snoozed"}:
            return self.state
        if self.people_own:
            return "people"
        return "paused" if self.paused else "assistant"


@dataclass(frozen=True, slots=True)
class Line:
    """Something in the thread: a message, or a colleague's note (``author`` is ``note``)."""

    id: UUID
    direction: str
    author: str
    kind: str
    sent_at: datetime
    body: str | None = None
    edited_at: datetime | None = None
    revoked_at: datetime | None = None
    disposition: str | None = None
    turn_id: UUID | None = None
    part_state: str | None = None
    part_error: str | None = None
    user_id: UUID | None = None
    media_id: UUID | None = None
    media_kind: str | None = None
    media_state: str | None = None
    media_name: str | None = None
    content_type: str | None = None
    reading: str | None = None
    duration_ms: int | None = None
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class TurnOf:
    """What to ask why of a message: the turn it belongs to, or what became of it."""

    turn_id: UUID | None
    direction: str
    disposition: str | None


@dataclass(frozen=True, slots=True)
class Thread:
    """Lines, oldest first; ``before`` is the id to ask for earlier ones with, or None."""

    lines: Sequence[Line]
    before: UUID | None


async def head(connection: AsyncConnection, viewer: Viewer, conversation_id: UUID) -> Head:
    """Return a conversation that the viewer sees; NotFoundError for any other."""
    values = {**viewer.scope, "id": conversation_id, "earlier_max": EARLIER_MAX}
    row = (await connection.execute(_HEAD, values)).mappings().one_or_none()
    if row is None:
        raise NotFoundError("There is no such conversation.")
    earlier = msgspec.json.decode(row["earlier"], type=list[Earlier])
    return Head(**{**row, "earlier": earlier})


async def lines(
    connection: AsyncConnection,
    viewer: Viewer,
    conversation_id: UUID,
    *,
    before: UUID | None = None,
) -> Thread:
    """Return a page of a conversation that ``head`` found, notes among the messages."""
    values: dict[str, Any] = {
        "tenant_id": viewer.tenant_id,
        "id": conversation_id,
        "before": before,
        "rows_max": MESSAGES + 1,
        "notes_max": NOTES_MAX,
    }
    rows = (await connection.execute(_LINES, values)).mappings().all()
    found = [Line(**row) for row in rows]
    messages = [line for line in found if line.direction != "note"]
    if len(messages) <= MESSAGES:
        return Thread(found, None)
    # One more than fits was asked for: it begins the page before.
    found.remove(messages[0])
    return Thread(found, messages[1].id)


async def mark_seen(connection: AsyncConnection, viewer: Viewer, conversation_id: UUID) -> None:
    """Remember that the viewer has seen everything that is in a conversation now."""
    scope = {"tenant_id": viewer.tenant_id, "user_id": viewer.user_id, "id": conversation_id}
    await connection.execute(_SEEN, scope)


async def turn_of(
    connection: AsyncConnection, viewer: Viewer, conversation_id: UUID, message_id: UUID
) -> TurnOf:
    """Return the turn of a message in a conversation that ``head`` found."""
    values = {"tenant_id": viewer.tenant_id, "id": conversation_id, "message_id": message_id}
    row = (await connection.execute(_TURN_OF, values)).mappings().one_or_none()
    if row is None:
        raise NotFoundError("There is no such message.")
    return TurnOf(**row)


async def require_file(
    connection: AsyncConnection, viewer: Viewer, conversation_id: UUID, media_id: UUID
) -> None:
    """Raise NotFoundError unless a file belongs to a conversation that ``head`` found."""
    values = {"tenant_id": viewer.tenant_id, "id": conversation_id, "media_id": media_id}
    if not await connection.scalar(_HAS_FILE, values):
        raise NotFoundError("This file is not there any more.")
