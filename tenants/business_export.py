"""The export of a business: every row of it, as lines of JSON, without secrets.

Each line is ``{"table": …, "row": {…}}``. The tables come from the schema, so nothing that is
added later is forgotten. Bytes (hashes, sealed secrets, raw events) are left out.
"""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.db.engine import Database
from tenants import service
from tenants.access import Permission
from tenants.businesses import actor_of
from tenants.devices import Device
from tenants.login_sessions import SignedIn

_PAGE_ROWS = 500
# Work lists and codes: nothing that a business could use.
_INTERNAL = frozenset({"inbox", "inbox_keys", "phone_codes", "tenant_queues", "mails"})
_NAME = re.compile(r"[a-z_]+", re.ASCII)

_COLUMNS = text(
    """
    select c.relname as name, a.attname as column_name,
           coalesce(a.attnum = any(i.indkey), false) as in_key
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace and n.nspname = 'public'
    join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    left join pg_index i on i.indrelid = c.oid and i.indisprimary
    where c.relkind in ('r', 'p') and not c.relispartition
      and a.atttypid <> 'bytea'::regtype
      and has_table_privilege(c.oid, 'select')
      and (c.relname = 'tenants' or exists (
          select 1 from pg_attribute t where t.attrelid = c.oid and t.attname = 'tenant_id'))
    order by c.relname, array_position(i.indkey::int2[], a.attnum), a.attnum
    """
)


@dataclass(slots=True)
class _Table:
    name: str
    columns: list[str]
    key: list[str]


async def export_business(
    database: Database, person: SignedIn, device: Device
) -> AsyncIterator[bytes]:
    """Yield the lines of the chosen business's export, some hundred at a time.

    Raises:
        StepUpNeededError: the last proof is not recent.
        ForbiddenError: only owners export a business.
    """
    tenant_id = person.business(Permission.EXPORT_BUSINESS)
    async with database.tenant(tenant_id) as connection:
        tables = await _tables(connection)
        await service.record(
            connection,
            tenant_id,
            actor_of(person, device),
            action="business.export",
            subject=str(tenant_id),
        )
    for table in tables:
        async for page in _pages(database, tenant_id, table):
            yield page


async def _tables(connection: AsyncConnection) -> list[_Table]:
    found: dict[str, _Table] = {}
    for row in await connection.execute(_COLUMNS):
        if row.name in _INTERNAL or not _NAME.fullmatch(row.name):
            continue
        table = found.setdefault(row.name, _Table(row.name, [], []))
        table.columns.append(row.column_name)
        if row.in_key:
            table.key.append(row.column_name)
    return list(found.values())


async def _pages(database: Database, tenant_id: UUID, table: _Table) -> AsyncIterator[bytes]:
    """Keyset pages, each in a short transaction: a slow reader holds nothing open."""
    key = ", ".join(table.key)
    after: dict[str, Any] = {}
    while True:
        beyond = ", ".join(f":after_{n}" for n in range(len(table.key)))
        where = f"where ({key}) > ({beyond})" if after else ""
        query = text(
            f"select {', '.join(table.columns)} from {table.name} {where}"  # noqa: S608 - from the catalog
            f" order by {key} limit {_PAGE_ROWS}"
        )
        async with database.tenant(tenant_id) as connection:
            rows = (await connection.execute(query, after)).mappings().all()
        if not rows:
            return
        yield b"".join(
            msgspec.json.encode({"table": table.name, "row": dict(row)}) + b"\n" for row in rows
        )
        after = {f"after_{n}": rows[-1][name] for n, name in enumerate(table.key)}
