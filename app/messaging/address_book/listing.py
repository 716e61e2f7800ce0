"""The list of contacts: searched by name or phone, narrowed by tag or state, page by page.

The newest stand first. A page costs what the rows on it cost, except a search by name, which
reads the business's contacts until the page is full.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.errors import RefusedError
from app.messaging.address_book import phones

PAGE_ROWS = 50
PAGE_ROWS_MAX = 500
WORDS_CHARS_MAX = 100
TAGS_SHOWN_MAX = 100
TAGGED_MAX = 1_000
"""Above this many contacts a tag's number is not counted any further."""

_STATES = {
    "": "",
    "blocked": "and c.blocked_at is not null",
    "opted_out": "and c.opted_out_at is not null",
    "imported": "and c.imported_at is not null",
}
_BY_NAME = "and (c.name ilike :words or c.push_name ilike :words)"
_BY_PHONE = """
    and c.id in (
        select a.contact_id
        from unnest(cast(:lows as text[]), cast(:highs as text[])) as r(low, high)
        join contact_addresses a on a.tenant_id = :tenant_id
            and a.address >= r.low and a.address < r.high)
"""
_BY_TAG = """
    and exists (select 1 from contact_tags t
                where t.tenant_id = c.tenant_id and t.contact_id = c.id and t.tag = :tag)
"""
_PAGE = """
    with found as (
        select c.* from contacts c
        where c.tenant_id = :tenant_id and c.merged_into is null and c.erased_at is null
          and (cast(:before as uuid) is null or c.id < :before) {narrowed}
        order by c.id desc limit :rows_max
    )
    select f.id, f.name, f.push_name, f.notes, f.created_at, f.imported_at,
           f.blocked_at is not null as blocked, f.opted_out_at is not null as opted_out,
           p.phone, coalesce(t.tags, '{{}}') as tags, s.seen_at
    from found f
    left join lateral (
        select split_part(a.address, '@', 1) as phone from contact_addresses a
        where a.tenant_id = f.tenant_id and a.contact_id = f.id and a.kind = 'phone'
        order by a.created_at, a.id limit 1) p on true
    left join lateral (
        select array_agg(g.tag order by g.tag) as tags from contact_tags g
        where g.tenant_id = f.tenant_id and g.contact_id = f.id) t on true
    left join lateral (
        select max(v.last_message_at) as seen_at from conversations v
        where v.tenant_id = f.tenant_id and v.contact_id = f.id) s on true
    order by f.id desc
"""
# From tag to tag along the index, and not further into one than its number is told.
_TAGS = text(
    """
    with recursive named(tag) as (
        (select tag from contact_tags where tenant_id = :tenant_id order by tag limit 1)
        union all
        select (select n.tag from contact_tags n
                where n.tenant_id = :tenant_id and n.tag > p.tag order by n.tag limit 1)
        from named p where p.tag is not null
    ), shown as (select tag from named where tag is not null limit :rows_max)
    select s.tag, (select count(*) from (
        select 1 from contact_tags c where c.tenant_id = :tenant_id and c.tag = s.tag
        limit :count_max) x) as contacts
    from shown s order by contacts desc, s.tag
    """
)


_COUNTRY = text("select country from tenants where id = :tenant_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to list; empty means all. ``state`` is ``blocked``, ``opted_out`` or ``imported``."""

    words: str = ""
    tag: str = ""
    state: str = ""

    def __post_init__(self) -> None:
        if self.state not in _STATES:
            raise RefusedError("Choose one of the lists that are offered.")
        if len(self.words) > WORDS_CHARS_MAX or "\0" in self.words + self.tag:
            raise RefusedError("Search words have at most 100 characters.")


@dataclass(frozen=True, slots=True)
class ContactLine:
    """A line of the list. ``phone`` is digits with the country code."""

    id: UUID
    name: str | None
    push_name: str | None
    notes: str | None
    created_at: datetime
    imported_at: datetime | None
    blocked: bool
    opted_out: bool
    phone: str | None
    tags: list[str]
    seen_at: datetime | None

    @property
    def title(self) -> str:
        """What to call the contact; empty when nothing is known of them."""
        return self.name or self.push_name or (phones.shown(self.phone) if self.phone else "")

    @property
    def phone_shown(self) -> str:
        """The number as people read it; empty when WhatsApp hides it."""
        return phones.shown(self.phone) if self.phone else ""


async def page(
    connection: AsyncConnection,
    tenant_id: UUID,
    wanted: Wanted,
    *,
    country: str | None = None,
    before: UUID | None = None,
    rows_max: int = PAGE_ROWS,
) -> list[ContactLine]:
    """Return a page of contacts, the newest first.

    Args:
        connection: the business's scope.
        tenant_id: the business.
        wanted: what to look for.
        country: where typed numbers without a country code are from.
        before: the last contact of the page before.
        rows_max: at most 500.
    """
    narrowed, values = _narrowed(wanted, country)
    values |= {
        "tenant_id": tenant_id,
        "before": before,
        "rows_max": min(rows_max, PAGE_ROWS_MAX),
    }
    found = await connection.execute(text(_PAGE.format(narrowed=narrowed)), values)
    return [ContactLine(**row) for row in found.mappings()]


async def country_of(connection: AsyncConnection, tenant_id: UUID) -> str | None:
    """Return where a business's numbers without a country code are from, as two letters."""
    country: str | None = await connection.scalar(_COUNTRY, {"tenant_id": tenant_id})
    return country


async def tags(connection: AsyncConnection, tenant_id: UUID) -> list[tuple[str, int]]:
    """Return the business's tags and how many contacts carry each, the most used first.

    A number above ``TAGGED_MAX`` says that there are more than that.
    """
    values = {"tenant_id": tenant_id, "rows_max": TAGS_SHOWN_MAX, "count_max": TAGGED_MAX + 1}
    return [(row.tag, row.contacts) for row in await connection.execute(_TAGS, values)]


def _narrowed(wanted: Wanted, country: str | None) -> tuple[str, dict[str, Any]]:
    """Return fixed conditions for what is asked, and their values."""
    parts, values = [_STATES[wanted.state]], dict[str, Any]()
    words = wanted.words.strip()
    if between := phones.ranges(words, country):
        parts.append(_BY_PHONE)
        values |= {"lows": [low for low, _ in between], "highs": [high for _, high in between]}
    elif words:
        parts.append(_BY_NAME)
        escaped = words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        values["words"] = f"%{escaped}%"
    if wanted.tag:
        parts.append(_BY_TAG)
        values["tag"] = wanted.tag
    return " ".join(parts), values
