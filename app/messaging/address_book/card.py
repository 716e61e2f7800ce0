"""One contact: what is known of them, what people may change, blocking, opting out, merging."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.config import Timings
from app.core.errors import ConflictError, NotFoundError, RefusedError
from app.core.text import storable
from app.messaging import contact_merge
from app.messaging.address_book import phones
from app.messaging.desk.viewers import VISIBLE, Viewer
from app.messaging.turns.ending import close_holds
from tenants import service
from tenants.service import Actor

NAME_CHARS_MAX = 100
NOTES_CHARS_MAX = 4_000
TAG_CHARS_MAX = 40
TAGS_MAX = 20
CONVERSATIONS_SHOWN = 20

# Whoever was merged into somebody else is that somebody, however long the chain.
_READ = text(
    """
    with recursive chain as (
        select id, merged_into, 1 as depth from contacts
        where tenant_id = :tenant_id and id = :contact_id
        union all
        select c.id, c.merged_into, depth + 1 from contacts c join chain h on c.id = h.merged_into
        where c.tenant_id = :tenant_id and depth < 20
    )
    select c.id, c.name, c.push_name, c.notes, c.created_at, c.imported_at, c.blocked_at,
           c.opted_out_at,
           (select g.label from channel_campaigns g
            where g.tenant_id = c.tenant_id and g.id = c.campaign_id) as campaign,
           coalesce(
               (select array_agg(t.tag order by t.tag) from contact_tags t
                where t.tenant_id = c.tenant_id and t.contact_id = c.id), '{}') as tags
    from contacts c join chain h on h.id = c.id
    where c.tenant_id = :tenant_id and c.merged_into is null and c.erased_at is null
    """
)
_ADDRESSES = text(
    """
    select kind, split_part(address, '@', 1) as digits, created_at from contact_addresses
    where tenant_id = :tenant_id and contact_id = :contact_id order by kind desc, created_at
    limit 20
    """
)
_CONVERSATIONS = text(
    f"""
    select c.id, c.state, c.last_message_at, h.name as channel
    from conversations c
    join channels h on h.tenant_id = c.tenant_id and h.id = c.channel_id
    where c.tenant_id = :tenant_id and c.contact_id = :contact_id and {VISIBLE}
    order by c.last_message_at desc limit :rows_max
    """  # noqa: S608
)
_LOCK = text(
    """
    select name, notes, blocked_at, opted_out_at from contacts
    where tenant_id = :tenant_id and id = :contact_id and merged_into is null
      and erased_at is null
    for update
    """
)
_OWN_TAGS = text(
    "select tag from contact_tags where tenant_id = :tenant_id and contact_id = :contact_id"
)
_CHANGE = text(
    "update contacts set name = :name, notes = :notes"
    " where tenant_id = :tenant_id and id = :contact_id"
)
_DROP_TAGS = text(
    "delete from contact_tags where tenant_id = :tenant_id and contact_id = :contact_id"
    " and tag <> all(cast(:tags as text[]))"
)
_ADD_TAGS = text(
    """
    insert into contact_tags (tenant_id, contact_id, tag)
    select :tenant_id, :contact_id, tag from unnest(cast(:tags as text[])) as t(tag)
    on conflict do nothing
    """
)
_MARK = text(
    """
    update contacts set
        blocked_at = case when :what = 'block' then case when :on then now() end
                          else blocked_at end,
        opted_out_at = case when :what = 'opt_out' then case when :on then now() end
                            else opted_out_at end
    where tenant_id = :tenant_id and id = :contact_id
    """
)


@dataclass(frozen=True, slots=True)
class Thread:
    """A conversation of the contact."""

    id: UUID
    state: str
    last_message_at: datetime
    channel: str


@dataclass(frozen=True, slots=True)
class Address:
    """An address of the contact: ``phone`` or ``lid`` (WhatsApp hides the number)."""

    kind: str
    digits: str
    created_at: datetime

    @property
    def shown(self) -> str:
        """The number as people read it; a hidden one has none."""
        return phones.shown(self.digits) if self.kind == "phone" else ""


@dataclass(frozen=True, slots=True)
class ContactCard:
    """All of one contact but their messages."""

    id: UUID
    name: str | None
    push_name: str | None
    notes: str | None
    created_at: datetime
    imported_at: datetime | None
    blocked_at: datetime | None
    opted_out_at: datetime | None
    campaign: str | None
    tags: list[str]
    addresses: list[Address]
    threads: list[Thread]

    @property
    def title(self) -> str:
        """What to call the contact; empty when nothing is known of them."""
        known = self.name or self.push_name
        return known or next((a.shown for a in self.addresses if a.shown), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactForm:
    """What people write about a contact. ``tags`` is a list parted by commas."""

    name: str
    notes: str
    tags: str


async def read(connection: AsyncConnection, looker: Viewer, contact_id: UUID) -> ContactCard:
    """Return a contact, with those conversations that the person sees.

    NotFoundError when it is unknown, foreign or erased. The id of somebody who was merged away
    gives the one they became.
    """
    key: dict[str, Any] = {"tenant_id": looker.tenant_id, "contact_id": contact_id}
    row = (await connection.execute(_READ, key)).mappings().one_or_none()
    if row is None:
        raise NotFoundError("There is no such contact.")
    key["contact_id"] = row["id"]
    addresses = await connection.execute(_ADDRESSES, key)
    values = {**looker.scope, **key, "rows_max": CONVERSATIONS_SHOWN}
    threads = await connection.execute(_CONVERSATIONS, values)
    return ContactCard(
        **row,
        addresses=[Address(**a) for a in addresses.mappings()],
        threads=[Thread(**t) for t in threads.mappings()],
    )


async def change(
    connection: AsyncConnection,
    tenant_id: UUID,
    contact_id: UUID,
    form: ContactForm,
    actor: Actor,
) -> None:
    """Change name, notes and tags.

    The audit trail keeps which of them changed, not their words: it outlives the contact.

    Raises:
        RefusedError: something is too long; says what.
        NotFoundError: the contact is unknown, foreign or erased.
    """
    key: dict[str, Any] = {"tenant_id": tenant_id, "contact_id": contact_id}
    name, notes, tags = (
        normalise_name(form.name),
        normalise_notes(form.notes),
        split_tags(form.tags),
    )
    row = await _lock(connection, tenant_id, contact_id)
    before = set((await connection.execute(_OWN_TAGS, key)).scalars())
    await connection.execute(_CHANGE, key | {"name": name, "notes": notes})
    await connection.execute(_DROP_TAGS, key | {"tags": tags})
    await connection.execute(_ADD_TAGS, key | {"tags": tags})
    changed = [
        field
        for field, differs in (
            ("name", row.name != name),
            ("notes", row.notes != notes),
            ("tags", before != set(tags)),
        )
        if differs
    ]
    if changed:
        await service.record(
            connection,
            tenant_id,
            actor,
            action="contact.change",
            subject=str(contact_id),
            after={"changed": changed},
        )


async def mark(
    connection: AsyncConnection,
    tenant_id: UUID,
    contact_id: UUID,
    what: str,
    actor: Actor,
    *,
    on: bool,
) -> None:
    """Block a contact or note that they opted out, or take that back; twice is as once.

    Args:
        connection: the business's scope.
        tenant_id: the business.
        contact_id: the contact; NotFoundError when it is unknown or foreign.
        what: ``block`` or ``opt_out``.
        actor: who says so.
        on: whether it holds from now on.
    """
    row = await _lock(connection, tenant_id, contact_id)
    held = (row.blocked_at if what == "block" else row.opted_out_at) is not None
    if held == on:
        return
    key = {"tenant_id": tenant_id, "contact_id": contact_id}
    await connection.execute(_MARK, {**key, "what": what, "on": on})
    action = f"contact.{what}" if on else f"contact.undo_{what}"
    await service.record(connection, tenant_id, actor, action=action, subject=str(contact_id))


async def merge(
    connection: AsyncConnection,
    tenant_id: UUID,
    *,
    kept: UUID,
    gone: UUID,
    actor: Actor,
    timings: Timings,
) -> None:
    """Make two contacts one; what was ``gone``'s becomes ``kept``'s. There is no way back.

    Raises:
        ConflictError: they are one already.
        NotFoundError: one of them is unknown, foreign or erased.
    """
    if kept == gone:
        raise ConflictError("Choose another contact: this is the same one.")
    await contact_merge.lock(connection, tenant_id)
    for contact_id in sorted((kept, gone)):
        await _lock(connection, tenant_id, contact_id)
    freed = await contact_merge.merge(connection, tenant_id, kept=kept, gone=gone, timings=timings)
    await service.record(
        connection,
        tenant_id,
        actor,
        action="contact.merge",
        subject=str(kept),
        after={"merged": str(gone)},
    )
    await close_holds(connection, freed)


def normalise_name(raw: str) -> str | None:
    """Return a contact's name on one line, None for an empty one; RefusedError when too long."""
    name = " ".join(storable(raw).split())
    if len(name) > NAME_CHARS_MAX:
        raise RefusedError("The name has at most 100 characters.")
    return name or None


def split_tags(raw: str) -> list[str]:
    """Return tags parted by commas, in small letters, each once; RefusedError for too many."""
    found = dict.fromkeys(" ".join(part.split()).lower() for part in storable(raw).split(","))
    tags = [tag for tag in found if tag]
    if len(tags) > TAGS_MAX or any(len(tag) > TAG_CHARS_MAX for tag in tags):
        raise RefusedError("A contact has at most 20 tags of at most 40 characters.")
    return tags


def normalise_notes(raw: str) -> str | None:
    """Return notes without blanks around them, None for none; RefusedError when too long."""
    notes = storable(raw).strip()
    if len(notes) > NOTES_CHARS_MAX:
        raise RefusedError("The notes have at most 4,000 characters.")
    return notes or None


async def _lock(connection: AsyncConnection, tenant_id: UUID, contact_id: UUID) -> Any:
    key = {"tenant_id": tenant_id, "contact_id": contact_id}
    row = (await connection.execute(_LOCK, key)).one_or_none()
    if row is None:
        raise NotFoundError("There is no such contact.")
    return row
