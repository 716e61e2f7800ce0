"""Operators' work on the database, through the system's login, with errors in words."""

import asyncio
import getpass
from collections.abc import Awaitable, Callable
from typing import TypeVar
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, ProgrammingError
from sqlalchemy.ext.asyncio import AsyncConnection

from app.cli.errors import CommandError, ExitCode, words_of_refusal
from app.core.config import Settings
from app.core.db.engine import Database
from tenants.service import Actor

ANSWER_WITHIN_S = 10.0
_FIND_TENANT = text("select id from tenants where id::text = lower(:name) or slug = :name")
_Result = TypeVar("_Result")


def operator() -> Actor:
    """Who types: the operating system's user, for the audit trail."""
    return Actor("operator", getpass.getuser())


def with_database(
    work: Callable[[Database, Settings], Awaitable[_Result]],
    *,
    answer_within_s: float | None = ANSWER_WITHIN_S,
) -> _Result:
    """Run work with the deployment's database; a CommandError says what failed."""
    settings = Settings.from_environ()

    async def run() -> _Result:
        database = Database.from_settings(settings, pool_size=2)
        try:
            async with asyncio.timeout(answer_within_s):
                return await work(database, settings)
        finally:
            await database.close()

    try:
        return asyncio.run(run())
    except ProgrammingError as error:
        raise CommandError(
            ExitCode.WRONG, "The database is not migrated to this version: parley migrate up."
        ) from error
    except (OSError, TimeoutError, OperationalError, InterfaceError) as error:
        raise CommandError(
            ExitCode.UNREACHABLE,
            "PostgreSQL does not answer at DATABASE_SYSTEM_URL; is it running?",
        ) from error
    except DBAPIError as error:
        raise CommandError(
            ExitCode.UNREACHABLE, f"PostgreSQL refused: {words_of_refusal(error)}."
        ) from error


def in_system_scope(
    work: Callable[[AsyncConnection], Awaitable[_Result]],
    *,
    answer_within_s: float | None = ANSWER_WITHIN_S,
) -> _Result:
    """Run work in one transaction of DATABASE_SYSTEM_URL; a CommandError says what failed."""

    async def run(database: Database, _: Settings) -> _Result:
        async with database.system() as connection:
            return await work(connection)

    return with_database(run, answer_within_s=answer_within_s)


async def find_tenant(connection: AsyncConnection, name: str) -> UUID:
    """Return the id of the business with this id or slug; a CommandError when there is none."""
    tenant_id: UUID | None = await connection.scalar(_FIND_TENANT, {"name": name})
    if tenant_id is None:
        raise CommandError(ExitCode.WRONG, f"There is no tenant with the id or slug {name!r}.")
    return tenant_id
