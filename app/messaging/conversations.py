"""Conversations: found or opened under lock, and who owns them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core import ids
from app.core.db.rows import as_rows
from app.messaging.states import HandoverReason

HUMAN_TAKEOVER_S = 12 * 3600
LETTERS_APART_S = 30 * 60
"""Between two letters to people about one conversation."""

# ON CONFLICT DO UPDATE locks the row, in one order for all workers. The address is the one
# the customer last wrote from: answers go to the chat id that a message came from.
_UPSERT = text(
    """
    insert into conversations as c (tenant_id, id, channel_id, contact_id, address,
                                    last_message_at)
    select tenant_id, id, channel_id, contact_id, address, sent_at
    from jsonb_to_recordset(cast(:rows as jsonb))
        as r(tenant_id uuid, id uuid, channel_id uuid, contact_id uuid, address text,
             sent_at timestamptz)
    order by tenant_id, channel_id, contact_id
    on conflict (tenant_id, channel_id, contact_id) where state <> 'resolved'
    do update set address = excluded.address,
                  last_message_at = greatest(c.last_message_at, excluded.last_message_at),
                  -- Whatever is written wakes a conversation that people had put aside.
                  state = case when c.state = 'snoozed' then 'open' else c.state end,
                  snoozed_until = null
    returning c.tenant_id, c.id, c.channel_id, c.contact_id, c.state, c.handover_reason,
              c.human_until <= now() as human_over,
              coalesce(c.paused_until > now(), false) as paused
    """
)
_PEOPLE = text(
    """
    select c.tenant_id, c.id, c.blocked_at is not null as blocked,
           c.opted_out_at is not null as opted_out,
           exists (select 1 from conversations v where v.tenant_id = c.tenant_id
                     and v.contact_id = c.id and v.closed_told_until > now()) as closed_told
    from jsonb_to_recordset(cast(:rows as jsonb)) as r(tenant_id uuid, id uuid)
    join contacts c on c.tenant_id = r.tenant_id and c.id = r.id
    """
)
_OWNERSHIP = """
    select c.id, c.state, c.handover_reason, c.human_until <= now() as human_over,
           coalesce(c.paused_until > now(), false) as paused
    from conversations c where c.tenant_id = :tenant_id and c.id
