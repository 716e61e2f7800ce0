"""Connections to PostgreSQL: one pool a scope, and the transactions that carry the scope.

There are two logins. ``parley_app`` sees one tenant at a time: its transactions begin with
``set_config('app.tenant_id', …, true)`` and row level security does the rest; without that
statement it sees nothing. ``parley_system`` (ingest, scheduler, admin) sees all tenants
through policies of its own. Neither may own tables, be a superuser or bypass row level
security: every new connection is asked, and a privileged one is refused.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from app.core.config import Settings
from app.core.db import after
from app.core.db.standing import StandingConnection
from app.core.errors import ConfigurationError, PrivilegedRoleError

_CONNECT_TIMEOUT_S = 5
_STATEMENT_TIMEOUT_MS = 30_000
# No transaction waits for a network or a model: one that idles belongs to a frozen process,
# whose locks must not hold the others up.
_IDLE_IN_TRANSACTION_MS = 10_000

_ROLE_CHECK = """
select r.rolname, r.rolsuper, r.rolbypassrls,
       exists (select 1 from pg_class c join pg_namespace n on n.oid = c.relnamespace
               where n.nspname = 'public' and c.relkind in ('r', 'p')
                 and pg_has_role(r.rolname, c.relowner, 'MEMBER')) as owns
from pg_roles r where r.rolname = current_user
"""


class Database:
    """The two pools of a process.

    Transactions commit when their block ends and roll back when it raises; an error of
    the commit itself reaches the caller, so an answer is only given for what is durable.
    """

    def __init__(
        self, *, app_url: str, system_url: str, pool_size: int = 10, name: str = "parley"
    ) -> None:
        self._app = _engine(app_url, pool_size=pool_size, name=name)
        self._system = _engine(system_url, pool_size=pool_size, name=name)
        self._system_autocommit = self._system.execution_options(isolation_level="AUTOCOMMIT")

    @classmethod
    def from_settings(cls, settings: Settings, *, pool_size: int | None = None) -> "Database":
        """Build from settings; ConfigurationError when a URL is missing."""
        missing = [
            f"{name} is missing: {what}."
            for name, url, what in (
                ("DATABASE_URL", settings.database_url, "the login parley_app"),
                ("DATABASE_SYSTEM_URL", settings.database_system_url, "the login parley_system"),
            )
            if not url
        ]
        if missing:
            raise ConfigurationError(missing)
        return cls(
            app_url=settings.database_url,
            system_url=settings.database_system_url,
            pool_size=pool_size or settings.database_pool_size,
            name=settings.service_name,
        )

    @asynccontextmanager
    async def tenant(self, tenant_id: UUID) -> AsyncIterator[AsyncConnection]:
        """Open a transaction that sees one tenant's rows."""
        async with self._app.begin() as connection:
            await connection.execute(_SCOPE, {"tenant_id": str(tenant_id)})
            after.begin(connection)
            yield connection
        after.committed(connection)

    @asynccontextmanager
    async def system(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction that sees all tenants' rows (ingest, scheduler, admin)."""
        async with self._system.begin() as connection:
            after.begin(connection)
            yield connection
        after.committed(connection)

    @asynccontextmanager
    async def system_statement(self) -> AsyncIterator[AsyncConnection]:
        """Lend a connection whose every statement commits by itself: one round trip each."""
        async with self._system_autocommit.connect() as connection:
            yield connection

    def standing(self) -> StandingConnection:
        """Return a connection for the system's most frequent statement; its holder closes it."""
        return StandingConnection(self._system_autocommit)

    async def check(self) -> None:
        """Open one connection of each login, which checks their privileges."""
        for engine in (self._app, self._system):
            async with engine.connect() as connection:
                await connection.execute(text("select 1"))

    async def close(self) -> None:
        """Close both pools."""
        await self._app.dispose()
        await self._system.dispose()


_SCOPE = text("select set_config('app.tenant_id', :tenant_id, true)")


def async_url(url: str) -> str:
    """Turn ``postgresql://`` into SQLAlchemy's asyncpg form."""
    return url.replace("postgresql://", "postgresql+asyncpg://", 1)


def _engine(url: str, *, pool_size: int, name: str) -> AsyncEngine:
    engine = create_async_engine(
        async_url(url),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=10,
        pool_pre_ping=False,
        pool_recycle=1800,
        connect_args={
            "timeout": _CONNECT_TIMEOUT_S,
            "command_timeout": _STATEMENT_TIMEOUT_MS / 1000 + 5,
            "server_settings": {
                "application_name": name,
                "statement_timeout": str(_STATEMENT_TIMEOUT_MS),
                "idle_in_transaction_session_timeout": str(_IDLE_IN_TRANSACTION_MS),
                # The engine's own statements are short; JIT costs more than it saves.
                "jit": "off",
                # Nor do they gain from helpers: starting one takes longer than most of them.
                "max_parallel_workers_per_gather": "0",
                # Day borders (partitions, periods) are UTC's, whatever the cluster's zone is.
                "timezone": "UTC",
            },
        },
    )
    event.listen(engine.sync_engine, "connect", _refuse_privileged)
    return engine


def _refuse_privileged(dbapi_connection: Any, _entry: ConnectionPoolEntry) -> None:
    row = dbapi_connection.run_async(lambda connection: connection.fetchrow(_ROLE_CHECK))
    if row["rolsuper"] or row["rolbypassrls"] or row["owns"]:
        raise PrivilegedRoleError(
            f"The database role {row['rolname']!r} is a superuser, bypasses row level security or"
            " owns the tables, so tenants would not be isolated. Use the logins parley_app"
            " (DATABASE_URL) and parley_system (DATABASE_SYSTEM_URL)."
        )
