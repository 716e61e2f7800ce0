"""The export of a business: every row of it, as lines of JSON, without secrets.

Each line is ``{"table": …, "row": {…}}``. The tables come from the schema, so nothing that is
added later is forgotten; bytes (hashes, sealed secrets, raw events) and vectors are left out.

It is prepared in the background, in short steps of one transaction each: rows, their gzip member
and the place to go on are committed together, so a step that was cut off is as if it had never
begun. The members one after the other are one gzip file.
"""

import gzip
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core import ids
from app.core.config import Settings
from app.core.db.engine import Database
from app.core.errors import ConflictError, NotFoundError
from app.core.mail.outbox import Outbox
from tenants import service
from tenants.access import Permission
from tenants.businesses import actor_of
from tenants.devices import Device
from tenants.letters import Letters
from tenants.login_sessions import SignedIn

KEPT_DAYS = 3
_PAGE_ROWS = 1_000
_STEP_S = 0.5
# Work lists, codes and lists that wait: nothing that a business could use.
_INTERNAL = frozenset(
    {
        "inbox",
        "inbox_keys",
        "phone_codes",
        "tenant_queues",
        "mails",
        "contact_imports",
        "business_exports",
        "business_export_chunks",
    }
)
_NAME = re.compile(r"[a-z_0-9]+", re.ASCII)

_COLUMNS = text(
    """
    select c.relname as name, a.attname as column_name,
           format_type(a.atttypid, null) as kind,
           coalesce(a.attnum = any(i.indkey), false) as in_key
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace and n.nspname = 'public'
    join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    join pg_type y on y.oid = a.atttypid
    left join pg_index i on i.indrelid = c.oid and i.indisprimary
    where c.relkind in ('r', 'p') and not c.relispartition
      and y.typname not in ('bytea', 'vector', 'halfvec', 'tsvector')
      and has_table_privilege('parley_app', c.oid, 'select')
      and (c.relname = 'tenants' or exists (
          select 1 from pg_attribute t where t.attrelid = c.oid and t.attname = 'tenant_id'))
    order by c.relname, array_position(i.indkey::int2[], a.attnum), a.attnum
    """
)
_ASK = text(
    """
    insert into business_exports (tenant_id, id, user_id) values (:tenant_id, :id, :user_id)
    on conflict do nothing returning id
    """
)
_LIST = text(
    """
    select id, user_id, state, tables_done, tables_total, rows_done, size_bytes, created_at,
           finished_at, expires_at
    from business_exports where tenant_id = :tenant_id order by created_at desc limit 5
    """
)
# A business of a million rows is taken up again and again; the others are not kept waiting.
_NEXT = text(
    """
    select tenant_id, id, user_id, state, table_name, after, tables_done, rows_done, size_bytes,
           chunks
    from business_exports where state in ('queued', 'running')
    order by rows_done, created_at limit 1 for update skip locked
    """
)
_STORE = text(
    """
    insert into business_export_chunks (tenant_id, export_id, chunk_no, content)
    values (:tenant_id, :id, :chunk_no, :content)
    """
)
_ADVANCE = text(
    """
    update business_exports set state = :state, table_name = :table_name,
        after = cast(:after as jsonb), tables_done = :tables_done, tables_total = :tables_total,
        rows_done = :rows_done, size_bytes = :size_bytes, chunks = :chunks,
        finished_at = case when :state = 'ready' then now() end,
        expires_at = case when :state = 'ready' then now() + make_interval(days => :kept_days) end
    where tenant_id = :tenant_id and id = :id
    """
)
_READER = text(
    """
    select u.email, u.locale, t.name as business from users u join tenants t on t.id = :tenant_id
    where u.id = :user_id and u.disabled_at is null
    """
)
_EXPIRE = text(
    """
    with over as (
        update business_exports set state = 'expired'
        where state = 'ready' and expires_at < now() returning tenant_id, id
    )
    delete from business_export_chunks c using over o
    where c.tenant_id = o.tenant_id and c.export_id = o.id
    """
)
_READY = text(
    """
    select e.chunks, e.size_bytes, t.slug, e.finished_at
    from business_exports e join tenants t on t.id = e.tenant_id
    where e.tenant_id = :tenant_id and e.id = :id and e.state = 'ready' and e.expires_at > now()
    """
)
_CHUNK = text(
    """
    select content from business_export_chunks
    where tenant_id = :tenant_id and export_id = :id and chunk_no = :chunk_no
    """
)


