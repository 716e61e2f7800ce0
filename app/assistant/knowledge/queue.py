"""The queue of documents to be read: claimed by lease, so that a killed worker's are taken over.

A document that is due has a ``due_at``; a claim moves it past the lease. Whoever finishes must
still have the document's version and attempt: a writer that lost its lease matches nothing.
"""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

LEASE_S = 180.0
BATCH_MAX = 4
ATTEMPTS_MAX = 6
_FIRST_PAUSE_S = 15.0

_TAKE = """
    update knowledge_documents d
    set state = 'reading', attempts = d.attempts + 1,
        due_at = now() + make_interval(secs => :lease_s)
    from taken where d.tenant_id = taken.tenant_id and d.id = taken.id
    returning d.tenant_id, d.id, d.source_id, d.kind, d.title, d.url, d.version, d.attempts,
              d.depth, d.round, d.checksum, d.etag, d.last_modified, d.bytes
"""
# In turns over the tenants: one with a thousand files does not hold up another's first.
_CLAIM = text(
    f"""
    with due as (
        select tenant_id, id, due_at, row_number() over (partition by tenant_id order by due_at) n
        from knowledge_documents where due_at <= now() and kind <> 'page'
    ),
    taken as (
        select d.tenant_id, d.id from knowledge_documents d
        join due on due.tenant_id = d.tenant_id and due.id = d.id
        where d.due_at <= now()
        order by due.n, due.due_at limit :batch_max for update of d skip locked
    )
    {_TAKE}
    """  # noqa: S608 - our own words
)
# Of a site one page at a time, and none before the pause is over: its row is locked meanwhile.
_CLAIM_PAGES = text(
    f"""
    with sites as (
        select s.tenant_id, s.id from knowledge_sources s
        where s.kind <> 'file' and s.polite_until <= now() and exists (
            select 1 from knowledge_documents d
            where d.tenant_id = s.tenant_id and d.source_id = s.id and d.due_at <= now())
        limit :batch_max for update of s skip locked
    ),
    paused as (
        update knowledge_sources s set polite_until = now() + make_interval(secs => :delay_s)
        from sites where s.tenant_id = sites.tenant_id and s.id = sites.id
        returning s.tenant_id, s.id
    ),
    taken as (
        select p.tenant_id, (
            select d.id from knowledge_documents d
            where d.tenant_id = p.tenant_id and d.source_id = p.id and d.due_at <= now()
            order by d.depth, d.due_at, d.id limit 1) as id
        from paused p
    )
    {_TAKE}
    """  # noqa: S608 - our own words
)
_STILL_OURS = "tenant_id = :tenant_id and id = :id and version = :version and attempts = :attempts"
_READY = text(
    f"""
    update knowledge_documents
    set state = 'ready', failure = null, due_at = null, attempts = 0, read_at = now(),
        title = :title, language = :language, passages = :passages, checksum = :checksum,
        etag = :etag, last_modified = :last_modified, bytes = :bytes
    where {_STILL_OURS}
    """  # noqa: S608 - our own words
)
_UNCHANGED = text(
    f"""
    update knowledge_documents
    set state = 'ready', failure = null, due_at = null, attempts = 0, read_at = now()
    where {_STILL_OURS}
    """  # noqa: S608
)
_AGAIN = text(
    f"""
    update knowledge_documents
    set state = 'queued', due_at = now() + make_interval(secs => :pause_s) where {_STILL_OURS}
    """  # noqa: S608
)
_FAILED = text(
    f"""
    update knowledge_documents set state = 'failed', failure = :failure, due_at = null
    where {_STILL_OURS}
    """  # noqa: S608
)
_LOCK = text(f"select 1 from knowledge_documents where {_STILL_OURS} for update")  # noqa: S608
_GONE = text(f"delete from knowledge_documents where {_STILL_OURS} and depth > 0")  # noqa: S608


@dataclass(frozen=True, slots=True)
class Claimed:
    """A document that this process reads now."""

    tenant_id: UUID
    id: UUID
    source_id: UUID | None
    kind: str
    title: str
    url: str | None
    version: int
    attempts: int
    depth: int
    round: int
    checksum: str | None
    etag: str | None
    last_modified: str | None
    bytes: int

    @property
    def key(self) -> dict[str, object]:
        """What a write must still match."""
        return {
            "tenant_id": self.tenant_id,
            "id": self.id,
            "version": self.version,
            "attempts": self.attempts,
        }


async def claim(
    connection: AsyncConnection, *, polite_s: float, batch_max: int = BATCH_MAX
) -> list[Claimed]:
    """Take some documents that are due: files and pairs, and a page of each site."""
    values = {"lease_s": LEASE_S, "batch_max": batch_max}
    files = await connection.execute(_CLAIM, values)
    pages = await connection.execute(_CLAIM_PAGES, {**values, "delay_s": polite_s})
    return [Claimed(*row) for row in (*files, *pages)]


async def lock(connection: AsyncConnection, claimed: Claimed) -> bool:
    """Lock a claimed document; False when it is no longer ours."""
    return await connection.scalar(_LOCK, claimed.key) is not None


async def mark_ready(
    connection: AsyncConnection,
    claimed: Claimed,
    *,
    title: str,
    language: str | None,
    passages: int,
    checksum: str | None,
    etag: str | None = None,
    last_modified: str | None = None,
    bytes_read: int = 0,
) -> None:
    """The document was read."""
    values = {
        "title": title,
        "language": language,
        "passages": passages,
        "checksum": checksum,
        "etag": etag,
        "last_modified": last_modified,
        "bytes": bytes_read or claimed.bytes,
    }
    await connection.execute(_READY, {**claimed.key, **values})


async def mark_unchanged(connection: AsyncConnection, claimed: Claimed) -> None:
    """The page is as it was when it was last read."""
    await connection.execute(_UNCHANGED, claimed.key)


async def mark_failed(connection: AsyncConnection, claimed: Claimed, failure: str) -> None:
    """The document cannot be read, for a reason that the owner is told; what was read stays."""
    await connection.execute(_FAILED, {**claimed.key, "failure": failure})


async def mark_gone(connection: AsyncConnection, claimed: Claimed) -> None:
    """The page is no longer there; a site's first page stays, and says so."""
    done = await connection.execute(_GONE, claimed.key)
    if not done.rowcount:
        await mark_failed(connection, claimed, "gone")


async def put_back(connection: AsyncConnection, claimed: Claimed, failure: str) -> None:
    """Try again later, with growing pauses; after six attempts the document has failed."""
    if claimed.attempts >= ATTEMPTS_MAX:
        await mark_failed(connection, claimed, failure)
        return
    pause_s = _FIRST_PAUSE_S * 2 ** (claimed.attempts - 1)
    await connection.execute(_AGAIN, {**claimed.key, "pause_s": pause_s})
