"""The bootstrap: what each role may, and that it can run again and at the same time."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import asyncpg
import pytest

from app.cli.local.postgres import EmbeddedPostgres
from migrations.bootstrap import RolePasswords, bootstrap, clone_database, drop_database

PASSWORDS = RolePasswords(owner="o'w\"n", app="a@p:p/%", system="s y")
Result = TypeVar("Result")


async def ask(url: str, work: Callable[[asyncpg.Connection], Awaitable[Result]]) -> Result:
    connection = await asyncpg.connect(url, timeout=10)
    try:
        return await work(connection)
    finally:
        await connection.close()


async def value(url: str, statement: str, *arguments: Any) -> Any:
    return await ask(url, lambda connection: connection.fetchval(statement, *arguments))


async def execute(url: str, statement: str) -> Any:
    return await ask(url, lambda connection: connection.execute(statement))


def test_roles_have_exactly_the_attributes_they_need(cluster: EmbeddedPostgres) -> None:
    async def run() -> None:
        await bootstrap(cluster.superuser_url, database="attributes", passwords=PASSWORDS)
        rows = await ask(
            cluster.superuser_url,
            lambda c: c.fetch(
                "select rolname, rolcanlogin, rolsuper or rolbypassrls or rolcreatedb"
                " or rolcreaterole or rolreplication from pg_roles where rolname like 'parley_%'"
            ),
        )
        assert {tuple(row) for row in rows} == {
            ("parley_owner", True, False),
            ("parley_app", True, False),
            ("parley_system", True, False),
            ("parley_ledger", False, False),
        }

    asyncio.run(run())


def test_the_three_urls_work_and_only_the_owner_may_create(cluster: EmbeddedPostgres) -> None:
    async def run() -> None:
        urls = await bootstrap(cluster.superuser_url, database="logins", passwords=PASSWORDS)
        assert await value(urls.admin, "select current_user") == "parley_owner"
        assert await value(urls.app, "select current_user") == "parley_app"
        assert await value(urls.system, "select current_user") == "parley_system"
        await execute(urls.admin, "create table mine (id int)")
        for url in (urls.app, urls.system):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await execute(url, "create table theirs (id int)")
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await execute(url, "set role parley_ledger")
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await execute(url, "set role parley_owner")
        await execute(urls.admin, "set role parley_ledger")
        assert await value(urls.admin, "select '[1,2]'::vector::text") == "[1,2]"

    asyncio.run(run())


def test_a_stranger_among_the_roles_may_not_connect(cluster: EmbeddedPostgres) -> None:
    async def run() -> None:
        urls = await bootstrap(cluster.superuser_url, database="closed", passwords=PASSWORDS)
        await execute(cluster.superuser_url, "create role stranger login password 'x'")
        stranger = cluster.superuser_url.partition("@")[2].replace("/postgres", "/closed")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await value(f"postgresql://stranger:x@{stranger}", "select 1")
        assert await value(urls.app, "select 1") == 1

    asyncio.run(run())


def test_running_again_repairs_what_was_loosened(cluster: EmbeddedPostgres) -> None:
    async def run() -> None:
        url = cluster.superuser_url
        await bootstrap(url, database="again", passwords=PASSWORDS)
        await execute(url, "alter role parley_app bypassrls")
        await execute(url, "grant parley_system to parley_app")
        await bootstrap(url, database="again", passwords=PASSWORDS)
        assert not await value(url, "select rolbypassrls from pg_roles where rolname='parley_app'")
        members = await ask(
            url,
            lambda c: c.fetch(
                "select roleid::regrole::text, inherit_option, set_option from pg_auth_members"
                " where member::regrole::text like 'parley%'"
            ),
        )
        assert [tuple(row) for row in members] == [("parley_ledger", False, True)]

    asyncio.run(run())


def test_several_at_once_do_not_collide(cluster: EmbeddedPostgres) -> None:
    async def run() -> None:
        names = ["many_a", "many_b", "many_a", "many_c", "many_b"]
        urls = await asyncio.gather(
            *(bootstrap(cluster.superuser_url, database=n, passwords=PASSWORDS) for n in names)
        )
        found = [await value(url.app, "select current_database()") for url in urls]
        assert found == names

    asyncio.run(run())


def test_a_clone_has_the_rows_and_the_same_closed_doors(cluster: EmbeddedPostgres) -> None:
    async def run() -> None:
        urls = await bootstrap(cluster.superuser_url, database="template_db", passwords=PASSWORDS)
        await execute(urls.admin, "create table seeded as select 5 as n")
        await drop_database(cluster.superuser_url, "copy_db")
        await clone_database(cluster.superuser_url, "template_db", "copy_db")
        copy = urls.admin.replace("/template_db", "/copy_db")
        assert await value(copy, "select n from seeded") == 5
        public_may = await value(
            cluster.superuser_url,
            "select exists (select 1 from pg_database, aclexplode(datacl) a"
            " where datname = 'copy_db' and a.grantee = 0)",
        )
        assert public_may is False
        await drop_database(cluster.superuser_url, "copy_db")
        with pytest.raises(asyncpg.InvalidCatalogNameError):
            await value(copy, "select 1")

    asyncio.run(run())


@pytest.mark.parametrize("name", ['x"; drop database postgres; --', "Upper", "", "a" * 64])
def test_database_names_are_plain(cluster: EmbeddedPostgres, name: str) -> None:
    with pytest.raises(ValueError, match="plain"):
        asyncio.run(bootstrap(cluster.superuser_url, database=name, passwords=PASSWORDS))


def test_urls_never_show_in_a_repr() -> None:
    assert "a@p" not in repr(PASSWORDS)
