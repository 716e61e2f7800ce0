-- Roles, database and extensions for Parley on a PostgreSQL (16 or newer) of your own.
--
-- Once a server, as a superuser; safe to repeat, and it repairs what was loosened:
--
--   psql "postgresql://postgres@HOST/postgres" -v ON_ERROR_STOP=1 \
--     -v database=parley -v owner_password=… -v app_password=… -v system_password=… \
--     -f deploy/bootstrap.sql
--
-- Then: DATABASE_ADMIN_URL=postgresql://parley_owner:…@HOST/parley parley migrate up
-- `parley migrate bootstrap` does the same without psql. pgvector must be installed on the server.

\set ON_ERROR_STOP on
\if :{?database}
\else
  \set database parley
\endif
\if :{?owner_password}
\else
  do $$ begin raise 'give -v owner_password=… -v app_password=… -v system_password=…'; end $$;
\endif

-- Passwords travel in these statements: keep them out of the server's log.
set log_statement = 'none';
set log_min_duration_statement = -1;
set log_min_error_statement = 'panic';
set client_min_messages = warning;

-- One bootstrap at a time: roles belong to the whole cluster.
select pg_advisory_lock(x'7061726c6579'::bigint) \g /dev/null

-- parley_owner   owns the database and migrates it (DATABASE_ADMIN_URL)
-- parley_app     serves one tenant at a time (DATABASE_URL)
-- parley_system  ingest, scheduler, administration (DATABASE_SYSTEM_URL)
-- parley_ledger  no login: owns the functions that alone may move credits
select format('create role %I', name)
from unnest(array['parley_owner', 'parley_app', 'parley_system', 'parley_ledger']) as r(name)
where not exists (select 1 from pg_roles where rolname = r.name)
\gexec

alter role parley_owner with login nosuperuser nobypassrls nocreatedb nocreaterole noreplication
  password :'owner_password';
alter role parley_app with login nosuperuser nobypassrls nocreatedb nocreaterole noreplication
  password :'app_password';
alter role parley_system with login nosuperuser nobypassrls nocreatedb nocreaterole noreplication
  password :'system_password';
alter role parley_ledger with nologin nosuperuser nobypassrls nocreatedb nocreaterole noreplication;

-- No role is a member of another, except that the owner may `set role` to make the ledger's functions.
select format('revoke %I from %I', granted.rolname, member.rolname)
from pg_auth_members m
join pg_roles granted on granted.oid = m.roleid
join pg_roles member on member.oid = m.member
where member.rolname in ('parley_owner', 'parley_app', 'parley_system', 'parley_ledger')
  and not (granted.rolname = 'parley_ledger' and member.rolname = 'parley_owner')
\gexec
grant parley_ledger to parley_owner with inherit false, set true;

select format('create database %I owner parley_owner', :'database')
where not exists (select 1 from pg_database where datname = :'database')
\gexec
alter database :"database" owner to parley_owner;
revoke all on database :"database" from public;
grant connect on database :"database" to parley_app, parley_system;

-- Extensions need the superuser; pg_trgm is not in every build, and Parley works without it.
\connect :"database"
set client_min_messages = warning;
create extension if not exists vector schema public;
select 'create extension if not exists pg_trgm schema public'
where exists (select 1 from pg_available_extensions where name = 'pg_trgm')
\gexec
