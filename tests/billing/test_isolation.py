"""Who may do what: no role writes a balance, and no tenant reaches another's ledger."""

import asyncpg
import pytest
from sqlalchemy import inspect
from sqlalchemy.ext.asyncio import create_async_engine

from app.core.db.engine import async_url
from billing import models
from migrations import runner
from tests.billing.ledger import CREDIT, Ledger

pytestmark = pytest.mark.anyio
TABLES = (
    "wallets",
    "credit_lots",
    "credit_holds",
    "hold_parts",
    "credit_ops",
    "journal",
    "credit_minutes",
)
OPEN_TO_APP = {
    "credit_close_many",
    "credit_hold_many",
    "credit_journal_hash",
    "credit_lot_facts",
    "credit_open",
    "credit_refund",
    "credit_set_caps",
    "credit_stop",
}
OPEN_TO_SYSTEM = OPEN_TO_APP | {"credit_claw", "credit_expire", "credit_freeze", "credit_grant"}


async def connect(url: str, tenant_id=None) -> asyncpg.Connection:
    connection = await asyncpg.connect(url)
    if tenant_id:
        await connection.execute("select set_config('app.tenant_id', $1, false)", str(tenant_id))
    return connection


@pytest.mark.parametrize("table", TABLES)
async def test_no_server_login_writes_a_ledger_table(database, ledger, table):
    await ledger.grant(CREDIT)
    for url in (database.app_url, database.system_url):
        connection = await connect(url, ledger.tenant_id)
        for statement in (
            f"update {table} set tenant_id = tenant_id",
            f"delete from {table}",
            f"truncate {table} cascade",
            f"insert into {table} select * from {table}",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
        await connection.close()


async def test_not_even_the_ledger_rewrites_its_journal(database):
    connection = await asyncpg.connect(database.superuser_url)
    rows = await connection.fetch(
        "select table_name, privilege_type from information_schema.role_table_grants"
        " where grantee = 'parley_ledger'"
    )
    await connection.close()
    rights = {(row[0], row[1]) for row in rows}
    assert {right for table, right in rights if table == "journal"} == {"SELECT", "INSERT"}
    ours = {right for table, right in rights if table in TABLES}
    assert ours == {"SELECT", "INSERT", "UPDATE"}


async def test_a_foreign_tenant_is_refused_and_unseen(database, ledger):
    victim = await Ledger.with_tenant(ledger.db)
    await victim.grant(9 * CREDIT)
    hold_id = await victim.charge(CREDIT, CREDIT)
    connection = await connect(database.app_url, ledger.tenant_id)
    calls = (
        "select credit_open($1)",
        (
            "select * from credit_hold_many(jsonb_build_array(jsonb_build_object('tenant_id',"
            " $1::uuid, 'hold_id', gen_random_uuid(), 'amount_ucr', 1)))"
        ),
        (
            "select * from credit_close_many(jsonb_build_array(jsonb_build_object('tenant_id',"
            " $1::uuid, 'hold_id', gen_random_uuid(), 'captured_ucr', 1)))"
        ),
        f"select credit_refund($1, gen_random_uuid(), '{hold_id}', 1, 'x', 'x', null, null)",
        "select credit_set_caps($1, 0, 1, 1)",
        "select credit_stop($1, 'x')",
    )
    for call in calls:
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="scope"):
            await connection.execute(call.replace("$1", f"'{victim.tenant_id}'"))
    for table in TABLES:
        count = f"select count(*) from {table} where tenant_id = '{victim.tenant_id}'"
        assert await connection.fetchval(count) == 0
    await connection.close()
    assert (await victim.balance()).spent_ucr == CREDIT


async def test_without_a_scope_even_ones_own_wallet_is_refused(database, ledger):
    connection = await connect(database.app_url)
    for tenant in (f"'{ledger.tenant_id}'", "null"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="scope"):
            await connection.execute(f"select credit_open({tenant})")
    await connection.close()


