"""Campaigns: links and posters whose code, in a customer's first message, names the source.

A code stands in the text that WhatsApp puts before the customer: ``Hello! #K7QX4M``. Somebody
who changes it is a customer without a source, no more.
"""

import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core import ids
from app.core.db.engine import Database
from app.core.db.rows import as_rows
from app.core.errors import NotFoundError, RefusedError
from app.messaging.numbers.reading import number_of
from tenants.access import Permission
from tenants.businesses import actor_of
from tenants.devices import Device
from tenants.login_sessions import SignedIn
from tenants.service import record

CAMPAIGNS_MAX = 200
LABEL_CHARS_MAX = 60
GREETING_CHARS_MAX = 120
_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_CODE_CHARS = 6
_CODE_FORM = re.compile(rf"#([{_ALPHABET}]{{{_CODE_CHARS}}})(?![A-Za-z0-9])")
_SEARCHED_CHARS = 500

_COLUMNS = "id, channel_id, code, label, greeting, contacts, scans, last_scan_at, created_at"
_INSERT = text(
    """
    insert into channel_campaigns (tenant_id, id, channel_id, code, label, greeting)
    select :tenant_id, :id, :channel_id, :code, :label, :greeting
    where (select count(*) from channel_campaigns where tenant_id = :tenant_id) < :campaigns_max
    """
)
_LIST = text(
    f"""
    select {_COLUMNS} from channel_campaigns
    where tenant_id = :tenant_id and channel_id = :channel_id and archived_at is null
    order by created_at desc, id desc limit :rows_max
    """  # noqa: S608 - a list of columns of ours
)
_READ = text(
    f"""
    select {_COLUMNS} from channel_campaigns
    where tenant_id = :tenant_id and channel_id = :channel_id and id = :id
    """  # noqa: S608
)
_ARCHIVE = text(
    """
    update channel_campaigns set archived_at = coalesce(archived_at, now())
    where tenant_id = :tenant_id and channel_id = :channel_id and id = :id
    returning label
    """
)
# A contact made in this very transaction has written for the first time; whoever is known
# already came from elsewhere.
_NOTE = text(
    """
    with scans as (
        select * from jsonb_to_recordset(cast(:rows as jsonb))
            as r(tenant_id uuid, contact_id uuid, channel_id uuid, code text, n int)
    ), locked as materialized (
        select p.tenant_id, p.id, p.code, p.channel_id from channel_campaigns p
        where (p.tenant_id, p.channel_id, p.code) in (
            select r.tenant_id, r.channel_id, r.code from scans r)
        order by p.tenant_id, p.id for update
    ), told as (
        select distinct on (r.tenant_id, r.contact_id) r.tenant_id, r.contact_id,
               p.id as campaign_id
        from scans r join locked p on p.tenant_id = r.tenant_id and p.code = r.code
         and p.channel_id = r.channel_id
        order by r.tenant_id, r.contact_id, r.n
    ), sourced as (
        update contacts c set campaign_id = told.campaign_id from told
        where c.tenant_id = told.tenant_id and c.id = told.contact_id
          and c.campaign_id is null and c.created_at = now()
        returning c.tenant_id, c.campaign_id
    ), counted as (
        select t.tenant_id, t.campaign_id, count(*) as scans,
               (select count(*) from sourced s where s.tenant_id = t.tenant_id
                  and s.campaign_id = t.campaign_id) as contacts
        from told t group by t.tenant_id, t.campaign_id
    )
    update channel_campaigns p
    set scans = p.scans + counted.scans, contacts = p.contacts + counted.contacts,
        last_scan_at = now()
    from counted where p.tenant_id = counted.tenant_id and p.id = counted.campaign_id
    """
)


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign of a number, and what it brought."""

    id: UUID
    channel_id: UUID
    code: str
    label: str
    greeting: str
    contacts: int
    scans: int
    last_scan_at: datetime | None
    created_at: datetime

    @property
    def message(self) -> str:
        """What WhatsApp puts before the customer to send."""
        return f"{self.greeting} #{self.code}"

    def link(self, own_address: str) -> str:
        """Return the link that opens a chat with the number, the message written already."""
        digits = own_address.partition("@")[0]
        return f"https://wa.me/{digits}?text={quote(self.message)}"


@dataclass(frozen=True, slots=True)
class Scan:
    """A customer's message that may carry a code."""

    tenant_id: UUID
    contact_id: UUID
    channel_id: UUID
    body: str | None


