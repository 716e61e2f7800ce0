"""The platform's own trail: what admins and operators did, on accounts and in businesses.

Two append-only tables read as one: ``account_log`` (accounts, prices, plans, the deny list) and
the entries of admins and operators in businesses' ``audit_log``. People's own sign-ins are left
out: they are the person's to read.
"""

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.db.engine import Database
from app.core.spreadsheet import csv_line
from tenants.audit import COLUMNS, CSV_ROWS_MAX, PAGE_MAX, Entry, Search

_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_WANTED = """
  and (cast(:actor as text) is null or l.actor_id = :actor)
  and (cast(:action as text) is null or starts_with(l.action, :action))
  and (cast(:since as timestamptz) is null or l.at >= :since)
  and (cast(:until as timestamptz) is null or l.at < :until)
  and (cast(:before_at as timestamptz) is null or (l.at, l.id) < (:before_at, :before_id))
  order by l.at desc, l.id desc limit :rows_max
"""
_COLUMNS = """l.id, l.at, l.actor_kind, l.actor_id, l.action, l.subject, l.before, l.after,
       l.reason, l.address, l.request_id"""
_SEARCH: Final = text(f"""
(select {_COLUMNS}, null::uuid as tenant_id, null as business
 from account_log l where l.actor_kind in ('admin', 'operator', 'system') {_WANTED})
union all
(select {_COLUMNS}, l.tenant_id, t.name
 from audit_log l join tenants t on t.id = l.tenant_id
 where l.actor_kind in ('admin', 'operator') {_WANTED})
order by at desc, id desc limit :rows_max
""")  # noqa: S608 - our own parts
_ADMINS: Final = text("""
select u.id, u.name, u.email, u.disabled_at is not null as disabled, u.created_at,
       u.totp_confirmed_at is not null
           or exists (select 1 from passkeys k where k.user_id = u.id) as second_factor,
       (select max(s.used_at) from login_sessions s where s.user_id = u.id) as used_at
from users u where u.admin order by lower(u.name), u.id limit 200
""")
_BY_EMAIL: Final = text("select id from users where email = :email")
_NAMES: Final = text("select id, name from users where id = any(:ids)")


@dataclass(frozen=True, slots=True)
class PlatformEntry(Entry):
    """One line: as in a business's trail, with the business where there is one."""

    tenant_id: UUID | None
    business: str | None


@dataclass(frozen=True, slots=True)
class AdminAccount:
    """A platform admin's account; without a second factor it has no rights yet."""

    id: UUID
    name: str
    email: str
    disabled: bool
    created_at: datetime
    second_factor: bool
    used_at: datetime | None


async def search(
    connection: AsyncConnection,
    wanted: Search,
    *,
    before: tuple[datetime, UUID] | None = None,
    rows_max: int = 50,
) -> list[PlatformEntry]:
    """Return a page of entries, the newest first (system scope).

    ``before`` is time and id of the last entry of the page before; the subject is not searched.
    """
    rows = await connection.execute(
        _SEARCH,
        {
            "actor": wanted.actor,
            "action": wanted.action,
            "since": wanted.since,
            "until": wanted.until,
            "before_at": before[0] if before else None,
            "before_id": before[1] if before else None,
            "rows_max": min(rows_max, PAGE_MAX),
        },
    )
    return [PlatformEntry(*row) for row in rows]


async def as_csv(database: Database, wanted: Search) -> AsyncIterator[str]:
    """Yield the trail as CSV (RFC 4180): the header, then the newest first."""
    columns = (*COLUMNS, "business")
    yield csv_line(columns)
    before, written = None, 0
    while written < CSV_ROWS_MAX:
        async with database.system() as connection:
            page = await search(connection, wanted, before=before, rows_max=PAGE_MAX)
        if not page:
            return
        yield "".join(csv_line(getattr(entry, c) for c in columns) for entry in page)
        before, written = (page[-1].at, page[-1].id), written + len(page)


async def admins(connection: AsyncConnection) -> list[AdminAccount]:
    """Return the platform's admins, by name (system scope)."""
    return [AdminAccount(*row) for row in await connection.execute(_ADMINS)]


async def account_of(connection: AsyncConnection, email: str) -> UUID | None:
    """Return whose account an address is (system scope); None when it is nobody's."""
    found: UUID | None = await connection.scalar(_BY_EMAIL, {"email": email.strip().lower()})
    return found


async def people(connection: AsyncConnection, authors: Sequence[str | None]) -> dict[str, str]:
    """Return the names behind ``admin:<id>``, ``user:<id>`` or plain ids (system scope).

    What is no account of ours (an operator's login, a process) is left out.
    """
    ids = {UUID(id_) for author in authors if author and _ID.fullmatch(id_ := _id_of(author))}
    if not ids:
        return {}
    rows = await connection.execute(_NAMES, {"ids": list(ids)})
    return {str(row.id): row.name for row in rows}


def _id_of(author: str) -> str:
    return author.rpartition(":")[2]
