"""Telling "the database is away" from "the database said no": only one is worth a wait."""

from sqlalchemy.exc import DBAPIError, InterfaceError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

# SQLSTATE classes: 08 connection exception, 57P01–57P03 shutdown, crash, cannot connect now;
# 53300 too many connections; 25006 read-only: what was the primary before a failover.
_STATES = ("08", "57P", "53300", "25006")


def is_away(error: BaseException) -> bool:
    """Tell whether an error means that PostgreSQL could not be asked, or hung up."""
    if isinstance(error, OSError | TimeoutError | InterfaceError | PoolTimeoutError):
        return True
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    original = getattr(error, "orig", None) or error
    state = getattr(original, "sqlstate", None) or getattr(original, "pgcode", None)
    return isinstance(state, str) and state.startswith(_STATES)
