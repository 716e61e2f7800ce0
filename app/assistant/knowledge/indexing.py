"""Reading what is due: a file, a page or a pair becomes passages with vectors.

Nothing is held while a file is read, a page fetched or the model asked; what comes of it is
stored in one transaction. A worker that dies leaves a document that is due again after its lease.
"""

import asyncio
import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text

from app.assistant.knowledge import generations, queue, storing
from app.assistant.knowledge.chunking import Chunk, chunks_of, tokens_of
from app.assistant.knowledge.crawling import Crawler, FetchError, Unchanged
from app.assistant.knowledge.documents import Document, UnreadableError, titled
from app.assistant.knowledge.frontier import add_pages
from app.assistant.knowledge.languages import detect
from app.assistant.knowledge.queue import Claimed
from app.assistant.knowledge.reading import kind_of, read
from app.core.db.engine import Database
from app.core.errors import ProviderError
from app.core.observability.context import bind
from app.core.observability.sentry import capture
from app.llm.embeddings import Embedder, Vector

log = logging.getLogger(__name__)

_OUTDATED_TENANTS = 4
_LANGUAGE_CHARS = 6_000
_ANSWER = text(
    "select question, answer, alternatives, status from question_answers"
    " where tenant_id = :tenant_id and id = :id"
)
_UPLOAD = text(
    "select filename, body from knowledge_uploads"
    " where tenant_id = :tenant_id and document_id = :id"
)
_DROP_UPLOAD = text(
    "delete from knowledge_uploads where tenant_id = :tenant_id and document_id = :id"
)


@dataclass(frozen=True, slots=True)
class _Read:
    """A document as it will be stored."""

    title: str
    chunks: list[Chunk]
    language: str | None
    checksum: str | None = None
    etag: str | None = None
    last_modified: str | None = None
    bytes_read: int = 0
    links: Sequence[str] = ()


