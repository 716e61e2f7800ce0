"""Storing what was read: a document's passages and vectors replace its old ones at once."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.assistant.knowledge.chunking import Chunk
from app.assistant.knowledge.languages import configuration
from app.assistant.knowledge.terms import codes
from app.core import ids
from app.core.db.rows import as_rows
from app.core.text import storable
from app.llm.embeddings import Vector

_FORGET = text(
    "delete from knowledge_chunks where tenant_id = :tenant_id and document_id = :document_id"
)
# Titles and headings weigh more than the text, codes most: who gives one wants that very part.
_CHUNKS = text(
    """
    insert into knowledge_chunks (tenant_id, id, document_id, place, title, heading, body, tokens,
                                  search)
    select :tenant_id, r.id, :document_id, r.place, r.title, r.heading, r.body, r.tokens,
           setweight(to_tsvector(cast(:config as regconfig), r.title), 'B')
           || setweight(to_tsvector(cast(:config as regconfig), r.heading), 'C')
           || setweight(to_tsvector(cast(:config as regconfig), r.body), 'D')
           || setweight(array_to_tsvector(r.codes), 'A')
    from jsonb_to_recordset(cast(:rows as jsonb))
        as r(id uuid, place int, title text, heading text, body text, tokens int, codes text[])
    """
)
_VECTORS = text(
    """
    insert into knowledge_vectors (tenant_id, model, chunk_id, dims, embedding, in_graph)
    values (:tenant_id, :model, :chunk_id, :dims, cast(cast(:embedding as real[]) as vector),
            coalesce((select graph from knowledge_generations
                      where tenant_id = :tenant_id and model = :model), false))
    on conflict (tenant_id, model, chunk_id) do update
        set dims = excluded.dims, embedding = excluded.embedding, in_graph = excluded.in_graph
    """
)


async def replace(
    connection: AsyncConnection,
    tenant_id: UUID,
    document_id: UUID,
    chunks: Sequence[Chunk],
    vectors: Sequence[Vector],
    *,
    model: str,
    language: str | None,
) -> None:
    """Put a document's new passages in the place of its old ones, in the caller's transaction."""
    own = {"tenant_id": tenant_id, "document_id": document_id}
    await connection.execute(_FORGET, own)
    if not chunks:
        return
    chunk_ids = [ids.uuid7() for _ in chunks]
    rows = [
        {
            "id": chunk_id,
            "place": place,
            "title": storable(chunk.title),
            "heading": storable(chunk.heading),
            "body": storable(chunk.body),
            "tokens": chunk.tokens,
            "codes": [storable(c) for c in codes(chunk.embedded)],
        }
        for place, (chunk_id, chunk) in enumerate(zip(chunk_ids, chunks, strict=True))
    ]
    values = {**own, "config": configuration(language), "rows": as_rows(rows)}
    await connection.execute(_CHUNKS, values)
    pairs = list(zip(chunk_ids, vectors, strict=True))
    await add_vectors(connection, tenant_id, model, pairs)


async def add_vectors(
    connection: AsyncConnection,
    tenant_id: UUID,
    model: str,
    pairs: Sequence[tuple[UUID, Vector]],
) -> None:
    """Store one model's vectors of passages."""
    rows = [
        {
            "tenant_id": tenant_id,
            "model": model,
            "chunk_id": chunk_id,
            "dims": len(vector),
            "embedding": vector,
        }
        for chunk_id, vector in pairs
    ]
    if rows:
        await connection.execute(_VECTORS, rows)
