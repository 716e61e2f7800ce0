"""A used database made empty again: far cheaper than a new copy of the template."""

import asyncpg

# For a superuser, once, in a fresh database: what migrations put there.
KEEP = """
create schema kept;
create table kept.plans as table public.plans;
create table kept.price_versions as table public.price_versions;
"""
# For a superuser: foreign keys and triggers stay out of the way.
WIPE = """
do $$
declare
    name text;
begin
    perform set_config('session_replication_role', 'replica', true);
    for name in
        select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where n.nspname = 'public' and c.relkind in ('r', 'p') and not c.relispartition
          and c.relname <> 'alembic_version'
          and not exists (select 1 from pg_depend d where d.objid = c.oid and d.deptype = 'e')
    loop
        execute format('delete from public.%I', name);
    end loop;
    insert into public.plans select * from kept.plans;
    insert into public.price_versions select * from kept.price_versions;
end $$
"""

# What a test may have changed of the schema, in one text.
_SCHEMA = """
with ours as (select oid from pg_namespace where nspname = 'public')
select md5(concat_ws('|',
    (select string_agg(concat(relname, relkind, relacl, relrowsecurity, relforcerowsecurity), ','
            order by relname) from pg_class where relnamespace in (table ours)),
    (select string_agg(concat(attrelid::regclass, attname, atttypid, attnotnull), ','
            order by attrelid::regclass::text, attnum)
     from pg_attribute a join pg_class c on c.oid = a.attrelid
     where c.relnamespace in (table ours) and attnum > 0 and c.relkind in ('r', 'p')),
    (select string_agg(concat(conrelid::regclass, conname), ',' order by conname, conrelid)
     from pg_constraint where connamespace in (table ours)),
    (select string_agg(concat(tgrelid::regclass, tgname, tgenabled), ','
            order by tgname, tgrelid) from pg_trigger where not tgisinternal),
    (select string_agg(concat(polrelid::regclass, polname), ',' order by polname, polrelid)
     from pg_policy),
    (select string_agg(concat(proname, md5(prosrc), proacl), ',' order by proname, oid)
     from pg_proc where pronamespace in (table ours)),
    (select string_agg(version_num, ',') from public.alembic_version)))
"""


async def prepare(superuser_url: str, name: str) -> str:
    """Make a fresh database one that can be wiped; return its schema's fingerprint."""
    connection = await _connect(superuser_url, name)
    try:
        await connection.execute(KEEP)
        fingerprint: str = await connection.fetchval(_SCHEMA)
        return fingerprint
    finally:
        await connection.close()


async def wipe(superuser_url: str, name: str, schema: str) -> bool:
    """Empty a database; False when its schema is no longer what it was."""
    connection = await _connect(superuser_url, name)
    try:
        if await connection.fetchval(_SCHEMA) != schema:
            return False
        await connection.execute(WIPE)
    except asyncpg.PostgresError:
        return False
    else:
        return True
    finally:
        await connection.close()


async def _connect(superuser_url: str, name: str) -> asyncpg.Connection:
    return await asyncpg.connect(f"{superuser_url.rsplit('/', 1)[0]}/{name}")