"""
_LOCK = text(f"{_OWNERSHIP} = :id for no key update")
# A batch waits for nobody: who else has a conversation may want one that the batch has.
_LOCK_FREE = text(f"{_OWNERSHIP} = any(:ids) for no key update skip locked")
# The thread that goes on where this one was resolved.
_LOCK_NEXT = text(
    f"""
    {_OWNERSHIP} = (
        select k.id from conversations g join conversations k
          on k.tenant_id = g.tenant_id and k.channel_id = g.channel_id
         and k.contact_id = g.contact_id and k.state <> 'resolved'
        where g.tenant_id = :tenant_id and g.id = :id)
    for no key update
    """  # noqa: S608 - our own words
)
# People who have a conversation keep it: the machine's reasons never stand above their word,
# and what is resolved stays so. A person's own word always counts; a takeover without an end
# is not shortened by a message that would only have asked for twelve hours.
_TO_PEOPLE = text(
    """
    update conversations c
    set human_until = case
            when :by_person and c.state in ('open', 'snoozed')
             and c.handover_reason = 'human_takeover' and c.human_until is null then null
            when :by_person and c.handover_reason = 'human_takeover'
             then greatest(c.human_until, now() + make_interval(secs => :human_s))
            else now() + make_interval(secs => :human_s) end,
        state = 'open', snoozed_until = null,
        handover_reason = :reason, handover_summary = :summary,
        handed_over_at = case
            when c.state in ('open', 'snoozed') and c.handover_reason = :reason
             then coalesce(c.handed_over_at, now())
            else now() end,
        notify_at = case when :told_by_mail then greatest(
            now(), c.notified_at + make_interval(secs => :quiet_s)) end
    where tenant_id = :tenant_id and id = :id and state <> 'resolved'
      and (:by_person or not (
            c.state in ('open', 'snoozed') and c.handover_reason = 'human_takeover'
            and (c.human_until is null or c.human_until > now())))
    """
)
_TO_ASSISTANT = text(
    """
    update conversations set state = 'pending', handover_reason = null, handover_summary = null,
        human_until = null, snoozed_until = null, handed_over_at = null, notify_at = null,
        assignee_id = null
    where tenant_id = :tenant_id and id = any(:ids) and state <> 'resolved'
    """
)
_CLOSED_TOLD = text(
    """
    update conversations c set closed_told_until = r.until
    from jsonb_to_recordset(cast(:rows as jsonb)) as r(tenant_id uuid, id uuid, until timestamptz)
    where c.tenant_id = r.tenant_id and c.id = r.id
    """
)
# Nobody is written to about these: people are at it already, or a notice of credits has gone.
_NOT_BY_MAIL = frozenset({HandoverReason.HUMAN_TAKEOVER, HandoverReason.NO_CREDIT})


@dataclass(frozen=True, slots=True)
class ThreadKey:
    """What makes a thread: a number and a contact."""

    tenant_id: UUID
    channel_id: UUID
    contact_id: UUID


@dataclass(frozen=True, slots=True)
class Thread:
    """An open conversation, locked by the transaction that read it."""

    key: ThreadKey
    id: UUID
    state: str
    handover_reason: str | None
    human_over: bool
    paused: bool
    blocked: bool
    opted_out: bool
    closed_told: bool

    @property
    def people_own(self) -> bool:
        """Tell whether people own it now."""
        return owned_by_people(self.state, self.handover_reason, human_over=self.human_over)


def owned_by_people(state: str, reason: str | None, *, human_over: bool) -> bool:
    """Tell whether people own a conversation now.

    A takeover ends with its time. A conversation that went to people only because credits
    were used up is the assistant's again as soon as the tenant can pay; while it cannot, its
    messages end as ``no_credit``, not as ``human_owned``.
    """
    if state not in {"open", "snoozed"} or human_over:
        return False
    return reason != HandoverReason.NO_CREDIT


async def find_or_open(
    connection: AsyncConnection, wanted: Sequence[tuple[ThreadKey, str, datetime]]
) -> dict[ThreadKey, Thread]:
    """Return the open conversation of each key, locked; open one where there is none.

    Args:
        connection: an open transaction.
        wanted: (key, address that messages came from, their newest time), a key once.
    """
    rows = as_rows(
        {
            "tenant_id": key.tenant_id,
            "id": ids.uuid7(),
            "channel_id": key.channel_id,
            "contact_id": key.contact_id,
            "address": address,
            "sent_at": sent_at,
        }
        for key, address, sent_at in wanted
    )
    found = (await connection.execute(_UPSERT, {"rows": rows})).all()
    people = {
        (row.tenant_id, row.id): row
        for row in await connection.execute(
            _PEOPLE,
            {"rows": as_rows({"tenant_id": k.tenant_id, "id": k.contact_id} for k, _, _ in wanted)},
        )
    }
    threads: dict[ThreadKey, Thread] = {}
    for row in found:
        key = ThreadKey(row.tenant_id, row.channel_id, row.contact_id)
        person = people[row.tenant_id, row.contact_id]
        threads[key] = Thread(
            key=key,
            id=row.id,
            state=row.state,
            handover_reason=row.handover_reason,
            human_over=bool(row.human_over),
            paused=row.paused,
            blocked=person.blocked,
            opted_out=person.opted_out,
            closed_told=person.closed_told,
        )
    return threads


@dataclass(frozen=True, slots=True)
class Ownership:
    """Who owns a conversation, read under its lock."""

    people_own: bool
    paused: bool
    taken_over: bool


async def lock(connection: AsyncConnection, tenant_id: UUID, conversation_id: UUID) -> Ownership:
    """Lock a conversation and tell who owns it; first in the order conversation → turn → wallet.

    Of one that is resolved the thread that goes on is locked as well, and its owner counts: a
    reply that is still on its way when contacts are merged comes to its end there.
    """
    key = {"tenant_id": tenant_id, "id": conversation_id}
    row = (await connection.execute(_LOCK, key)).one()
    if row.state == "resolved":
        row = (await connection.execute(_LOCK_NEXT, key)).one_or_none() or row
    return _ownership(row)


async def lock_free(
    connection: AsyncConnection, tenant_id: UUID, conversation_ids: Sequence[UUID]
) -> dict[UUID, Ownership]:
    """Lock those of many conversations that nobody else has, and tell who owns them.

    A single one is waited for. One that is resolved is left to be locked alone (``lock``).
    """
    if len(conversation_ids) == 1:
        return {conversation_ids[0]: await lock(connection, tenant_id, conversation_ids[0])}
    rows = await connection.execute(
        _LOCK_FREE, {"tenant_id": tenant_id, "ids": list(conversation_ids)}
    )
    return {row.id: _ownership(row) for row in rows if row.state != "resolved"}


def _ownership(row: Any) -> Ownership:
    people_own = owned_by_people(row.state, row.handover_reason, human_over=bool(row.human_over))
    taken_over = people_own and row.handover_reason == HandoverReason.HUMAN_TAKEOVER
    return Ownership(people_own, row.paused, taken_over)


async def hand_to_people(
    connection: AsyncConnection,
    tenant_id: UUID,
    conversation_id: UUID,
    reason: HandoverReason,
    *,
    summary: str | None = None,
    human_s: float | None = None,
) -> None:
    """Give a conversation to people; ``human_s`` bounds it in time (a takeover), None does not.

    The conversation is locked. One that people have taken over stays as they have it, unless
    the reason is their own word.
    """
    await connection.execute(
        _TO_PEOPLE,
        {
            "tenant_id": tenant_id,
            "id": conversation_id,
            "reason": reason.value,
            "summary": summary,
            "human_s": human_s,
            "by_person": reason is HandoverReason.HUMAN_TAKEOVER,
            "told_by_mail": reason not in _NOT_BY_MAIL,
            "quiet_s": LETTERS_APART_S,
        },
    )


async def return_to_assistant(
    connection: AsyncConnection, tenant_id: UUID, conversation_ids: Sequence[UUID]
) -> None:
    """Give conversations back to the assistant."""
    if conversation_ids:
        await connection.execute(
            _TO_ASSISTANT, {"tenant_id": tenant_id, "ids": list(conversation_ids)}
        )


async def note_closed_told(
    connection: AsyncConnection, told: Mapping[ThreadKey, tuple[UUID, datetime]]
) -> None:
    """Remember who was told that nobody is there, until when; the conversations are locked."""
    if told:
        rows = as_rows(
            {"tenant_id": key.tenant_id, "id": conversation_id, "until": until}
            for key, (conversation_id, until) in told.items()
        )
        await connection.execute(_CLOSED_TOLD, {"rows": rows})
