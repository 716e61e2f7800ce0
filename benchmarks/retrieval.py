"""`parley bench retrieval`: searches among the passages of many businesses in one database.

The passages are made in the database: texts of random words whose frequencies fall as those of a
language do, vectors that are sums of random ones. Searches go through the product's own code as
the login that sees one business; the embedding of the question is measured apart.
"""

import asyncio
import random
import time
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import text

from app.assistant.knowledge import searching
from app.assistant.knowledge.retrieval import Retriever
from app.core.db.engine import Database
from app.llm.embeddings import OpenAIEmbedder, Vector
from benchmarks.businesses import open_businesses
from benchmarks.figures import Column, Report, median, percentile
from benchmarks.servers import Servers, servers

DIMS = 384
MODEL = "benchmark"
_WORDS = 3_000
_SEEDS = 1_500
_MAKE = """
create table bench_seeds as
select n, string_agg(word, ' ') as body, to_tsvector('english', string_agg(word, ' ')) as search,
       (select array_agg(random() - 0.5 + (n + g) * 0)
        from generate_series(1, {dims}) g)::real[]::vector as embedding
from (select n, 'word' || floor({words} * power(random(), 3))::int as word
      from generate_series(1, {seeds}) n, generate_series(1, 40)) w
group by n;
create unique index on bench_seeds (n);
insert into knowledge_documents (tenant_id, id, source_id, kind, title, state, due_at, passages,
                                 language)
select id, gen_random_uuid(), null, 'qa', 'Benchmark', 'ready', null, {chunks}, 'en' from tenants;
insert into knowledge_chunks (tenant_id, id, document_id, place, title, heading, body, tokens,
                              search)
select d.tenant_id, gen_random_uuid(), d.id, p.place, 'Page ' || p.place, '',
       a.body || ' ' || b.body, 110, a.search || b.search
from knowledge_documents d
cross join lateral (
    select place, 1 + floor(random() * {seeds})::int as one,
           1 + floor(random() * {seeds})::int as two
    from generate_series(1, {chunks}) place where d.id is not null) p
join bench_seeds a on a.n = p.one join bench_seeds b on b.n = p.two;
insert into knowledge_vectors (tenant_id, model, chunk_id, dims, embedding)
select c.tenant_id, '{model}', c.id, {dims}, a.embedding + b.embedding
from (select *, 1 + floor(random() * {seeds})::int as one,
           1 + floor(random() * {seeds})::int as two
      from knowledge_chunks) c
join bench_seeds a on a.n = c.one join bench_seeds b on b.n = c.two;
insert into knowledge_generations (tenant_id, model, dims, languages, passages)
select id, '{model}', {dims}, '{{en}}', {chunks} from tenants;
"""
_SETTLE = ("analyze knowledge_chunks", "analyze knowledge_vectors", "analyze knowledge_documents")
_PLAN_NOTES = ("Seq Scan on knowledge_chunks", "Seq Scan on knowledge_vectors")


@dataclass(frozen=True, slots=True)
class Scale:
    """Businesses, passages of each, searches a run, words of a question, questions embedded."""

    tenants: int = 500
    chunks: int = 400
    searches: int = 300
    words: int = 8
    embedded: int = 50


class _AtHand:
    """An embedder whose vectors cost nothing: what is measured is the search."""

    model = MODEL

    async def embed(
        self, texts: list[str], *, timeout_s: float = 0, model: str = ""
    ) -> list[Vector]:
        del timeout_s, model
        return [[random.random() - 0.5 for _ in range(DIMS)] for _ in texts]


def run(runs: int) -> Report:
    """Measure on a machine of its own."""
    with servers() as machine:
        machine.start_simulator()
        return measure(machine, runs, Scale())


def measure(machine: Servers, runs: int, scale: Scale) -> Report:
    """Fill the database once and search ``runs`` times."""
    return asyncio.run(_measure(machine, runs, scale))


