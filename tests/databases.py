"""Databases for tests: copies of a migrated template, and used ones that were made empty again."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from uuid import uuid4

import asyncpg

from app.core.db.engine import Database
from migrations import bootstrap, runner
from tests import wiping

TEMPLATE = "parley_template"
PASSWORDS = bootstrap.RolePasswords(owner="owner", app="app", system="system")


@dataclass(frozen=True)
class TestDatabase:
    """A migrated, empty database with its logins' URLs."""

    __test__ = False

    db: Database
    app_url: str
    system_url: str
    admin_url: str
    superuser_url: str
    superuser: asyncpg.Connection


async def make_template(superuser_url: str) -> None:
    """Migrate the database that all others are copied from."""
    await bootstrap.drop_database(superuser_url, TEMPLATE)
    urls = await bootstrap.bootstrap(superuser_url, database=TEMPLATE, passwords=PASSWORDS)
    await runner.upgrade(urls.admin)


@asynccontextmanager
async def open_database(superuser_url: str) -> AsyncIterator[TestDatabase]:
    """A fresh copy of the template, dropped in the end."""
    name = f"test_{uuid4().hex[:12]}"
    await bootstrap.clone_database(superuser_url, TEMPLATE, name)
    urls = bootstrap.urls_for(superuser_url, database=name, passwords=PASSWORDS)
    db = Database(app_url=urls.app, system_url=urls.system, pool_size=16)
    own_url = f"{superuser_url.rsplit('/', 1)[0]}/{name}"
    superuser = await asyncpg.connect(own_url)
    try:
        yield TestDatabase(db, urls.app, urls.system, urls.admin, own_url, superuser)
    finally:
        await superuser.close()
        await db.close()
        await bootstrap.drop_database(superuser_url, name)


@dataclass(frozen=True)
class _Lent:
    """A database of the stock, with what is needed to empty it and to drop it."""

    database: TestDatabase
    schema: str
    end: AsyncExitStack


class Databases:
    """A session's stock of databases: each is empty when it is lent, and wiped when it comes back.

    A copy takes as long as ten tests do, and connections that know the schema save as much again.
    What a test changed of the schema is noticed, as is a transaction that it left open; then its
    database goes, and the next test gets a copy.
    """

    def __init__(self, superuser_url: str) -> None:
        self._superuser_url = superuser_url
        self._idle: list[_Lent] = []

    @asynccontextmanager
    async def lend(self) -> AsyncIterator[TestDatabase]:
        """An empty database."""
        lent = self._idle.pop() if self._idle else await self._make()
        try:
            yield lent.database
        finally:
            if await self._wiped(lent):
                self._idle.append(lent)
            else:
                await lent.end.aclose()

    async def close(self) -> None:
        """Drop what is left."""
        for lent in self._idle:
            await lent.end.aclose()

    async def _make(self) -> _Lent:
        async with AsyncExitStack() as stack:
            database = await stack.enter_async_context(open_database(self._superuser_url))
            schema = await wiping.prepare(database.superuser)
            return _Lent(database, schema, stack.pop_all())

    async def _wiped(self, lent: _Lent) -> bool:
        db = lent.database.db
        if any(pool.checkedout() for pool in (db._app.pool, db._system.pool)):  # type: ignore[attr-defined]
            return False
        return await wiping.wipe(lent.database.superuser, lent.schema)
