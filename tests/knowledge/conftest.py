"""A world for the knowledge: one database, and an embedder whose vectors count words."""

import hashlib
import math
from collections.abc import AsyncIterator, Sequence

import pytest

from app.assistant.knowledge.indexing import Indexer
from app.core.errors import ProviderError
from app.llm.embeddings import Vector
from tests.databases import Databases
from tests.worlds import Shop, World, open_world

DIMS = 384


class WordCounts:
    """Vectors that point alike when texts share words; away on demand."""

    def __init__(self, model: str = "words-1", dims: int = DIMS) -> None:
        self.model = model
        self.dims = dims
        self.away = False
        self.calls: list[list[str]] = []

    async def embed(
        self, texts: Sequence[str], *, timeout_s: float = 0, model: str = ""
    ) -> list[Vector]:
        del timeout_s, model
        if self.away:
            raise ProviderError("llm", "away")
        self.calls.append(list(texts))
        return [self._vector(text) for text in texts]

    def _vector(self, text: str) -> Vector:
        vector = [0.001] * self.dims
        for word in text.lower().replace("?", "").split():
            digest = hashlib.blake2b(word.encode(), digest_size=4).digest()
            vector[int.from_bytes(digest, "big") % self.dims] += 1
        length = math.hypot(*vector)
        return [value / length for value in vector]


@pytest.fixture(scope="package")
async def world(databases: Databases, redis_server_url: str) -> AsyncIterator[World]:
    async with open_world(databases, redis_server_url) as world:
        yield world


@pytest.fixture
async def shop(world: World) -> Shop:
    # Work of other tests would be claimed along.
    await world.run("update knowledge_documents set due_at = null")
    await world.run("delete from knowledge_generations")
    return await world.open_shop(balance=0)


@pytest.fixture
def embedder() -> WordCounts:
    return WordCounts()


class NoCrawler:
    """For tests without pages."""


@pytest.fixture
def indexer(world: World, embedder: WordCounts) -> Indexer:
    return Indexer(world.db, embedder, NoCrawler(), polite_s=0)  # type: ignore[arg-type]


async def read_all(indexer: Indexer) -> None:
    for _ in range(60):
        if not await indexer.work_batch():
            return
    raise AssertionError("documents are due for ever")
