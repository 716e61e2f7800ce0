"""What the law gives customers: an export of what we hold of them, and its erasure.

Erasing takes everything that carries the person's name, number or words: addresses, messages,
the texts in turns and conversations, and raw events of the inbox. What stays are empty shells
that the ledger's charges refer to, and the inbox's keys, which are hashes that keep an old
event from coming back to life.
"""

import logging
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.errors import ConflictError, NotFoundError
from app.messaging import erasure
from tenants import phone_codes, service
from tenants.service import Actor

log = logging.getLogger(__name__)

_BATCH = 10_000
_MARK_CHARS = 7

# One person: the contact, and every contact that was merged into it on the way.
_CONTACTS = text(
    """
    with recursive person as (
        select id from contacts
        where tenant_id = :tenant_id and id = :contact_id and erased_at is null
        union
        select c.id from contacts c join person p on c.tenant_id = :tenant_id
            and c.merged_into = p.id
    )
    select id from person
    """
)
_CONVERSATIONS = text(
    """
    select id from conversations
    where tenant_id = :tenant_id and contact_id = any(:contacts) order by id for update
    """
)
_AT_WORK = text(
    """
    select 1 from turns where tenant_id = :tenant_id and conversation_id = any(:conversations)
      and state in ('claimed', 'held', 'generated', 'sending') and lease_until > now() limit 1
    """
)
# What the person's raw events can be found by: numbers without their server part, message ids.
_MARKS = text(
    """
    select split_part(address, '@', 1) from contact_addresses
    where tenant_id = :tenant_id and contact_id = any(:contacts)
    union select split_part(address, '@', 1) from conversations
    where tenant_id = :tenant_id and id = any(:conversations)
    union select wa_id from messages
    where tenant_id = :tenant_id and conversation_id = any(:conversations)
      and length(wa_id) >= 8
    """
)
_PHONES = text(
    """
    select split_part(address, '@', 1) from contact_addresses
    where tenant_id = :tenant_id and contact_id = any(:contacts) and kind = 'phone'
    """
)
_EVENTS = text(
    """
    with gone as (
        delete from inbox i where i.tenant_id = :tenant_id and exists (
            select 1 from unnest(cast(:marks as text[])) m
            where position(convert_to(m, 'UTF8') in i.body) > 0)
        returning i.id
    ), done as (
        update inbox_keys k set pending = false, outcome = coalesce(k.outcome, 'erased')
        from gone g where k.tenant_id = :tenant_id and k.inbox_id = g.id
        returning 1
    )
    select count(*) from gone
    """
)
_EXPORT = {
    "contacts": text(
        "select id, name, push_name, notes, opted_out_at, blocked_at, imported_at, created_at"
        " from contacts"
        " where tenant_id = :tenant_id and id = any(:contacts) order by created_at"
    ),
    "addresses": text(
        "select kind, address, created_at from contact_addresses"
        " where tenant_id = :tenant_id and contact_id = any(:contacts) order by created_at"
    ),
    "tags": text(
        "select tag, created_at from contact_tags"
        " where tenant_id = :tenant_id and contact_id = any(:contacts) order by tag"
    ),
    "remembered": text(
        "select key, value, updated_at from contact_facts"
        " where tenant_id = :tenant_id and contact_id = any(:contacts) order by key"
    ),
    "notes": text(
        "select body, created_at from conversation_notes"
        " where tenant_id = :tenant_id and conversation_id = any(:conversations)"
        " order by created_at"
    ),
    "conversations": text(
        "select id, state, handover_reason, handover_summary, created_at, resolved_at"
        " from conversations where tenant_id = :tenant_id and id = any(:conversations)"
        " order by created_at"
    ),
    "messages": text(
        "select m.conversation_id, m.direction, m.author, m.kind, m.body as text, m.media,"
        " m.sent_at, m.edited_at, m.revoked_at, m.disposition, f.name as file_name,"
        " f.content_type as file_type, f.size_bytes as file_bytes, f.reading as file_text"
        " from messages m left join message_media f"
        " on f.tenant_id = m.tenant_id and f.message_id = m.id"
        " where m.tenant_id = :tenant_id and m.conversation_id = any(:conversations)"
        " order by m.sent_at, m.id"
    ),
}
# Tenant by tenant through the indexes by time: the planner cannot know how little is older than
# each tenant's retention, and would rather read every row there is, once a minute.
_BY_INDEX = text("select set_config('enable_seqscan', 'off', true)")
# What was said leaves with its tenant's retention; messages once nothing is left to decide.
_OLD_MESSAGES = text(
    """
    with old as (
        select o.tenant_id, o.id from tenants t cross join lateral (
            select m.tenant_id, m.id from messages m
            where m.tenant_id = t.id
              and m.sent_at < now() - make_interval(days => t.retention_days)
              and (m.direction = 'out' or m.disposition is not null)
              and not exists (
                  select 1 from turns u where u.tenant_id = m.tenant_id and u.id = m.turn_id
                    and u.finished_at is null)
              and not exists (
                  select 1 from send_parts p join sends s on s.tenant_id = p.tenant_id
                    and s.id = p.send_id
                  where s.tenant_id = m.tenant_id and s.turn_id = m.turn_id
                    and p.state in ('queued', 'sending', 'unknown'))
            order by m.sent_at limit :batch_max) o
        limit :batch_max
    )
    delete from messages m using old o where m.tenant_id = o.tenant_id and m.id = o.id
    """
)
_OLD_WORDS = tuple(
    text(statement)
    for statement in (
        """
        update turns u set result = null from tenants t
        where t.id = u.tenant_id and u.result is not null
          and u.finished_at < now() - make_interval(days => t.retention_days)
        """,
        """
        update conversations c set handover_summary = null from tenants t
        where t.id = c.tenant_id and c.handover_summary is not null
          and c.last_message_at < now() - make_interval(days => t.retention_days)
        """,
        """
        delete from turn_traces r using tenants t
        where t.id = r.tenant_id
          and r.created_at < now() - make_interval(days => t.retention_days)
        """,
        """
        delete from conversation_summaries s using tenants t, conversations c
        where t.id = s.tenant_id and c.tenant_id = s.tenant_id and c.id = s.conversation_id
          and c.last_message_at < now() - make_interval(days => t.retention_days)
        """,
        """
        delete from conversation_notes n using tenants t, conversations c
        where t.id = n.tenant_id and c.tenant_id = n.tenant_id and c.id = n.conversation_id
          and c.last_message_at < now() - make_interval(days => t.retention_days)
        """,
    )
)


