"""A hijacked database session of a server process: what it tries, and that it gets nowhere."""

import asyncpg
import pytest

from tests.database.catalog import connected, tables
from tests.isolation.callers import Callers
from tests.worlds import World

pytestmark = pytest.mark.anyio
ATTEMPTS = (
    "set role parley_owner",
    "set role parley_ledger",
    "set role postgres",
    "set session authorization parley_owner",
    "set session_replication_role = replica",
    "alter role parley_app bypassrls",
    "alter role parley_app superuser",
    "create role intruder",
    "alter table messages disable row level security",
    "alter table messages no force row level security",
    "alter table messages disable trigger all",
    "drop policy messages_tenant on messages",
    "create policy mine on messages for all to parley_app using (true)",
    "grant all on users to parley_app",
    "copy messages to program 'cat'",
    "copy (select 1) to '/tmp/x'",
    "select pg_read_file('/etc/passwd')",
    "select audit_purge(gen_random_uuid())",
    "create function f() returns int language sql as 'select 1'",
    "create temp table t (x int)",
    "create view mine as select * from messages",
    "alter role parley_app set app.tenant_id = 'x'",
    "create publication p for table messages",
    "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'parley_system'",
    "update audit_log set action = 'x'",
    "delete from journal",
)
PRIVATE = (
    "users", "login_sessions", "account_tokens", "recovery_codes", "passkeys",
    "passkey_challenges", "account_log", "mail_blocks",
)  # fmt: skip


@pytest.mark.parametrize("statement", ATTEMPTS)
async def test_the_apps_login_is_refused(world: World, statement: str):
    async with connected(world.settings.database_url) as connection:
        with pytest.raises(asyncpg.PostgresError) as caught:
            await connection.execute(statement)
    assert isinstance(caught.value, asyncpg.InsufficientPrivilegeError), caught.value


async def test_one_scope_sees_one_tenant_and_none_sees_nothing(world: World, callers: Callers):
    """What somebody in a psql session with the application's own login gets to see."""
    tables_asked = ("tenants", "contacts", "messages", "api_keys", "memberships")
    async with connected(world.settings.database_url) as connection:
        for table in tables_asked:
            assert await connection.fetch(f"select * from {table}") == []
        await connection.execute(
            "select set_config('app.tenant_id', $1, false)", str(callers.victim.tenant_id)
        )
        for table in tables_asked:
            column = "id" if table == "tenants" else "tenant_id"
            seen = await connection.fetch(f"select distinct {column} as tenant from {table}")
            assert [row["tenant"] for row in seen] == [callers.victim.tenant_id], table
            everybodys = await world.column(f"select distinct {column} from {table}")
            assert everybodys, table
    assert len(await world.column("select id from tenants")) >= 2


async def test_switching_row_security_off_refuses_the_query(world: World, callers: Callers):
    assert callers.victim
    async with connected(world.settings.database_url) as connection:
        await connection.execute("set row_security = off")
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
            await connection.fetch("select * from messages")


async def test_people_are_nobodys_business_in_a_tenants_scope(world: World, callers: Callers):
    async with connected(world.settings.database_url) as connection:
        await connection.execute(
            "select set_config('app.tenant_id', $1, false)", str(callers.victim.tenant_id)
        )
        for table in PRIVATE:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.fetch(f"select * from {table}")


async def test_a_person_sees_their_memberships_and_no_others(world: World, callers: Callers):
    assert callers.victim
    rows = await world.all("select user_id, tenant_id from memberships")
    assert len(rows) >= 3
    async with connected(world.settings.database_url) as connection:
        assert await connection.fetch("select * from memberships") == []
        await connection.execute(
            "select set_config('app.user_id', $1, false)", str(rows[0]["user_id"])
        )
        seen = await connection.fetch("select user_id from memberships")
    assert {row["user_id"] for row in seen} == {rows[0]["user_id"]}


async def test_the_walk_over_all_tables(world: World):
    async with connected(world.settings.database_url) as connection:
        found = await tables(connection)
    secured = [t for t in found.values() if t["secured"] and t["forced"]]
    plain = sorted(name for name, t in found.items() if not t["secured"])
    print(f"\n{len(found)} tables, {len(secured)} isolated by force; without: {', '.join(plain)}")
    assert len(secured) + len(plain) == len(found)