@dataclass(frozen=True, slots=True)
class ExportView:
    """An export as its business sees it: how far it is, or until when it can be had."""

    id: UUID
    user_id: UUID
    state: str
    tables_done: int
    tables_total: int
    rows_done: int
    size_bytes: int
    created_at: datetime
    finished_at: datetime | None
    expires_at: datetime | None

    @property
    def under_way(self) -> bool:
        """True while it is being prepared."""
        return self.state in {"queued", "running"}


@dataclass(frozen=True, slots=True)
class ExportFile:
    """What can be downloaded: its name, its size, and its bytes in pieces."""

    name: str
    size_bytes: int
    chunks: AsyncIterator[bytes]


@dataclass(slots=True)
class _Table:
    name: str
    columns: list[str] = field(default_factory=list)
    key: list[tuple[str, str]] = field(default_factory=list)


@dataclass(slots=True)
class _Place:
    """Where an export goes on: a table and the last key that was read; None after the last."""

    table: str | None
    after: list[Any] | None


class BusinessExports:
    """Asks for exports, shows how far they are, and hands them out."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def ask(self, person: SignedIn, device: Device) -> UUID:
        """Have the chosen business's export prepared; return its id.

        Raises:
            StepUpNeededError: the last proof is not recent.
            ConflictError: one is being prepared already.
        """
        tenant_id = person.business(Permission.EXPORT_BUSINESS)
        async with self._database.tenant(tenant_id) as connection:
            values = {"tenant_id": tenant_id, "id": ids.uuid7(), "user_id": person.user_id}
            export_id: UUID | None = await connection.scalar(_ASK, values)
            if export_id is None:
                raise ConflictError("An export is being prepared already. Wait until it is ready.")
            await service.record(
                connection,
                tenant_id,
                actor_of(person, device),
                action="business.export",
                subject=str(tenant_id),
            )
        return export_id

    async def all_of(self, tenant_id: UUID) -> list[ExportView]:
        """Return a business's latest exports, the newest first, at most five."""
        async with self._database.tenant(tenant_id) as connection:
            found = await connection.execute(_LIST, {"tenant_id": tenant_id})
            return [ExportView(**row) for row in found.mappings()]

    async def open(self, tenant_id: UUID, export_id: UUID) -> ExportFile:
        """Return a finished export; NotFoundError when there is none, or not any longer."""
        key = {"tenant_id": tenant_id, "id": export_id}
        async with self._database.tenant(tenant_id) as connection:
            row = (await connection.execute(_READY, key)).one_or_none()
        if row is None:
            raise NotFoundError("This export is not there any more. Have a new one prepared.")
        name = f"parley-{row.slug}-{row.finished_at:%Y-%m-%d}.jsonl.gz"
        return ExportFile(name, row.size_bytes, self._chunks(key, row.chunks))

    async def _chunks(self, key: dict[str, UUID], count: int) -> AsyncIterator[bytes]:
        """Each piece in a short transaction: a slow reader holds nothing open."""
        for chunk_no in range(count):
            async with self._database.tenant(key["tenant_id"]) as connection:
                content = await connection.scalar(_CHUNK, {**key, "chunk_no": chunk_no})
            if content is None:
                return
            yield bytes(content)


