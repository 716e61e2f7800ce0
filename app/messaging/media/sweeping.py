"""Deleting files whose rows are gone, and uploads that nobody sent."""

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.db.engine import Database
from app.core.media.store import MediaStore

_BATCH_MAX = 100
LOOSE_S = 24 * 3600

_GARBAGE = text("select tenant_id, id from media_garbage order by created_at limit :batch_max")
_DONE = text(
    """
    delete from media_garbage g
    using unnest(cast(:tenants as uuid[]), cast(:ids as uuid[])) as d(tenant_id, id)
    where g.tenant_id = d.tenant_id and g.id = d.id
    """
)
_LOOSE = text(
    """
    delete from message_media
    where message_id is null and created_at < now() - make_interval(secs => :loose_s)
    """
)


async def delete_unreferenced(database: Database, store: MediaStore) -> int:
    """Delete a batch of files whose rows are gone; return how many.

    A file's name leaves the list only after the file itself: a crash in between repeats the
    deletion, which does no harm. One that cannot be deleted does not keep the others.

    Raises:
        OSError: some could not be deleted; they stay on the list.
    """
    async with database.system_statement() as connection:
        rows = (await connection.execute(_GARBAGE, {"batch_max": _BATCH_MAX})).all()
    if not rows:
        return 0
    gone: list[tuple[UUID, UUID]] = []
    failed: OSError | None = None
    for row in rows:
        try:
            await store.delete(row.tenant_id, row.id)
        except OSError as error:
            failed = error
        else:
            gone.append((row.tenant_id, row.id))
    values = {"tenants": [t for t, _ in gone], "ids": [i for _, i in gone]}
    async with database.system() as connection:
        await connection.execute(_DONE, values)
    if failed is not None:
        raise failed
    return len(gone)


async def drop_loose(connection: AsyncConnection) -> int:
    """Drop uploads that were not sent within a day; their files follow."""
    return (await connection.execute(_LOOSE, {"loose_s": LOOSE_S})).rowcount