async def test_a_tenant_cannot_issue_credits_to_itself(database, ledger):
    connection = await connect(database.app_url, ledger.tenant_id)
    for call in (
        (
            f"credit_grant('{ledger.tenant_id}', gen_random_uuid(), 'promo', 'x', 5, 1, null, null,"
            " null, null, null, null, 'x', null, null)"
        ),
        f"credit_claw('{ledger.tenant_id}', gen_random_uuid(), 1, 'x', null, 'x', null, null)",
        f"credit_expire('{ledger.tenant_id}')",
        f"credit_freeze('{ledger.tenant_id}', null)",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(f"select {call}")
    await connection.close()


async def test_functions_belong_to_the_ledger_and_only_the_doors_are_open(database):
    connection = await asyncpg.connect(database.superuser_url)
    rows = await connection.fetch(
        "select p.proname, p.proowner::regrole::text as owner, p.prosecdef,"
        " coalesce(array_to_string(p.proconfig, ','), '') as config,"
        " has_function_privilege('parley_app', p.oid, 'execute') as app,"
        " has_function_privilege('parley_system', p.oid, 'execute') as system"
        " from pg_proc p where p.proname like 'credit\\_%'"
    )
    may_create = await connection.fetchval(
        "select has_schema_privilege('parley_ledger', 'public', 'create')"
    )
    await connection.close()
    assert {row["owner"] for row in rows} == {"parley_ledger"}
    assert {row["proname"] for row in rows if row["app"]} == OPEN_TO_APP
    assert {row["proname"] for row in rows if row["system"]} == OPEN_TO_SYSTEM
    # pg_temp last, or a temporary table could stand in for a ledger table.
    definers = {row["config"] for row in rows if row["prosecdef"]}
    assert definers == {"search_path=pg_catalog, public, pg_temp"}
    assert not may_create


async def test_a_temporary_table_cannot_stand_in_for_a_wallet(database, ledger):
    root = await asyncpg.connect(database.superuser_url)
    name = database.app_url.rsplit("/", 1)[1]
    await root.execute(f'grant temporary on database "{name}" to parley_app')
    await root.close()
    connection = await connect(database.app_url, ledger.tenant_id)
    await connection.execute("create temp table wallets (like public.wallets including all)")
    await connection.execute(
        "insert into wallets (tenant_id, issued_ucr, available_ucr) values ($1, 9, 9)",
        ledger.tenant_id,
    )
    await connection.execute("grant all on wallets to public")
    held = await connection.fetchval(
        "select outcome from credit_hold_many(jsonb_build_array(jsonb_build_object("
        "'tenant_id', $1::uuid, 'hold_id', gen_random_uuid(), 'job_id', gen_random_uuid(),"
        " 'amount_ucr', 1, 'price_version_id', 1, 'created_by', 'x')))",
        ledger.tenant_id,
    )
    await connection.close()
    assert held == "insufficient"


async def test_models_and_migration_agree(database):
    ours = set(TABLES) | {"price_versions", "ledger_proofs"}
    found = await runner.differences(database.admin_url)
    assert [d for d in found if any(f"'{name}'" in str(d) for name in ours)] == []

    def checks(connection) -> set[str]:
        looked_at = inspect(connection)
        return {c["name"] for t in ours for c in looked_at.get_check_constraints(t)}

    engine = create_async_engine(async_url(database.admin_url))
    async with engine.connect() as connection:
        in_database = await connection.run_sync(checks)
    await engine.dispose()
    tables = models.Base.metadata.tables
    in_models = {c.name for t in ours for c in tables[t].constraints if c.name.startswith("ck_")}
    assert in_database == in_models


async def test_migration_goes_down_and_up_again(database):
    await database.db.close()
    assert await runner.downgrade(database.admin_url, "0001") == "0001"
    assert await runner.upgrade(database.admin_url) == await runner.current(database.admin_url)