async def step(connection: AsyncConnection, settings: Settings) -> int:
    """Go on with one export for half a second; return how many rows were written.

    Args:
        connection: a system transaction of its own; its commit makes the step durable.
        settings: for the letter that says that it is ready.
    """
    row = (await connection.execute(_NEXT)).one_or_none()
    if row is None:
        return 0
    tables = await _tables(connection)
    place = _Place(row.table_name or tables[0].name, row.after)
    lines, rows = bytearray(), 0
    ends_at = time.monotonic() + _STEP_S
    while place.table is not None and time.monotonic() < ends_at:
        table = next((t for t in tables if t.name >= place.table), None)
        if table is None:
            place = _Place(None, None)
            break
        page = await _page(connection, row.tenant_id, table, place.after)
        for found in page:
            lines += msgspec.json.encode({"table": table.name, "row": dict(found)}) + b"\n"
        rows += len(page)
        place = _next_place(tables, table, page)
    done = place.table is None
    size = await _store(connection, row, bytes(lines))
    await connection.execute(
        _ADVANCE,
        {
            "tenant_id": row.tenant_id,
            "id": row.id,
            "state": "ready" if done else "running",
            "table_name": place.table,
            "after": msgspec.json.encode(place.after).decode(),
            "tables_done": len(tables) if done else _number(tables, place.table),
            "tables_total": len(tables),
            "rows_done": row.rows_done + rows,
            "size_bytes": row.size_bytes + size,
            "chunks": row.chunks + bool(size),
            "kept_days": KEPT_DAYS,
        },
    )
    if done:
        await _tell(connection, row, settings)
    return rows + 1


async def expire(connection: AsyncConnection) -> int:
    """Delete what exports hold three days after they were ready; return how many pieces."""
    return (await connection.execute(_EXPIRE)).rowcount


async def _store(connection: AsyncConnection, row: Any, lines: bytes) -> int:
    if not lines:
        return 0
    content = gzip.compress(lines, compresslevel=6)
    values = {"tenant_id": row.tenant_id, "id": row.id, "chunk_no": row.chunks}
    await connection.execute(_STORE, values | {"content": content})
    return len(content)


async def _tell(connection: AsyncConnection, row: Any, settings: Settings) -> None:
    values = {"tenant_id": row.tenant_id, "user_id": row.user_id}
    reader = (await connection.execute(_READER, values)).one_or_none()
    if reader is None:
        return
    await Outbox(settings.keyring()).queue(
        connection,
        to=reader.email,
        letter=Letters(settings.app_url, reader.locale).export_ready(reader.business, KEPT_DAYS),
        key=f"export:{row.id}",
        tenant_id=row.tenant_id,
    )


async def _tables(connection: AsyncConnection) -> list[_Table]:
    """Return what is exported, by name."""
    found: dict[str, _Table] = {}
    for row in await connection.execute(_COLUMNS):
        if row.name in _INTERNAL or not _NAME.fullmatch(row.name):
            continue
        table = found.setdefault(row.name, _Table(row.name))
        table.columns.append(row.column_name)
        if row.in_key:
            table.key.append((row.column_name, row.kind))
    return [found[name] for name in sorted(found)]


async def _page(
    connection: AsyncConnection, tenant_id: UUID, table: _Table, after: list[Any] | None
) -> list[Any]:
    """A page by its key; values of the key travel as text, as they are stored between steps."""
    owner = "id" if table.name == "tenants" else "tenant_id"
    key = ", ".join(name for name, _ in table.key)
    values: dict[str, Any] = {"tenant_id": tenant_id}
    beyond = ""
    if after is not None:
        casts = [
            f"cast(cast(:after_{n} as text) as {kind})" for n, (_, kind) in enumerate(table.key)
        ]
        beyond = f"and ({key}) > ({', '.join(casts)})"
        values |= {f"after_{n}": value for n, value in enumerate(after)}
    query = text(
        f"select {', '.join(table.columns)} from {table.name}"  # noqa: S608 - from the catalog
        f" where {owner} = :tenant_id {beyond} order by {key} limit {_PAGE_ROWS}"
    )
    return list((await connection.execute(query, values)).mappings().all())


def _next_place(tables: list[_Table], table: _Table, page: list[Any]) -> _Place:
    if len(page) == _PAGE_ROWS:
        return _Place(table.name, [str(page[-1][name]) for name, _ in table.key])
    number = tables.index(table) + 1
    return _Place(tables[number].name if number < len(tables) else None, None)


def _number(tables: list[_Table], name: str | None) -> int:
    return next((n for n, table in enumerate(tables) if table.name == name), len(tables))
