"""A used database made empty again: far cheaper than a new copy of the template."""

import asyncpg

# Once a connection, in a fresh database: what migrations put there.
_KEEP = """
create temp table kept_plans as table public.plans;
create temp table kept_price_versions as table public.price_versions;
"""
# Foreign keys and triggers stay out of the way.
_WIPE = """
do $$
declare
    name text;
begin
    perform set_config('session_replication_role', 'replica', true);
    -- Whoever still holds a lock when his test is over is not waited for.
    perform set_config('lock_timeout', '1s', true);
    for name in
        select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where n.nspname = 'public' and c.relkind in ('r', 'p') and not c.relispartition
          and c.relname <> 'alembic_version'
          and not exists (select 1 from pg_depend d where d.objid = c.oid and d.deptype = 'e')
    loop
        execute format('delete from public.%I', name);
    end loop;
    insert into public.plans select * from kept_plans;
    insert into public.price_versions select * from kept_price_versions;
end $$
"""

# What a test may have changed of the schema, in one text.
_SCHEMA = """
with ours as (select oid from pg_namespace where nspname = 'public')
select md5(concat_ws('|',
    (select string_agg(concat(oid, relname, relkind, relacl, relrowsecurity,
            relforcerowsecurity), ','
            order by relname) from pg_class where relnamespace in (table ours)),
    (select string_agg(concat(attrelid::regclass, attname, atttypid, attnotnull), ','
            order by attrelid::regclass::text, attnum)
     from pg_attribute a join pg_class c on c.oid = a.attrelid
     where c.relnamespace in (table ours) and attnum > 0 and c.relkind in ('r', 'p')),
    (select string_agg(concat(conrelid::regclass, conname), ',' order by conname, conrelid)
     from pg_constraint where connamespace in (table ours)),
    (select string_agg(concat(tgrelid::regclass, tgname, tgenabled), ','
            order by tgname, tgrelid) from pg_trigger where not tgisinternal),
    (select string_agg(concat(polrelid::regclass, polname, polroles, md5(concat(polqual,
            polwithcheck))), ',' order by polname, polrelid) from pg_policy),
    (select string_agg(concat(proname, md5(prosrc), proacl), ',' order by proname, oid)
     from pg_proc where pronamespace in (table ours)),
    (select string_agg(version_num, ',') from public.alembic_version)))
"""


async def prepare(connection: asyncpg.Connection) -> str:
    """Keep what a fresh database has in its tables; return its schema's fingerprint."""
    await connection.execute(_KEEP)
    fingerprint: str = await connection.fetchval(_SCHEMA)
    return fingerprint


async def wipe(connection: asyncpg.Connection, schema: str) -> bool:
    """Empty a database; False when its schema is no longer what it was, or it cannot be had."""
    try:
        if await connection.fetchval(_SCHEMA) != schema:
            return False
        await connection.execute(_WIPE)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
        return False
    return True
