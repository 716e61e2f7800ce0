"""Businesses as platform admins see them: found, listed, looked at; no message and no secret."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.errors import NotFoundError, RefusedError

ROWS_MAX = 50
SEARCH_CHARS_MAX = 100
STATUSES = ("active", "suspended", "closing", "closed")

_COLUMNS = """
select t.id, t.name, t.slug, t.status, t.status_reason, t.country, t.locale, t.time_zone,
       t.billing_email, t.created_at, t.erase_due_at, t.plan_code, p.name as plan_name,
       coalesce(w.available_ucr, 0) as available_ucr, coalesce(w.held_ucr, 0) as held_ucr,
       coalesce(w.spent_ucr, 0) as spent_ucr, coalesce(w.owed_ucr, 0) as owed_ucr,
       w.frozen_at is not null as frozen, w.frozen_reason, w.stopped_at is not null as stopped,
       c.numbers, c.working, c.last_event_at
from tenants t
join plans p on p.code = t.plan_code
left join wallets w on w.tenant_id = t.id
cross join lateral (
    select count(*) as numbers, count(*) filter (where k.status = 'WORKING') as working,
           max(k.last_event_at) as last_event_at
    from channels k where k.tenant_id = t.id and k.enabled
) c
"""
_LIST: Final = text(f"""{_COLUMNS}
where (cast(:status as text) is null or t.status = :status)
  and (:like = '' or t.name ilike :like or t.slug ilike :like or t.id::text = :exact)
  and (cast(:after as uuid) is null or (t.created_at, t.id) < (
      select a.created_at, a.id from tenants a where a.id = :after))
order by t.created_at desc, t.id desc limit :rows_max
""")  # noqa: S608 - our own columns
_ONE: Final = text(f"{_COLUMNS} where t.id = :tenant_id")
_NUMBERS: Final = text("""
select id, name, kind, status, status_at, enabled, last_event_at, engine, engine_version
from channels where tenant_id = :tenant_id order by created_at, id limit 50
""")
_MEMBERS: Final = text("""
select u.name, u.email, m.role, u.disabled_at is not null as disabled,
       u.totp_confirmed_at is not null
           or exists (select 1 from passkeys k where k.user_id = u.id) as second_factor
from memberships m join users u on u.id = m.user_id
where m.tenant_id = :tenant_id order by m.role, lower(u.name), u.id limit 100
""")
_NAMES: Final = text("select id, name from tenants where id = any(:ids)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Business:
    """One business: who it is, what it has, and how its numbers do."""

    id: UUID
    name: str
    slug: str
    status: str
    status_reason: str | None
    country: str | None
    locale: str
    time_zone: str
    billing_email: str | None
    created_at: datetime
    erase_due_at: datetime | None
    plan_code: str
    plan_name: str
    available_ucr: int
    held_ucr: int
    spent_ucr: int
    owed_ucr: int
    frozen: bool
    frozen_reason: str | None
    stopped: bool
    numbers: int
    working: int
    last_event_at: datetime | None

    @property
    def troubles(self) -> tuple[str, ...]:
        """What keeps the assistant from answering, as words: empty when all is well."""
        found = {
            "suspended": self.status == "suspended",
            "frozen": self.frozen,
            "owing": self.owed_ucr > 0,
            "no_credits": self.available_ucr + self.held_ucr <= 0,
            "stopped": self.stopped,
            "numbers_down": self.working < self.numbers,
        }
        return tuple(word for word, holds in found.items() if holds)


@dataclass(frozen=True, slots=True)
class Number:
    """A number's state; its own address is its customers' business, not ours."""

    id: UUID
    name: str
    kind: str
    status: str
    status_at: datetime | None
    enabled: bool
    last_event_at: datetime | None
    engine: str | None
    engine_version: str | None


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody of the business's team."""

    name: str
    email: str
    role: str
    disabled: bool
    second_factor: bool


async def search(
    connection: AsyncConnection,
    *,
    words: str = "",
    status: str | None = None,
    after: UUID | None = None,
    rows_max: int = ROWS_MAX,
) -> list[Business]:
    """Return a page of businesses, the newest first (system scope).

    Args:
        connection: the system's scope.
        words: part of a name or short name, or a whole id.
        status: one of ``STATUSES``; None: all.
        after: the last business of the page before.
        rows_max: at most this many.
    """
    words = words.strip()
    if len(words) > SEARCH_CHARS_MAX or "\0" in words:
        raise RefusedError("A search has at most %(most)s characters.", most=SEARCH_CHARS_MAX)
    if status is not None and status not in STATUSES:
        raise RefusedError("Choose one of the states that are offered.")
    escaped = words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    rows = await connection.execute(
        _LIST,
        {
            "like": f"%{escaped}%" if words else "",
            "exact": words.lower(),
            "status": status,
            "after": after,
            "rows_max": rows_max,
        },
    )
    return [Business(**row._mapping) for row in rows]  # noqa: SLF001


async def find(connection: AsyncConnection, tenant_id: UUID) -> Business:
    """Return one business (system scope); NotFoundError when there is none."""
    row = (await connection.execute(_ONE, {"tenant_id": tenant_id})).one_or_none()
    if row is None:
        raise NotFoundError("There is no such business.")
    return Business(**row._mapping)  # noqa: SLF001


async def numbers(connection: AsyncConnection, tenant_id: UUID) -> list[Number]:
    """Return a business's numbers, the oldest first."""
    return [Number(*row) for row in await connection.execute(_NUMBERS, {"tenant_id": tenant_id})]


async def members(connection: AsyncConnection, tenant_id: UUID) -> list[Member]:
    """Return a business's team (system scope)."""
    return [Member(*row) for row in await connection.execute(_MEMBERS, {"tenant_id": tenant_id})]


async def names(connection: AsyncConnection, ids: set[UUID]) -> dict[UUID, str]:
    """Return the names of businesses by id (system scope)."""
    if not ids:
        return {}
    return {row.id: row.name for row in await connection.execute(_NAMES, {"ids": list(ids)})}
