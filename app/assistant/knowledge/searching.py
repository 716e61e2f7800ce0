"""The one statement of a search: nearest vectors and best words of a tenant, with their figures.

Words are weighed by their rarity in the tenant's own passages (as BM25 does), which PostgreSQL's
rank alone does not do. Each tenant's passages are scanned exactly: 20 000 take some tens of
milliseconds, and a filter over an approximate index would lose rows. Beyond that the vectors
come from a graph index (HNSW) that goes on until enough of the tenant's own were found.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.assistant.knowledge.languages import configuration
from app.assistant.knowledge.terms import codes
from app.llm.embeddings import Vector

GRAPH_WIDTHS = {384: "vector", 768: "vector", 1024: "vector", 1536: "vector", 3072: "halfvec"}
"""Widths that have a graph index, and the type it is over; see migration 0006."""
CANDIDATES_MAX = 40
_TERMS_MAX = 32

_GENERATION = text(
    "select model, dims, graph, languages, passages from knowledge_generations"
    " where tenant_id = :tenant_id"
)
_GRAPH_SETTINGS = text(
    "select set_config('hnsw.iterative_scan', 'strict_order', true),"
    " set_config('hnsw.ef_search', '100', true)"
)
_NEAREST = """
    select v.chunk_id,
           (1 - (v.embedding <=> cast(cast(:vector as real[]) as vector)))::float8 as cosine
    from knowledge_vectors v
    where v.tenant_id = :tenant_id and v.model = :model
    order by v.embedding <=> cast(cast(:vector as real[]) as vector) limit :candidates_max
"""
_NEAREST_GRAPH = """
    select v.chunk_id, (1 - (cast(v.embedding as {kind}({dims}))
        <=> cast(cast(cast(:vector as real[]) as vector) as {kind}({dims}))))::float8 as cosine
    from knowledge_vectors v
    where v.tenant_id = :tenant_id and v.model = :model and v.dims = {dims} and v.in_graph
    order by cast(v.embedding as {kind}({dims}))
        <=> cast(cast(cast(:vector as real[]) as vector) as {kind}({dims})) limit :candidates_max
"""
# Without a vector (the model's service is away) words alone decide.
_NO_VECTOR = "select cast(null as uuid) as chunk_id, cast(null as float8) as cosine where false"
_COSINE = """
    coalesce(n.cosine, (
        select (1 - (v.embedding <=> cast(cast(:vector as real[]) as vector)))::float8
        from knowledge_vectors v where v.tenant_id = :tenant_id and v.model = :model
          and v.chunk_id = c.id))
"""
_SEARCH = """
with nearest as materialized ({nearest}),
terms as materialized (
    select t.term, cast(quote_literal(t.term) as tsquery) as query
    from (select distinct term from (
        select unnest(tsvector_to_array(to_tsvector(cast(f as regconfig), :question))) as term
        from unnest(cast(:configs as text[])) f
        union all select unnest(cast(:codes as text[]))) all_terms
        order by term limit :terms_max) t
),
hits as materialized (
    select c.id, t.term, ts_rank(cast(:weights as real[]), c.search, t.query, 0) as strength
    from knowledge_chunks c join terms t on c.search @@ t.query
    where c.tenant_id = :tenant_id
),
rarity as (
    select t.term, ln(1 + (cast(:passages as float8) - least(count(h.id), :passages) + 0.5)
                          / (count(h.id) + 0.5)) as idf, count(h.id) as used
    from terms t left join hits h on h.term = t.term group by t.term
),
worded as materialized (
    select h.id as chunk_id, sum(r.idf * h.strength / (h.strength + :saturation)) as words,
           sum(r.idf) as matched,
           coalesce(max(h.strength) filter (where left(h.term, 1) = '#'), 0) > 0 as by_code
    from hits h join rarity r on r.term = h.term group by h.id
),
best as (
    select chunk_id from nearest
    union (select chunk_id from worded order by words desc, chunk_id limit :candidates_max)
)
select c.id as chunk_id, c.document_id, d.source_id, d.kind, c.title, c.heading, c.body, d.url,
       c.place, d.language, {cosine} as cosine, coalesce(w.words, 0) as words,
       coalesce(w.matched, 0) as matched, coalesce(w.by_code, false) as by_code,
       coalesce((select sum(idf) from rarity), 0) as asked
