"""A used database made empty again: far cheaper than a new copy of the template."""

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