class Indexer:
    """Reads due documents. Use from one event loop.

    Args:
        database: what is read belongs to a tenant; what is due is found over all of them.
        embedder: what embeds passages.
        crawler: what fetches pages.
        polite_s: pause between two pages of a site, in seconds.
        batch_max: how many files and pairs are read at once, and how many sites' pages.
    """

    def __init__(
        self,
        database: Database,
        embedder: Embedder,
        crawler: Crawler,
        *,
        polite_s: float = 1.0,
        batch_max: int = queue.BATCH_MAX,
    ) -> None:
        self._batch_max = batch_max
        self._database = database
        self._embedder = embedder
        self._crawler = crawler
        self._polite_s = polite_s

    async def work_batch(self) -> bool:
        """Read some documents and move tenants to the current model; True when more may wait."""
        async with self._database.system() as connection:
            claimed = await queue.claim(
                connection, polite_s=self._polite_s, batch_max=self._batch_max
            )
        await asyncio.gather(*(self._work(item) for item in claimed))
        return await self._change_models() or len(claimed) > 0

    async def _work(self, claimed: Claimed) -> None:
        with bind(tenant_id=claimed.tenant_id):
            try:
                await self._index(claimed)
            except UnreadableError as error:
                await self._end(claimed, error.reason)
            except FetchError as error:
                await self._fetch_failed(claimed, error)
            except ProviderError as error:
                log.info("a document waits", extra={"status": error.status_code})
                await self._put_back(claimed, "embedding_away")
            except Exception as error:  # noqa: BLE001 - one document must not stop the others
                log.warning("a document failed", extra={"errorType": type(error).__name__})
                capture(error, tenant_id=claimed.tenant_id)
                await self._put_back(claimed, "internal")

    async def _index(self, claimed: Claimed) -> None:
        found = await self._read(claimed)
        if found is None:
            async with self._database.tenant(claimed.tenant_id) as connection:
                await queue.mark_unchanged(connection, claimed)
            return
        model, vectors = await self._embed(claimed, found.chunks)
        if not await self._store(claimed, found, model, vectors):
            # The model changed meanwhile, or somebody else has the document now.
            log.info("a document was read in vain")

    async def _read(self, claimed: Claimed) -> _Read | None:
        """Return what the document says; None when it says what it said before."""
        if claimed.kind == "qa":
            return await self._read_answer(claimed)
        if claimed.kind == "file":
            return await self._read_file(claimed)
        return await self._read_page(claimed)

    async def _read_answer(self, claimed: Claimed) -> _Read:
        async with self._database.tenant(claimed.tenant_id) as connection:
            row = (
                await connection.execute(
                    _ANSWER, {"tenant_id": claimed.tenant_id, "id": claimed.id}
                )
            ).one_or_none()
        if row is None or row.status != "approved":
            return _Read(claimed.title, [], None)
        wordings = " / ".join(row.alternatives)
        size = tokens_of(f"{row.question} {wordings} {row.answer}")
        chunk = Chunk(row.question, wordings, row.answer, size)
        language = detect(f"{row.question} {row.answer}")
        return _Read(row.question, [chunk], language)

    async def _read_file(self, claimed: Claimed) -> _Read:
        values = {"tenant_id": claimed.tenant_id, "id": claimed.id}
        async with self._database.tenant(claimed.tenant_id) as connection:
            row = (await connection.execute(_UPLOAD, values)).one_or_none()
        if row is None:
            raise UnreadableError("gone")
        body = bytes(row.body)
        document = await read(kind_of(row.filename, body), body)
        return await _prepared(document, row.filename, body)

    async def _read_page(self, claimed: Claimed) -> _Read | None:
        fetched = await self._crawler.fetch(
            claimed.url or "", etag=claimed.etag, last_modified=claimed.last_modified
        )
        if isinstance(fetched, Unchanged):
            return None
        links = list(fetched.more)
        if _checksum(fetched.body) == claimed.checksum:
            return None
        document = await read(kind_of(fetched.name, fetched.body, fetched.media_type), fetched.body)
        if document.follow:
            links += document.links
        if not document.index:
            raise UnreadableError("noindex")
        found = await _prepared(document, fetched.name, fetched.body)
        return _Read(
            found.title,
            found.chunks,
            found.language,
            found.checksum,
            fetched.etag,
            fetched.last_modified,
            found.bytes_read,
            links,
        )

    async def _embed(self, claimed: Claimed, chunks: list[Chunk]) -> tuple[str, list[Vector]]:
        async with self._database.tenant(claimed.tenant_id) as connection:
            current = await generations.lock(connection, claimed.tenant_id)
        model = current.model if current else self._embedder.model
        texts = [chunk.embedded for chunk in chunks]
        return model, await self._embedder.embed(texts, model=model) if texts else []

    async def _store(
        self, claimed: Claimed, found: _Read, model: str, vectors: list[Vector]
    ) -> bool:
        tenant_id = claimed.tenant_id
        async with self._database.tenant(tenant_id) as connection:
            if not await queue.lock(connection, claimed):
                return False
            if vectors:
                current = await generations.begin(connection, tenant_id, model, len(vectors[0]))
                if current.model != model:
                    await queue.put_back(connection, claimed, "internal")
                    return False
            else:
                await generations.lock(connection, tenant_id)
            await storing.replace(
                connection,
                tenant_id,
                claimed.id,
                found.chunks,
                vectors,
                model=model,
                language=found.language,
            )
            await queue.mark_ready(
                connection,
                claimed,
                title=found.title,
                language=found.language,
                passages=len(found.chunks),
                checksum=found.checksum,
                etag=found.etag,
                last_modified=found.last_modified,
                bytes_read=found.bytes_read,
            )
            await generations.count(connection, tenant_id)
            values = {"tenant_id": tenant_id, "id": claimed.id}
            await connection.execute(_DROP_UPLOAD, values)
            if found.links and claimed.source_id is not None:
                await add_pages(connection, claimed, found.links)
        log.info("a document was read", extra={"count": len(found.chunks)})
        return True

    async def _fetch_failed(self, claimed: Claimed, error: FetchError) -> None:
        if error.reason == "gone":
            async with self._database.tenant(claimed.tenant_id) as connection:
                await queue.mark_gone(connection, claimed)
                await generations.lock(connection, claimed.tenant_id)
                await generations.count(connection, claimed.tenant_id)
        elif error.retryable:
            await self._put_back(claimed, error.reason)
        else:
            await self._end(claimed, error.reason)

    async def _end(self, claimed: Claimed, reason: str) -> None:
        async with self._database.tenant(claimed.tenant_id) as connection:
            await queue.mark_failed(connection, claimed, reason)

    async def _put_back(self, claimed: Claimed, reason: str) -> None:
        async with self._database.tenant(claimed.tenant_id) as connection:
            await queue.put_back(connection, claimed, reason)

    async def _change_models(self) -> bool:
        async with self._database.system() as connection:
            tenants = await generations.outdated(
                connection, self._embedder.model, tenants_max=_OUTDATED_TENANTS
            )
        try:
            for tenant_id in tenants:
                await generations.advance(self._database, self._embedder, tenant_id)
        except ProviderError as error:
            log.info("vectors wait for their model", extra={"status": error.status_code})
            return False
        return len(tenants) > 0


async def _prepared(document: Document, name: str, body: bytes) -> _Read:
    title = titled(document.title, name)
    chunks = await asyncio.to_thread(chunks_of, document, title)
    if not chunks:
        raise UnreadableError("empty")
    return _Read(
        title,
        chunks,
        detect(document.text[:_LANGUAGE_CHARS]),
        _checksum(body),
        bytes_read=len(body),
    )


def _checksum(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
