"""Adding files, pages and sites, and reading them anew: rows only; workers do the reading."""

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core import ids
from app.core.errors import NotFoundError

_SOURCE = text(
    """
    insert into knowledge_sources (tenant_id, id, kind, title, url, depth_max, pages_max,
                                   sync_every_h, next_sync_at, created_by)
    values (:tenant_id, :id, :kind, :title, :url, :depth_max, :pages_max, :sync_every_h,
            now() + make_interval(hours => cast(:sync_every_h as int)), :created_by)
    """
)
_DOCUMENT = text(
    """
    insert into knowledge_documents (tenant_id, id, source_id, kind, title, url, bytes)
    values (:tenant_id, :id, :source_id, :kind, :title, :url, :bytes)
    """
)
_UPLOAD = text(
    "insert into knowledge_uploads (tenant_id, document_id, filename, body)"
    " values (:tenant_id, :document_id, :filename, :body)"
)
# All known pages are looked at again; what has not changed costs a conditional request.
_AGAIN = text(
    """
    with begun as (
        update knowledge_sources
        set round = round + 1, synced_at = now(),
            next_sync_at = now() + make_interval(hours => sync_every_h)
        where tenant_id = :tenant_id and id = :id and kind <> 'file' returning round
    )
    update knowledge_documents d
    set state = 'queued', failure = null, attempts = 0, due_at = now(), version = version + 1,
        round = begun.round
    from begun where d.tenant_id = :tenant_id and d.source_id = :id
    """
)
_DUE = text(
    """
    with begun as (
        update knowledge_sources s
        set round = round + 1, synced_at = now(),
            next_sync_at = now() + make_interval(hours => sync_every_h)
        where (tenant_id, id) in (
            select tenant_id, id from knowledge_sources where next_sync_at <= now()
            order by next_sync_at limit :sources_max for update skip locked)
        returning tenant_id, id, round
    )
    update knowledge_documents d
    set state = 'queued', failure = null, attempts = 0, due_at = now(), version = version + 1,
        round = begun.round
    from begun where d.tenant_id = begun.tenant_id and d.source_id = begun.id
    """
)
_REMOVE = text(
    "delete from knowledge_sources where tenant_id = :tenant_id and id = :id returning title"
)
SOURCES_A_RUN = 20


async def add_file(
    connection: AsyncConnection,
    tenant_id: UUID,
    filename: str,
    body: bytes,
    *,
    created_by: UUID | None = None,
) -> UUID:
    """Keep an uploaded file until a worker has read it; return its source."""
    source_id, document_id = ids.uuid7(), ids.uuid7()
    await _add_source(
        connection, tenant_id, source_id, kind="file", title=filename, created_by=created_by
    )
    own = {"tenant_id": tenant_id}
    document = {**own, "id": document_id, "source_id": source_id, "kind": "file"}
    await connection.execute(
        _DOCUMENT, {**document, "title": filename, "url": None, "bytes": len(body)}
    )
    upload = {**own, "document_id": document_id, "filename": filename, "body": body}
    await connection.execute(_UPLOAD, upload)
    return source_id


async def add_web(
    connection: AsyncConnection,
    tenant_id: UUID,
    url: str,
    *,
    title: str,
    depth_max: int = 0,
    pages_max: int = 1,
    sync_every_h: int | None = None,
    created_by: UUID | None = None,
) -> UUID:
    """Add a page, or with more than one page a site; return its source."""
    source_id = ids.uuid7()
    await _add_source(
        connection,
        tenant_id,
        source_id,
        kind="page" if pages_max == 1 else "site",
        title=title,
        url=url,
        depth_max=depth_max,
        pages_max=pages_max,
        sync_every_h=sync_every_h,
        created_by=created_by,
    )
    values = {"tenant_id": tenant_id, "id": ids.uuid7(), "source_id": source_id, "kind": "page"}
    await connection.execute(_DOCUMENT, {**values, "title": title, "url": url, "bytes": 0})
    return source_id


async def read_again(connection: AsyncConnection, tenant_id: UUID, source_id: UUID) -> None:
    """Let all pages of a page or site be read again; NotFoundError for anything else."""
    done = await connection.execute(_AGAIN, {"tenant_id": tenant_id, "id": source_id})
    if not done.rowcount:
        raise NotFoundError("There is no such page or site.")


async def begin_due_syncs(connection: AsyncConnection) -> int:
    """Let the pages of sources whose time has come be read again; return how many pages."""
    return (await connection.execute(_DUE, {"sources_max": SOURCES_A_RUN})).rowcount


async def remove(connection: AsyncConnection, tenant_id: UUID, source_id: UUID) -> str:
    """Delete a source with all that was read from it; return its title."""
    title = await connection.scalar(_REMOVE, {"tenant_id": tenant_id, "id": source_id})
    if title is None:
        raise NotFoundError("There is no such source.")
    return str(title)


async def _add_source(
    connection: AsyncConnection,
    tenant_id: UUID,
    source_id: UUID,
    *,
    kind: str,
    title: str,
    url: str | None = None,
    depth_max: int = 0,
    pages_max: int = 1,
    sync_every_h: int | None = None,
    created_by: UUID | None = None,
) -> None:
    values = {
        "tenant_id": tenant_id,
        "id": source_id,
        "kind": kind,
        "title": title,
        "url": url,
        "depth_max": depth_max,
        "pages_max": pages_max,
        "sync_every_h": sync_every_h,
        "created_by": created_by,
    }
    await connection.execute(_SOURCE, values)
