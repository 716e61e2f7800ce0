"""Which model's vectors a tenant's searches use, and how a change of models comes about.

While ``OPENAI_EMBEDDING_MODEL`` differs from a tenant's model, workers add the new model's vectors
beside the old ones; searches go on with the old model. When every passage has both, one
transaction turns the searches to the new model, and the old vectors go. Storing a document locks
the tenant's row too, so no passage can slip in between.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.assistant.knowledge.storing import add_vectors
from app.core.db.engine import Database
from app.llm.embeddings import Embedder

EXACT_PASSAGES_MAX = 20_000
"""Up to here a tenant's vectors are scanned exactly; beyond, they enter the graph index. Of
vectors wider than 384 fewer, so that as much memory is read."""
BATCH_MAX = 64
_GRAPH_BATCH = 500

_LOCK = text(
    "select model, dims from knowledge_generations where tenant_id = :tenant_id for update"
)
_BEGIN = text(
    """
    insert into knowledge_generations (tenant_id, model, dims)
    values (:tenant_id, :model, :dims) on conflict (tenant_id) do nothing
    """
)
_COUNT = text(
    """
    update knowledge_generations g
    set passages = coalesce((select sum(passages) from knowledge_documents
                             where tenant_id = :tenant_id), 0),
        languages = coalesce((select array_agg(language order by n desc, language) from (
            select language, count(*) as n from knowledge_documents
            where tenant_id = :tenant_id and passages > 0 and language is not null
            group by language) spoken), '{}')
    where g.tenant_id = :tenant_id
    """
)
_OUTDATED = text(
    "select tenant_id from knowledge_generations where model <> :model"
    " order by tenant_id limit :tenants_max"
)
_MISSING = text(
    """
    select c.id, concat_ws(E'\\n', c.title, nullif(c.heading, ''), c.body) as embedded
    from knowledge_chunks c
    where c.tenant_id = :tenant_id and not exists (
        select 1 from knowledge_vectors v
        where v.tenant_id = c.tenant_id and v.model = :model and v.chunk_id = c.id)
    order by c.id limit :batch_max
    """
)
_FLIP = text(
    """
    update knowledge_generations
    set model = :model, graph = false, ready_at = now(),
        dims = coalesce((select dims from knowledge_vectors
                         where tenant_id = :tenant_id and model = :model limit 1), dims)
    where tenant_id = :tenant_id
    """
)
_DROP_OLD = text("delete from knowledge_vectors where tenant_id = :tenant_id and model <> :model")
_LARGE = text(
    """
    select tenant_id, model from knowledge_generations
    where not graph and passages > :exact_max * least(1.0, 384.0 / dims)
    order by tenant_id limit 1
    """
)
_ENTER_GRAPH = text(
    """
    update knowledge_vectors v set in_graph = true
    where (v.tenant_id, v.model, v.chunk_id) in (
        select tenant_id, model, chunk_id from knowledge_vectors
        where tenant_id = :tenant_id and model = :model and not in_graph limit :batch_max)
    """
)
_GRAPH_READY = text(
    """
    update knowledge_generations set graph = true
    where tenant_id = :tenant_id and model = :model and not exists (
        select 1 from knowledge_vectors v
        where v.tenant_id = :tenant_id and v.model = :model and not v.in_graph)
    """
)


@dataclass(frozen=True, slots=True)
class Current:
    """A tenant's model and its vectors' width."""

    model: str
    dims: int


async def lock(connection: AsyncConnection, tenant_id: UUID) -> Current | None:
    """Lock and return what the tenant's searches run on; None before anything was read."""
    row = (await connection.execute(_LOCK, {"tenant_id": tenant_id})).one_or_none()
    return Current(*row) if row else None


async def begin(connection: AsyncConnection, tenant_id: UUID, model: str, dims: int) -> Current:
    """Let the first document decide the model, unless another has; return it, locked."""
    values = {"tenant_id": tenant_id, "model": model, "dims": dims}
    await connection.execute(_BEGIN, values)
    return await lock(connection, tenant_id) or Current(model, dims)


async def count(connection: AsyncConnection, tenant_id: UUID) -> None:
    """Bring number and languages of the passages up to date; the row is locked."""
    await connection.execute(_COUNT, {"tenant_id": tenant_id})


async def outdated(connection: AsyncConnection, model: str, *, tenants_max: int) -> Sequence[UUID]:
    """Return tenants whose searches run on another model."""
    values = {"model": model, "tenants_max": tenants_max}
    return (await connection.execute(_OUTDATED, values)).scalars().all()


async def advance(database: Database, embedder: Embedder, tenant_id: UUID) -> bool:
    """Bring a tenant one step closer to the new model; True when it has arrived.

    Raises:
        ProviderError: the model's service is away; what was done so far stays.
    """
    model = embedder.model
    values = {"tenant_id": tenant_id, "model": model, "batch_max": BATCH_MAX}
    async with database.tenant(tenant_id) as connection:
        rows = (await connection.execute(_MISSING, values)).all()
    if rows:
        vectors = await embedder.embed([row.embedded for row in rows])
        async with database.tenant(tenant_id) as connection:
            await lock(connection, tenant_id)
            kept = await _still_there(connection, tenant_id, [row.id for row in rows])
            pairs = [(r.id, v) for r, v in zip(rows, vectors, strict=True) if r.id in kept]
            await add_vectors(connection, tenant_id, model, pairs)
        return False
    async with database.tenant(tenant_id) as connection:
        await lock(connection, tenant_id)
        if (await connection.execute(_MISSING, values)).first() is not None:
            return False
        await connection.execute(_FLIP, values)
        await connection.execute(_DROP_OLD, values)
        return True


async def _still_there(
    connection: AsyncConnection, tenant_id: UUID, chunk_ids: list[UUID]
) -> set[UUID]:
    found = await connection.execute(
        text("select id from knowledge_chunks where tenant_id = :tenant_id and id = any(:ids)"),
        {"tenant_id": tenant_id, "ids": chunk_ids},
    )
    return set(found.scalars())


async def grow_graph(connection: AsyncConnection, *, exact_max: int = EXACT_PASSAGES_MAX) -> int:
    """Let some vectors of a large tenant enter the graph index; return how many.

    A vector costs about a millisecond to enter, so a run takes few; the searches change over
    when all of them are in.
    """
    tenant = (await connection.execute(_LARGE, {"exact_max": exact_max})).one_or_none()
    if tenant is None:
        return 0
    values = {"tenant_id": tenant.tenant_id, "model": tenant.model}
    entered = await connection.execute(_ENTER_GRAPH, {**values, "batch_max": _GRAPH_BATCH})
    if entered.rowcount < _GRAPH_BATCH:
        await lock(connection, tenant.tenant_id)
        await connection.execute(_GRAPH_READY, values)
    return entered.rowcount