class Campaigns:
    """What the pages do with the posters and links of numbers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, person: SignedIn, channel_id: UUID) -> list[Campaign]:
        """Return a number's campaigns, the newest first."""
        tenant_id = person.business(Permission.READ_REPORTS)
        values = {"tenant_id": tenant_id, "channel_id": channel_id, "rows_max": CAMPAIGNS_MAX}
        async with self._database.tenant(tenant_id) as connection:
            found = await connection.execute(_LIST, values)
            return [Campaign(**row) for row in found.mappings()]

    async def read(self, person: SignedIn, channel_id: UUID, campaign_id: UUID) -> Campaign:
        """Return one campaign; NotFoundError when the number has none of this id."""
        tenant_id = person.business(Permission.READ_REPORTS)
        values = {"tenant_id": tenant_id, "channel_id": channel_id, "id": campaign_id}
        async with self._database.tenant(tenant_id) as connection:
            row = (await connection.execute(_READ, values)).mappings().one_or_none()
        if row is None:
            raise NotFoundError("There is no such poster.")
        return Campaign(**row)

    async def create(
        self, person: SignedIn, channel_id: UUID, *, label: str, greeting: str, device: Device
    ) -> UUID:
        """Make a campaign; RefusedError for a form that cannot be accepted."""
        tenant_id = person.business(Permission.EDIT_ASSISTANT)
        label, greeting = " ".join(label.split()), " ".join(greeting.split())
        campaign_id = ids.uuid7()
        values = {
            "tenant_id": tenant_id,
            "id": campaign_id,
            "channel_id": channel_id,
            "code": "".join(secrets.choice(_ALPHABET) for _ in range(_CODE_CHARS)),
            "label": label,
            "greeting": greeting,
            "campaigns_max": CAMPAIGNS_MAX,
        }
        async with self._database.tenant(tenant_id) as connection:
            await number_of(connection, tenant_id, channel_id)
            _require_words(label, greeting)
            if not (await connection.execute(_INSERT, values)).rowcount:
                raise RefusedError("A business has at most 200 posters.")
            await record(
                connection,
                tenant_id,
                actor_of(person, device),
                action="channel.add_poster",
                subject=str(channel_id),
                after={"name": label},
            )
        return campaign_id

    async def archive(
        self, person: SignedIn, channel_id: UUID, campaign_id: UUID, device: Device
    ) -> None:
        """Take a campaign off the list; its printed codes go on counting."""
        tenant_id = person.business(Permission.EDIT_ASSISTANT)
        values = {"tenant_id": tenant_id, "channel_id": channel_id, "id": campaign_id}
        async with self._database.tenant(tenant_id) as connection:
            label = await connection.scalar(_ARCHIVE, values)
            if label is None:
                raise NotFoundError("There is no such poster.")
            await record(
                connection,
                tenant_id,
                actor_of(person, device),
                action="channel.archive_poster",
                subject=str(channel_id),
                before={"name": label},
            )


def _require_words(label: str, greeting: str) -> None:
    if not 0 < len(label) <= LABEL_CHARS_MAX:
        raise RefusedError("Give the poster a name of at most 60 characters.")
    if not 0 < len(greeting) <= GREETING_CHARS_MAX:
        raise RefusedError("The greeting has 1 to 120 characters.")


async def note_scans(connection: AsyncConnection, messages: Iterable[Scan]) -> None:
    """Record the source of customers whose first message carries a code, and count it."""
    rows = [
        {
            "tenant_id": message.tenant_id,
            "contact_id": message.contact_id,
            "channel_id": message.channel_id,
            "code": found[1],
            "n": number,
        }
        for number, message in enumerate(messages)
        if message.body and (found := _CODE_FORM.search(message.body[:_SEARCHED_CHARS]))
    ]
    if rows:
        await connection.execute(_NOTE, {"rows": as_rows(rows)})
