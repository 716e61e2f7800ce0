"""What a business has taught, as its people see it: sources with their progress, and documents."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.errors import NotFoundError

_SOURCES = text(
    """
    select s.id, s.kind, s.title, s.url, s.pages_max, s.sync_every_h, s.next_sync_at, s.created_at,
           d.known, d.waiting, d.failed, d.passages, d.bytes, d.read_at, d.failure
    from knowledge_sources s
    cross join lateral (
        select count(*) as known,
               count(*) filter (where state in ('queued', 'reading')) as waiting,
               count(*) filter (where state = 'failed') as failed,
               coalesce(sum(passages), 0) as passages, coalesce(sum(bytes), 0) as bytes,
               max(read_at) as read_at,
               (array_agg(failure order by depth, id) filter (where state = 'failed'))[1] as failure
        from knowledge_documents d where d.tenant_id = s.tenant_id and d.source_id = s.id) d
    where s.tenant_id = :tenant_id
      and (cast(:source_id as uuid) is null or s.id = :source_id)
      and (cast(:after_id as uuid) is null or s.id < :after_id)
    order by s.id desc limit :rows_max
    """
)
_DOCUMENTS = text(
    """
    select id, title, url, state, failure, passages, bytes, language, read_at
    from knowledge_documents
    where tenant_id = :tenant_id and source_id = :source_id
      and (cast(:after_id as uuid) is null or id > :after_id)
    order by id limit :rows_max
    """
)
_FIGURES = text(
    """
    select (select count(*) from knowledge_sources where tenant_id = :tenant_id) as sources,
           coalesce((select passages from knowledge_generations where tenant_id = :tenant_id), 0)
               as passages,
           (select count(*) from question_answers
            where tenant_id = :tenant_id and status = 'approved') as approved,
           (select count(*) from question_answers
            where tenant_id = :tenant_id and status = 'pending') as pending,
           (select count(*) from unanswered_questions
            where tenant_id = :tenant_id and state = 'open') as unanswered
    """
)


@dataclass(frozen=True, slots=True)
class Source:
    """A file, a page or a site with the state of its documents.

    Attributes:
        known: documents known so far; a site's grow while it is read.
        waiting: those that are still to be read.
        failure: why its first failed document could not be read, as a word.
    """

    id: UUID
    kind: str
    title: str
    url: str | None
    pages_max: int
    sync_every_h: int | None
    next_sync_at: datetime | None
    created_at: datetime
    known: int
    waiting: int
    failed: int
    passages: int
    bytes: int
    read_at: datetime | None
    failure: str | None

    @property
    def state(self) -> str:
        """``reading`` while something waits; ``failed`` when nothing could be read; ``ready``."""
        if self.waiting:
            return "reading"
        return "failed" if self.failed and self.failed == self.known else "ready"

    @property
    def done_share(self) -> float:
        """Share of the known documents that are done, 0 to 1."""
        return (self.known - self.waiting) / self.known if self.known else 0.0


@dataclass(frozen=True, slots=True)
class Item:
    """A document of a source."""

    id: UUID
    title: str
    url: str | None
    state: str
    failure: str | None
    passages: int
    bytes: int
    language: str | None
    read_at: datetime | None


@dataclass(frozen=True, slots=True)
class Figures:
    """How much there is of everything."""

    sources: int
    passages: int
    approved: int
    pending: int
    unanswered: int


async def figures(connection: AsyncConnection, tenant_id: UUID) -> Figures:
    """Return how much a tenant has taught."""
    return Figures(*(await connection.execute(_FIGURES, {"tenant_id": tenant_id})).one())


async def list_sources(
    connection: AsyncConnection, tenant_id: UUID, *, after_id: UUID | None, rows_max: int
) -> list[Source]:
    """Return sources, the newest first."""
    values = {
        "tenant_id": tenant_id,
        "source_id": None,
        "after_id": after_id,
        "rows_max": rows_max,
    }
    return [Source(*row) for row in await connection.execute(_SOURCES, values)]


async def get_source(connection: AsyncConnection, tenant_id: UUID, source_id: UUID) -> Source:
    """Return a source; NotFoundError when there is none of that id."""
    values = {"tenant_id": tenant_id, "source_id": source_id, "after_id": None, "rows_max": 1}
    row = (await connection.execute(_SOURCES, values)).one_or_none()
    if row is None:
        raise NotFoundError("There is no such source.")
    return Source(*row)


async def list_documents(
    connection: AsyncConnection,
    tenant_id: UUID,
    source_id: UUID,
    *,
    after_id: UUID | None,
    rows_max: int,
) -> list[Item]:
    """Return a source's documents in the order in which they were found."""
    values = {
        "tenant_id": tenant_id,
        "source_id": source_id,
        "after_id": after_id,
        "rows_max": rows_max,
    }
    return [Item(*row) for row in await connection.execute(_DOCUMENTS, values)]
