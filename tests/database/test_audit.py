"""The audit trail: written with the change, never changed afterwards."""

import asyncpg
import pytest

from app.core.crypto import Keyring
from tenants.service import Actor, NewChannel, NewTenant, create_channel, create_tenant
from tests.database.catalog import connected
from tests.databases import TestDatabase

pytestmark = pytest.mark.anyio
SECRET = "a-webhook-secret-that-nobody-may-read"


async def made(database: TestDatabase):
    keyring = Keyring.parse(f"t1:{'5a' * 32}")
    actor = Actor("operator", "ada")
    async with database.db.system() as connection:
        await connection.exec_driver_sql("insert into plans (code, name) values ('p', 'P')")
        tenant_id = await create_tenant(
            connection,
            NewTenant(slug="bakery", name="Bakery", plan_code="p", time_zone="UTC"),
            actor,
        )
        channel = NewChannel(
            tenant_id=tenant_id, name="Desk", session="bakery", webhook_secret=SECRET
        )
        channel_id, key = await create_channel(connection, keyring, channel, actor)
    return tenant_id, channel_id, key


async def test_making_a_business_and_a_number_is_recorded(database: TestDatabase):
    tenant_id, channel_id, key = await made(database)
    async with connected(database.system_url) as connection:
        rows = await connection.fetch("select * from audit_log order by id")
    assert [(r["action"], r["subject"]) for r in rows] == [
        ("tenant.create", "bakery"),
        ("channel.create", str(channel_id)),
    ]
    assert {r["tenant_id"] for r in rows} == {tenant_id}
    assert {(r["actor_kind"], r["actor_id"]) for r in rows} == {("operator", "ada")}
    told = "".join(str(dict(r)) for r in rows)
    assert SECRET not in told
    assert key not in told


async def test_a_failed_change_leaves_no_entry(database: TestDatabase):
    await made(database)
    with pytest.raises(Exception, match=r"uq_tenants_slug|pk_plans"):
        await made(database)
    async with connected(database.system_url) as connection:
        assert await connection.fetchval("select count(*) from audit_log") == 2


async def test_the_secret_is_stored_sealed(database: TestDatabase):
    await made(database)
    async with connected(database.system_url) as connection:
        sealed = await connection.fetchval("select webhook_secret from channels")
    assert SECRET.encode() not in bytes(sealed)


@pytest.mark.parametrize(
    "statement",
    ["update audit_log set action = 'x'", "delete from audit_log", "truncate audit_log"],
)
async def test_no_entry_is_changed_or_removed(database: TestDatabase, statement: str):
    tenant_id, _, _ = await made(database)
    for url in (database.app_url, database.system_url):
        async with connected(url) as connection:
            await connection.execute(
                "select set_config('app.tenant_id', $1, false)", str(tenant_id)
            )
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
