"""The audit trail as people read it: searched by who, what, about what and when; as CSV."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.db.engine import Database
from app.core.errors import RefusedError
from app.core.spreadsheet import csv_line

PAGE_MAX = 200
CSV_ROWS_MAX = 100_000
_WORD_CHARS_MAX = 200
COLUMNS = (
    "at",
    "actor_kind",
    "actor_id",
    "action",
    "subject",
    "before",
    "after",
    "reason",
    "address",
    "request_id",
)

# Keyset paging over (at, id): the page after a million rows costs what the first one does.
_SEARCH = text(
    """
    select id, at, actor_kind, actor_id, action, subject, before, after, reason, address,
           request_id
    from audit_log
    where tenant_id = :tenant_id
      and (cast(:actor as text) is null or actor_id = :actor or actor_kind = :actor)
      and (cast(:action as text) is null or starts_with(action, :action))
      and (cast(:subject as text) is null or subject = :subject)
      and (cast(:since as timestamptz) is null or at >= :since)
      and (cast(:until as timestamptz) is null or at < :until)
      and (cast(:after_id as uuid) is null or (at, id) < (
          select a.at, a.id from audit_log a where a.tenant_id = :tenant_id and a.id = :after_id))
    order by at desc, id desc limit :rows_max
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What to look for; None means all.

    Attributes:
        actor: a user's or key's id, or a kind such as ``admin``.
        action: an action or its beginning: ``member.`` finds all of the team.
        subject: what was changed.
        since: first moment (inclusive), with a zone.
        until: last moment (exclusive), with a zone.
    """

    actor: str | None = None
    action: str | None = None
    subject: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def __post_init__(self) -> None:
        for moment in (self.since, self.until):
            if moment is not None and moment.tzinfo is None:
                raise RefusedError("Give times with their zone, such as 2026-11-23T08:00:00Z.")
        for word in (self.actor, self.action, self.subject):
            if word is not None and (len(word) > _WORD_CHARS_MAX or "\0" in word):
                raise RefusedError(
                    "Search words have at most %(most)s characters.", most=_WORD_CHARS_MAX
                )


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the trail."""

    id: UUID
    at: datetime
    actor_kind: str
    actor_id: str | None
    action: str
    subject: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    reason: str | None
    address: str | None
    request_id: str | None


async def search(
    connection: AsyncConnection,
    tenant_id: UUID,
    wanted: Search,
    *,
    after_id: UUID | None = None,
    rows_max: int = 50,
) -> list[Entry]:
    """Return a page of entries, the newest first.

    Args:
        connection: the tenant's scope.
        tenant_id: whose trail.
        wanted: what to look for.
        after_id: the last entry of the page before.
        rows_max: at most 200.
    """
    found = await connection.execute(
        _SEARCH,
        {
            "tenant_id": tenant_id,
            "actor": wanted.actor,
            "action": wanted.action,
            "subject": wanted.subject,
            "since": wanted.since,
            "until": wanted.until,
            "after_id": after_id,
            "rows_max": min(rows_max, PAGE_MAX),
        },
    )
    return [Entry(**row) for row in found.mappings()]


async def as_csv(database: Database, tenant_id: UUID, wanted: Search) -> AsyncIterator[str]:
    """Yield the trail as CSV (RFC 4180), page by page: the header, then the newest first."""
    yield csv_line(COLUMNS)
    after_id, written = None, 0
    while written < CSV_ROWS_MAX:
        async with database.tenant(tenant_id) as connection:
            page = await search(connection, tenant_id, wanted, after_id=after_id, rows_max=PAGE_MAX)
        if not page:
            return
        yield "".join(csv_line(getattr(entry, c) for c in COLUMNS) for entry in page)
        after_id, written = page[-1].id, written + len(page)