async def _measure(machine: Servers, runs: int, scale: Scale) -> Report:
    numbers = await open_businesses(machine.settings, scale.tenants)
    tenants = [UUID(number.tenant_id) for number in numbers]
    filled_s = await _fill(machine.superuser_database_url, scale)
    database = Database.from_settings(machine.settings, pool_size=4)
    embedder = OpenAIEmbedder(machine.settings)
    try:
        retriever = Retriever(database, _AtHand())  # type: ignore[arg-type]
        await _search(retriever, tenants, scale, scale.searches // 5 + 1)
        found = [await _search(retriever, tenants, scale, scale.searches) for _ in range(runs)]
        embedding = await _embed(embedder, scale)
        scans = await _sequential_scans(database, tenants[0], scale)
    finally:
        await embedder.close()
        await database.close()
    p50, p95 = ([percentile(times, share) for times in found] for share in (0.5, 0.95))
    figures = {
        "p50_ms": median(p50),
        "p95_ms": median(p95),
        "embedding_p50_ms": percentile(embedding, 0.5),
        "embedding_p95_ms": percentile(embedding, 0.95),
        "chunks": scale.tenants * scale.chunks,
        "tenants": scale.tenants,
        "sequential_scans": scans,
    }
    columns = [
        Column("search, p50, ms", p50),
        Column("search, p95, ms", p95, "< 50"),
        Column("embedding a question (simulator), p50, ms", [figures["embedding_p50_ms"]]),
        Column("embedding a question (simulator), p95, ms", [figures["embedding_p95_ms"]]),
    ]
    notes = [
        (
            f"{scale.searches} searches a run among {scale.tenants:,} businesses with"
            f" {scale.chunks:,} passages each, made in {filled_s:.0f} s"
        ),
        f"tables that a search reads from end to end: {scans}",
    ]
    return Report("retrieval", figures, columns, notes)


async def _fill(url: str, scale: Scale) -> float:
    began_s = time.perf_counter()
    superuser = await asyncpg.connect(url)
    try:
        names = {"dims": DIMS, "words": _WORDS, "seeds": _SEEDS, "model": MODEL}
        for statement in _MAKE.format(chunks=scale.chunks, **names).split(";\n"):
            if statement.strip():
                await superuser.execute(statement, timeout=600)
        for statement in _SETTLE:
            await superuser.execute(statement)
    finally:
        await superuser.close()
    return time.perf_counter() - began_s


def _question(scale: Scale) -> str:
    words = [f"word{int(_WORDS * random.random() ** 3)}" for _ in range(scale.words)]
    return " ".join(words)


async def _search(
    retriever: Retriever, tenants: list[UUID], scale: Scale, count: int
) -> list[float]:
    times = []
    for _ in range(count):
        began_s = time.perf_counter()
        found = await retriever.search(random.choice(tenants), [_question(scale)])
        times.append((time.perf_counter() - began_s) * 1000)
        if not found:
            raise RuntimeError("a search found nothing")
    return times


async def _embed(embedder: OpenAIEmbedder, scale: Scale) -> list[float]:
    if not scale.embedded:
        return []
    times: list[float] = []
    for place in range(scale.embedded + 1):
        began_s = time.perf_counter()
        await embedder.embed([_question(scale)])
        if place:  # the first one loads the model
            times.append((time.perf_counter() - began_s) * 1000)
    return times


async def _sequential_scans(database: Database, tenant_id: UUID, scale: Scale) -> int:
    """How many of the two large tables the search's plan reads without an index."""
    async with database.tenant(tenant_id) as connection:
        state = await searching.generation(connection, tenant_id)
        if state is None:
            raise RuntimeError("nothing was made")
        vector = (await _AtHand().embed(["x"]))[0]
        values: dict[str, Any] = searching.values_of(tenant_id, state, _question(scale), vector)
        statement = text(f"explain {searching.statement(0, True).text}")
        plan = "\n".join((await connection.execute(statement, values)).scalars())
    return sum(note in plan for note in _PLAN_NOTES)
