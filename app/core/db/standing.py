"""A connection kept at hand for one statement that runs all the time, past SQLAlchemy.

Checking a connection out, compiling a statement and adapting its result costs SQLAlchemy more
than asyncpg needs for the whole statement. It is a connection of the pool all the same: the
same login, settings and check of privileges.
"""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.core.db.away import is_away


class StatementRefusedError(Exception):
    """PostgreSQL answered, and said no; the cause tells why. The connection is still good."""


class StandingConnection:
    """Opens with its first statement, and anew after a failure. One statement at a time."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._connection: AsyncConnection | None = None
        self._driver: Any = None

    async def fetch(self, sql: str, *values: object) -> list[Any]:
        """Run a statement in a transaction of its own; return its rows once it is committed.

        Raises:
            StatementRefusedError: the statement cannot be done as it is.
            Exception: PostgreSQL is away (``is_away`` says so), perhaps after the commit.
        """
        driver = await self._open()
        try:
            rows: list[Any] = await driver.fetch(sql, *values)
        except BaseException as error:
            if _is_refusal(error) and not driver.is_closed():
                raise StatementRefusedError(type(error).__name__) from error
            # Broken, timed out or cancelled: nobody knows what its next answer would belong to.
            await self.close()
            if _is_clients(error):
                raise ConnectionError("the connection to PostgreSQL broke") from error
            raise
        return rows

    async def close(self) -> None:
        """End the connection, whatever its state."""
        connection, driver = self._connection, self._driver
        self._connection = self._driver = None
        if connection is not None:
            # At once: a farewell to a server that does not answer would take its time.
            driver.terminate()
            await connection.invalidate()
            await connection.close()

    async def _open(self) -> Any:
        if self._driver is not None and self._driver.is_closed():
            await self.close()
        if self._connection is None:
            connection = await self._engine.connect()
            self._driver = (await connection.get_raw_connection()).driver_connection
            self._connection = connection
        return self._driver


def _is_refusal(error: BaseException) -> bool:
    # Imported on first use: the driver is not needed before the first statement.
    from asyncpg import InterfaceError, PostgresError

    if isinstance(error, PostgresError):
        return not is_away(error)
    # The driver's own refusal: a value that it cannot encode.
    return isinstance(error, InterfaceError) and isinstance(error, ValueError)


def _is_clients(error: BaseException) -> bool:
    from asyncpg import InterfaceError, InternalClientError

    return isinstance(error, InterfaceError | InternalClientError)
