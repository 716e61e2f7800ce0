"""Finding the passages that answer a question: by meaning and by words, fused by rank."""

import logging
import math
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from app.assistant.knowledge import curated as curated_answers
from app.assistant.knowledge.curated import Curated
from app.assistant.knowledge.ranking import Ranked, rank
from app.assistant.knowledge.searching import Generation, candidates, generation
from app.core.db.engine import Database
from app.core.errors import ProviderError
from app.llm.embeddings import Embedder, Vector

log = logging.getLogger(__name__)

QUERIES_MAX = 4
QUERY_CHARS_MAX = 2_000
EMBED_TIMEOUT_S = 4.0
"""A customer waits: without vectors in time, words alone decide."""
_REMEMBERED_MAX = 512
_REMEMBERED_S = 300.0


@dataclass(frozen=True, slots=True)
class Passage:
    """A passage that was found.

    Attributes:
        source_id: the file, page or site it comes from; for a pair its own id.
        document_id: the file, the very page, or the pair.
        kind: ``qa``, ``file`` or ``page``.
        title: the document's, with the path of headings behind `` › ``.
        text: the passage; a pair's answer.
        score: 0 to 1, the fused rank; comparable between searches.
        answerable: 0 to 1, how likely the passage answers the question at all.
        cosine: nearness of meaning; None when words alone decided.
        words: share of the question's words, by their rarity, that stand in it.
    """

    source_id: UUID
    document_id: UUID
    chunk_id: UUID
    kind: str
    title: str
    url: str | None
    text: str
    score: float
    answerable: float
    cosine: float | None
    words: float
    language: str | None


class Retriever:
    """Searches tenants' knowledge. One instance an event loop.

    Args:
        database: searches open short transactions of their own.
        embedder: what embeds questions.
    """

    def __init__(self, database: Database, embedder: Embedder) -> None:
        self._database = database
        self._embedder = embedder
        self._remembered: OrderedDict[tuple[str, str], tuple[float, Vector]] = OrderedDict()

    async def search(
        self, tenant_id: UUID, queries: Sequence[str], *, limit: int = 5
    ) -> list[Passage]:
        """Return the best passages for a question in one or several wordings, the best first.

        Args:
            tenant_id: whose knowledge.
            queries: the customer's words first, then rewritings and translations of them.
            limit: how many passages at most.

        When questions cannot be embedded, the full text search answers alone.
        """
        wanted = list(dict.fromkeys(q.strip()[:QUERY_CHARS_MAX] for q in queries if q.strip()))
        wanted = wanted[:QUERIES_MAX]
        state = await self.generation(tenant_id) if wanted else None
        if state is None or not state.passages:
            return []
        vectors = await self._vectors(state, wanted)
        async with self._database.tenant(tenant_id) as connection:
            found = [
                await candidates(connection, tenant_id, state, query, vector)
                for query, vector in zip(wanted, vectors, strict=True)
            ]
        return [_passage(item) for item in rank(found, limit=limit)]

    async def generation(self, tenant_id: UUID) -> Generation | None:
        """Return what the tenant's searches run on: languages, model, number of passages."""
        async with self._database.tenant(tenant_id) as connection:
            return await generation(connection, tenant_id)

    async def curated(
        self, connection: AsyncConnection, tenant_id: UUID, text: str
    ) -> Curated | None:
        """Return the approved pair whose question is the customer's whole message, if any.

        Reads in the caller's transaction, without network.
        """
        return await curated_answers.find(connection, tenant_id, text)

    async def _vectors(self, state: Generation, queries: Sequence[str]) -> list[Vector | None]:
        known = [self._recall(state.model, query) for query in queries]
        missing = [q for q, vector in zip(queries, known, strict=True) if vector is None]
        if not missing:
            return known
        try:
            made = await self._embedder.embed(missing, timeout_s=EMBED_TIMEOUT_S, model=state.model)
        except ProviderError as error:
            log.warning("searching by words alone", extra={"status": error.status_code})
            return known
        usable = [vector for vector in made if len(vector) == state.dims]
        if len(usable) != len(missing):
            log.warning("the embedding model changed its width", extra={"count": state.dims})
            return known
        fresh = dict(zip(missing, usable, strict=True))
        for query, vector in fresh.items():
            self._remember(state.model, query, vector)
        return [fresh.get(q, vector) for q, vector in zip(queries, known, strict=True)]

    def _recall(self, model: str, query: str) -> Vector | None:
        found = self._remembered.get((model, query))
        if found is None or time.monotonic() - found[0] > _REMEMBERED_S:
            return None
        self._remembered.move_to_end((model, query))
        return found[1]

    def _remember(self, model: str, query: str, vector: Vector) -> None:
        self._remembered[model, query] = (time.monotonic(), vector)
        while len(self._remembered) > _REMEMBERED_MAX:
            self._remembered.popitem(last=False)


def _passage(item: Ranked) -> Passage:
    found = item.candidate
    # A pair's heading is its other wordings.
    under = found.heading if found.kind != "qa" else ""
    title = f"{found.title} › {under}" if under else found.title
    share = found.matched / found.asked if found.asked else 0.0
    return Passage(
        source_id=found.source_id or found.document_id,
        document_id=found.document_id,
        chunk_id=found.chunk_id,
        kind=found.kind,
        title=title,
        url=found.url,
        text=found.body,
        score=round(item.score, 4),
        answerable=round(item.answerable, 4),
        cosine=found.cosine if found.cosine is None else round(found.cosine, 4),
        words=round(share if math.isfinite(share) else 0.0, 4),
        language=found.language,
    )
