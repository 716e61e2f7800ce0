"""Migrations: every step down and up again leaves the same schema, and the models fit it."""

import uuid
from collections.abc import AsyncIterator

import pytest
from alembic.script import ScriptDirectory

from app.core.db.revision import SCHEMA_REVISION, is_migrated
from migrations import bootstrap, runner
from tests.database.catalog import connected, schema
from tests.databases import PASSWORDS, TestDatabase

# Every migration, twice: minutes on a machine that others keep busy.
pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]


@pytest.fixture
async def bare(superuser_url: str) -> AsyncIterator[tuple[str, str]]:
    """A bootstrapped database without a schema: the owner's and the superuser's URL."""
    name = f"bare_{uuid.uuid4().hex[:12]}"
    urls = await bootstrap.bootstrap(superuser_url, database=name, passwords=PASSWORDS)
    yield urls.admin, f"{superuser_url.rsplit('/', 1)[0]}/{name}"
    await bootstrap.drop_database(superuser_url, name)


async def described(url: str) -> list[str]:
    async with connected(url) as connection:
        return await schema(connection)


async def test_down_and_up_leaves_the_same_schema(bare: tuple[str, str]):
    admin_url, superuser_url = bare
    empty = await described(superuser_url)
    assert await runner.upgrade(admin_url) == runner.head()
    first = await described(superuser_url)
    assert await runner.downgrade(admin_url, "base") == "base"
    left = [line for line in await described(superuser_url) if "alembic_version" not in line]
    assert left == [line for line in empty if "alembic_version" not in line]
    assert await runner.upgrade(admin_url) == runner.head()
    assert await described(superuser_url) == first


async def test_each_step_can_be_taken_back_alone(bare: tuple[str, str]):
    admin_url, superuser_url = bare
    await runner.upgrade(admin_url)
    script = ScriptDirectory.from_config(runner.config())
    for _ in script.walk_revisions():
        reached = await described(superuser_url)
        before = await runner.current(admin_url)
        await runner.downgrade(admin_url)
        await runner.upgrade(admin_url, before)
        assert await described(superuser_url) == reached
        await runner.downgrade(admin_url)
    assert await runner.current(admin_url) == "base"


async def test_the_models_and_the_schema_agree(database: TestDatabase):
    assert await runner.differences(database.admin_url) == []


async def test_the_code_names_the_newest_revision(database: TestDatabase):
    assert runner.head() == SCHEMA_REVISION
    assert await is_migrated(database.db)


async def test_there_is_one_line_of_revisions():
    script = ScriptDirectory.from_config(runner.config())
    assert len(script.get_heads()) == 1
    assert len(script.get_bases()) == 1


async def test_migrating_twice_changes_nothing(database: TestDatabase):
    before = await described(database.superuser_url)
    assert await runner.upgrade(database.admin_url) == runner.head()
    assert await described(database.superuser_url) == before


async def test_a_newer_versions_schema_is_left_alone(bare: tuple[str, str]):
    admin_url, superuser_url = bare
    async with connected(superuser_url) as connection:
        await connection.execute("create table alembic_version (version_num varchar(32))")
        await connection.execute("insert into alembic_version values ('9999')")
        await connection.execute("alter table alembic_version owner to parley_owner")
    assert await runner.current(admin_url) == "9999"
    assert runner.is_newer("9999")
    for step in (runner.upgrade, runner.downgrade):
        with pytest.raises(runner.NewerSchemaError, match="9999"):
            await step(admin_url)
    assert not any(runner.is_newer(known) for known in ("base", runner.head()))
