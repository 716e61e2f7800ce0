"""Run migrations as the owner: up, down, status, and the check that models and schema agree."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from app.core.db.engine import async_url

_LOCK_KEY = 0x7061726C  # "parl": one migration at a time in a database
_LOCK_TIMEOUT_MS = 5_000


class NewerSchemaError(Exception):
    """The database was migrated by a newer version, whose steps this code does not know."""

    def __init__(self, found: str) -> None:
        super().__init__(
            f"the schema is at revision {found}, which is newer than this code ({head()}): use the"
            " version that migrated it, or a newer one"
        )


def config() -> Config:
    """Return Alembic's configuration of this package."""
    result = Config()
    result.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return result


def head() -> str:
    """Return the newest revision that this code knows."""
    revision = ScriptDirectory.from_config(config()).get_current_head()
    if revision is None:
        raise RuntimeError("the package has no migrations")
    return revision


async def upgrade(admin_url: str, revision: str = "head") -> str:
    """Migrate up to a revision as the owner; return the revision reached."""
    return await _run(admin_url, _known(lambda c: command.upgrade(c, revision)))


async def downgrade(admin_url: str, revision: str = "-1") -> str:
    """Migrate down to a revision as the owner; return the revision reached."""
    return await _run(admin_url, _known(lambda c: command.downgrade(c, revision)))


async def current(admin_url: str) -> str:
    """Return the database's revision, or ``base`` when it has none."""
    return await _run(admin_url, lambda _: None)


async def differences(admin_url: str) -> list[Any]:
    """Return what ``alembic check`` would find: the models' differences from the schema."""
    from migrations.metadata import metadata

    def compare(connection: Connection) -> list[Any]:
        context = MigrationContext.configure(connection, opts={"include_object": _include})
        return list(compare_metadata(context, metadata))

    engine = create_async_engine(async_url(admin_url), poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(compare)
    finally:
        await engine.dispose()


def is_newer(revision: str) -> bool:
    """Tell whether a database's revision lies beyond this code: they are numbers, ``base`` none."""
    return revision != "base" and revision > head()


def _known(step: Callable[[Config], object]) -> Callable[[Config], object]:
    """Refuse a step where the database is beyond what this code knows; NewerSchemaError."""

    def checked(alembic: Config) -> object:
        found = MigrationContext.configure(alembic.attributes["connection"]).get_current_revision()
        if found is not None and is_newer(found):
            raise NewerSchemaError(found)
        return step(alembic)

    return checked


async def _run(admin_url: str, step: Callable[[Config], object]) -> str:
    engine = create_async_engine(async_url(admin_url), poolclass=NullPool)

    def inside(connection: Connection) -> str:
        connection.execute(text("select pg_advisory_lock(:key)"), {"key": _LOCK_KEY})
        connection.execute(text(f"set lock_timeout = {_LOCK_TIMEOUT_MS}"))
        connection.commit()
        alembic = config()
        alembic.attributes["connection"] = connection
        alembic.attributes["include_object"] = _include
        step(alembic)
        revision = MigrationContext.configure(connection).get_current_revision()
        connection.execute(text("select pg_advisory_unlock(:key)"), {"key": _LOCK_KEY})
        connection.commit()
        return revision or "base"

    try:
        async with engine.connect() as connection:
            return await connection.run_sync(inside)
    finally:
        await engine.dispose()


def _include(obj: object, name: str | None, kind: str, reflected: bool, against: object) -> bool:  # noqa: FBT001
    """Leave out of comparisons what models cannot say.

    The scheduler makes the inbox's day partitions; graphs over vectors are indexes over casts.
    """
    del obj, against
    names = {"table": ("inbox_p", "inbox_default"), "index": ("ix_knowledge_vectors_graph",)}
    return not (reflected and kind in names and (name or "").startswith(names[kind]))
