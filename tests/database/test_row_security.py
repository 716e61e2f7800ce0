"""No table without forced row level security and its two policies, outside the closed list."""

import pytest

from app.core.db.engine import Database
from app.core.errors import PrivilegedRoleError
from tests.database.catalog import CLOSED_LIST, LOGINS, connected, tables
from tests.databases import PASSWORDS, TestDatabase

pytestmark = pytest.mark.anyio


async def unprotected(database: TestDatabase) -> list[str]:
    async with connected(database.superuser_url) as connection:
        found = await tables(connection)
    return [
        name
        for name, table in found.items()
        if name not in CLOSED_LIST
        and not (
            table["secured"]
            and table["forced"]
            and {"parley_app", "parley_system"} <= set(table["policy_roles"])
            and len(set(table["policy_roles"]) - {"parley_ledger"}) == 2
        )
    ]


async def test_every_table_is_isolated(database: TestDatabase):
    assert await unprotected(database) == []


async def test_the_walk_would_notice_a_table_without_policies(database: TestDatabase):
    async with connected(database.admin_url) as connection:
        await connection.execute("create table public.forgotten (tenant_id uuid)")
        await connection.execute("create table public.half (tenant_id uuid)")
        await connection.execute("alter table half enable row level security")
    assert await unprotected(database) == ["forgotten", "half"]


async def test_no_table_of_the_closed_list_knows_tenants(database: TestDatabase):
    async with connected(database.superuser_url) as connection:
        found = await tables(connection)
    named = {name for name in CLOSED_LIST & set(found) if found[name]["tenant_column"]}
    assert named == set()


async def test_every_table_belongs_to_the_owner(database: TestDatabase):
    async with connected(database.superuser_url) as connection:
        found = await tables(connection)
    assert {table["owner"] for table in found.values()} == {"parley_owner"}


async def test_partitions_that_the_scheduler_makes_are_isolated_too(database: TestDatabase):
    async with connected(database.system_url) as connection:
        made = await connection.fetchval("select inbox_ensure_days(40)")
    assert made > 20
    assert await unprotected(database) == []
    async with connected(database.superuser_url) as connection:
        found = await tables(connection)
    partitions = [name for name, table in found.items() if table["partition"]]
    assert len(partitions) >= 42


async def test_partitions_are_made_and_dropped_by_the_system_only(database: TestDatabase):
    async with connected(database.app_url) as connection:
        for call in ("inbox_ensure_days(1)", "inbox_drop_days(1)"):
            with pytest.raises(Exception, match="permission denied"):
                await connection.execute(f"select {call}")


async def test_policies_use_the_tenants_id_as_an_index_condition(database: TestDatabase):
    async with connected(database.app_url) as connection:
        await connection.execute("set enable_seqscan = off")
        await connection.execute(
            "select set_config('app.tenant_id', gen_random_uuid()::text, false)"
        )
        plan = "\n".join(
            row[0]
            for row in await connection.fetch("explain select * from messages where body = 'x'")
        )
    assert "Index Cond: (tenant_id =" in plan


@pytest.mark.parametrize("login", ["owner", "superuser", "bypass"])
async def test_privileged_logins_are_refused(database: TestDatabase, login: str):
    async with connected(database.superuser_url) as connection:
        exists = await connection.fetchval("select 1 from pg_roles where rolname = 'test_bypass'")
        verb = "alter" if exists else "create"
        await connection.execute(f"{verb} role test_bypass login bypassrls password 'bypass'")
        name = await connection.fetchval("select current_database()")
        await connection.execute(f'grant connect on database "{name}" to test_bypass')
    urls = {
        "owner": database.admin_url,
        "superuser": database.superuser_url,
        "bypass": database.app_url.replace(f"parley_app:{PASSWORDS.app}@", "test_bypass:bypass@"),
    }
    for pools in (
        {"app_url": urls[login], "system_url": database.system_url},
        {"app_url": database.app_url, "system_url": urls[login]},
    ):
        db = Database(**pools, pool_size=1)
        try:
            with pytest.raises(PrivilegedRoleError):
                await db.check()
        finally:
            await db.close()


async def test_no_login_can_become_another(database: TestDatabase):
    async with connected(database.superuser_url) as connection:
        rows = await connection.fetch(
            "select pg_get_userbyid(member) as member, pg_get_userbyid(roleid) as role,"
            " inherit_option from pg_auth_members where pg_get_userbyid(member) = any($1)",
            list(LOGINS),
        )
        flags = await connection.fetch(
            "select rolname from pg_roles where rolname like 'parley%' and (rolsuper"
            " or rolbypassrls or rolcreaterole or rolcreatedb or rolreplication)"
        )
    assert [tuple(row) for row in rows] == [("parley_owner", "parley_ledger", False)]
    assert flags == []
    for url in (database.app_url, database.system_url):
        async with connected(url) as connection:
            for role in ("parley_owner", "parley_ledger", "parley_app", "parley_system"):
                if role in url:
                    continue
                with pytest.raises(Exception, match="permission denied to set role"):
                    await connection.execute(f"set role {role}")


async def test_definer_functions_are_a_known_list_with_a_fixed_path(database: TestDatabase):
    async with connected(database.superuser_url) as connection:
        rows = await connection.fetch(
            "select p.proname, p.proconfig, pg_get_userbyid(p.proowner) as owner from pg_proc p"
            " join pg_namespace n on n.oid = p.pronamespace"
            " where n.nspname = 'public' and p.prosecdef order by 1"
        )
    inbox = {"inbox_drop_days", "inbox_ensure_days", "inbox_isolate_partition"}
    others = {r["proname"] for r in rows if not r["proname"].startswith("credit_")}
    assert others == inbox | {"audit_purge"}
    for row in rows:
        path = [entry for entry in row["proconfig"] or () if entry.startswith("search_path=")]
        assert path, row["proname"]
        assert path[0].endswith("pg_temp"), row["proname"]
        wanted = "parley_owner" if row["proname"] in inbox else "parley_ledger"
        assert row["owner"] == wanted


async def test_the_servers_logins_make_nothing(database: TestDatabase):
    for url in (database.app_url, database.system_url):
        async with connected(url) as connection:
            with pytest.raises(Exception, match="permission denied"):
                await connection.execute("create table public.mine (id int)")
            with pytest.raises(Exception, match="permission denied"):
                await connection.execute("create schema mine")
            with pytest.raises(Exception, match="must be owner"):
                await connection.execute("alter table messages disable row level security")
