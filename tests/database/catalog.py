"""What PostgreSQL's catalog says of our schema, read as a superuser."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

# Tables of the platform that belong to no tenant and have no row level security; nothing else.
CLOSED_LIST = {
    "users",
    "login_sessions",
    "price_versions",
    "plans",
    "platform_settings",
    "alembic_version",
}
LOGINS = ("parley_owner", "parley_app", "parley_system")


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


async def tables(connection: asyncpg.Connection) -> dict[str, asyncpg.Record]:
    """Every table and partition of schema public, extensions' own excepted."""
    found = await connection.fetch(
        """
        select c.relname as name, c.relrowsecurity as secured, c.relforcerowsecurity as forced,
               c.relispartition as partition, pg_get_userbyid(c.relowner) as owner,
               array(select array_to_string(
                         array(select pg_get_userbyid(r) from unnest(p.polroles) r), ',')
                     from pg_policy p where p.polrelid = c.oid order by 1) as policy_roles,
               (select a.attname from pg_attribute a
                where a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped)
                   as tenant_column
        from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where n.nspname = 'public' and c.relkind in ('r', 'p')
          and not exists (select 1 from pg_depend d where d.objid = c.oid and d.deptype = 'e')
        order by 1
        """
    )
    return {row["name"]: row for row in found}


async def schema(connection: asyncpg.Connection) -> list[str]:
    """The schema as lines of text, to be compared before and after migrating."""
    queries = (
        """
        select format('column %s.%s %s %s %s', table_name, column_name, data_type,
                      is_nullable, coalesce(column_default, ''))
        from information_schema.columns where table_schema = 'public'
        """,
        """
        select format('constraint %s %s %s', conrelid::regclass, conname,
                      pg_get_constraintdef(c.oid))
        from pg_constraint c join pg_namespace n on n.oid = c.connamespace
        where n.nspname = 'public' and conrelid <> 0
        """,
        "select format('index %s', indexdef) from pg_indexes where schemaname = 'public'",
        """
        select format('policy %s %s %s %s %s', tablename, policyname, roles, qual, with_check)
        from pg_policies where schemaname = 'public'
        """,
        """
        select format('grant %s %s %s', table_name, grantee, privilege_type)
        from information_schema.role_table_grants
        where table_schema = 'public' and grantee like 'parley%'
        """,
        """
        select format('table %s %s %s %s %s %s', relname, pg_get_userbyid(relowner),
                      relrowsecurity, relforcerowsecurity, relkind, reloptions)
        from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where n.nspname = 'public' and relkind in ('r', 'p')
        """,
        """
        select format('function %s %s %s %s %s', p.oid::regprocedure, pg_get_userbyid(proowner),
                      proconfig, proacl, md5(prosrc))
        from pg_proc p join pg_namespace n on n.oid = p.pronamespace
        where n.nspname = 'public' and proname ~ '^(credit_|inbox_)'
        """,
        "select format('schema %s', nspacl) from pg_namespace where nspname = 'public'",
    )
    lines: list[str] = []
    for query in queries:
        lines += [row[0] for row in await connection.fetch(query)]
    return sorted(lines)