from best b
join knowledge_chunks c on c.tenant_id = :tenant_id and c.id = b.chunk_id
join knowledge_documents d on d.tenant_id = :tenant_id and d.id = c.document_id
left join nearest n on n.chunk_id = c.id
left join worded w on w.chunk_id = c.id
"""
# D (text), C (heading), B (title), A (codes).
WEIGHTS = (0.3, 0.5, 0.6, 1.0)
SATURATION = 0.35


@dataclass(frozen=True, slots=True)
class Generation:
    """What a tenant's searches run on."""

    model: str
    dims: int
    graph: bool
    languages: Sequence[str]
    passages: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """A passage with what both ways of searching say of it.

    Attributes:
        cosine: nearness of the vectors, -1 to 1; None without vectors.
        words: weight of the question's words found in it, by rarity and place.
        matched: sum of the rarities of those words; ``asked`` is that of all the question's.
        by_code: a part number or the like of the question stands in it.
    """

    chunk_id: UUID
    document_id: UUID
    source_id: UUID | None
    kind: str
    title: str
    heading: str
    body: str
    url: str | None
    place: int
    language: str | None
    cosine: float | None
    words: float
    matched: float
    asked: float
    by_code: bool


async def generation(connection: AsyncConnection, tenant_id: UUID) -> Generation | None:
    """Return what the tenant's searches run on; None before anything was read."""
    row = (await connection.execute(_GENERATION, {"tenant_id": tenant_id})).one_or_none()
    return Generation(*row) if row else None


async def candidates(
    connection: AsyncConnection,
    tenant_id: UUID,
    state: Generation,
    question: str,
    vector: Vector | None,
) -> list[Candidate]:
    """Return the passages worth ranking, at most 80, in no order."""
    graph = state.graph and state.dims in GRAPH_WIDTHS and vector is not None
    if graph:
        await connection.execute(_GRAPH_SETTINGS)
    found = await connection.execute(
        statement(state.dims if graph else 0, vector is not None),
        values_of(tenant_id, state, question, vector),
    )
    return [Candidate(**row) for row in found.mappings()]


def values_of(
    tenant_id: UUID, state: Generation, question: str, vector: Vector | None
) -> dict[str, Any]:
    """Return the statement's parameters."""
    configs = list(dict.fromkeys(configuration(code) for code in state.languages)) or ["simple"]
    values: dict[str, Any] = {
        "tenant_id": tenant_id,
        "question": question,
        "configs": configs,
        "codes": codes(question),
        "passages": state.passages,
        "weights": list(WEIGHTS),
        "saturation": SATURATION,
        "terms_max": _TERMS_MAX,
        "candidates_max": CANDIDATES_MAX,
    }
    if vector is not None:
        values |= {"vector": vector, "model": state.model}
    return values


@cache
def statement(graph_dims: int, with_vector: bool) -> TextClause:  # noqa: FBT001
    """Return the search's statement.

    Args:
        graph_dims: the vectors' width where the graph index is to be used, else 0.
        with_vector: False when words alone decide.
    """
    nearest = _NO_VECTOR
    if graph_dims:
        nearest = _NEAREST_GRAPH.format(kind=GRAPH_WIDTHS[graph_dims], dims=graph_dims)
    elif with_vector:
        nearest = _NEAREST
    cosine = _COSINE if with_vector else "n.cosine"
    return text(_SEARCH.format(nearest=nearest, cosine=cosine))