@dataclass(frozen=True, slots=True)
class _Person:
    contacts: list[UUID]
    conversations: list[UUID]

    def key(self, tenant_id: UUID) -> dict[str, Any]:
        return {
            "tenant_id": tenant_id,
            "contacts": self.contacts,
            "conversations": self.conversations,
        }


async def export_contact(
    connection: AsyncConnection, tenant_id: UUID, contact_id: UUID, actor: Actor
) -> dict[str, list[dict[str, Any]]]:
    """Return all that is held of a contact: contacts, addresses, conversations, messages.

    Args:
        connection: the tenant's scope.
        tenant_id: the business.
        contact_id: the contact; NotFoundError when it is unknown or foreign.
        actor: who asked, for the audit trail.
    """
    person = await _find(connection, tenant_id, contact_id)
    answer: dict[str, list[dict[str, Any]]] = {}
    for name, query in _EXPORT.items():
        rows = await connection.execute(query, person.key(tenant_id))
        answer[name] = [dict(row) for row in rows.mappings()]
    await service.record(
        connection, tenant_id, actor, action="contact.export", subject=str(contact_id)
    )
    return answer


async def erase_contact(
    connection: AsyncConnection,
    tenant_id: UUID,
    contact_id: UUID,
    actor: Actor,
    *,
    secret_key: str,
) -> dict[str, int]:
    """Erase a contact for good; return how many rows were deleted or emptied, by table.

    Holds of replies that were under way are released by the scheduler's next look.

    Args:
        connection: the tenant's scope.
        tenant_id: the business.
        contact_id: the contact; NotFoundError when it is unknown or foreign.
        actor: who erases, for the audit trail, which keeps the contact's id alone.
        secret_key: the key that hashes phones of one-time codes.

    Raises:
        ConflictError: a reply to this contact is being written at this moment.
    """
    person = await _find(connection, tenant_id, contact_id)
    key = person.key(tenant_id)
    if await connection.scalar(_AT_WORK, key):
        raise ConflictError("A reply to this contact is being written. Try again in a minute.")
    marks = [_mark(m) for m in (await connection.execute(_MARKS, key)).scalars() if m]
    phones = list((await connection.execute(_PHONES, key)).scalars())
    counts = {
        "inbox": int(
            await connection.scalar(_EVENTS, {"tenant_id": tenant_id, "marks": marks}) or 0
        )
    }
    await phone_codes.forget(connection, tenant_id, phones, secret_key=secret_key)
    for table, statement in erasure.ERASED.items():
        done = await connection.execute(text(statement), {**key, "phones": phones})
        counts[table] = done.rowcount
    await service.record(
        connection,
        tenant_id,
        actor,
        action="contact.erase",
        subject=str(contact_id),
        after={name: count for name, count in counts.items() if count},
    )
    return counts


def _mark(user: str) -> str:
    """Return what a raw event is found by; few digits would be found in every timestamp."""
    return user if len(user) >= _MARK_CHARS else f'"{user}@'


async def enforce_retention(connection: AsyncConnection) -> int:
    """Delete what is older than its tenant's retention, a batch at a time; return how many rows."""
    await connection.execute(_BY_INDEX)
    deleted = await connection.execute(_OLD_MESSAGES, {"batch_max": _BATCH})
    cleared = [(await connection.execute(statement)).rowcount for statement in _OLD_WORDS]
    return deleted.rowcount + sum(cleared)


async def _find(connection: AsyncConnection, tenant_id: UUID, contact_id: UUID) -> _Person:
    ids = {"tenant_id": tenant_id, "contact_id": contact_id}
    contacts = list((await connection.execute(_CONTACTS, ids)).scalars())
    if not contacts:
        raise NotFoundError("There is no such contact.")
    found = await connection.execute(_CONVERSATIONS, {"tenant_id": tenant_id, "contacts": contacts})
    return _Person(contacts, list(found.scalars()))
