"""The schema this code needs; ``/readyz`` compares it with the database, a test with Alembic."""

from sqlalchemy import text

from app.core.db.engine import Database

SCHEMA_REVISION = "0017"

_CURRENT = text("select version_num from alembic_version")


async def is_migrated(database: Database) -> bool:
    """Tell whether the database has this revision, or a newer one (expand before contract)."""
    async with database.system_statement() as connection:
        found = await connection.scalar(_CURRENT)
    return found is not None and str(found) >= SCHEMA_REVISION
