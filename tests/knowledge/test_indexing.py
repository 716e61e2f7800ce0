"""The pipeline: what is due becomes passages, once, whoever dies in between."""

import pytest

from app.assistant.knowledge import generations, pairs, queue, sources
from app.assistant.knowledge.crawling import Fetched, FetchError, Unchanged
from app.assistant.knowledge.generations import grow_graph
from app.assistant.knowledge.indexing import Indexer
from app.assistant.knowledge.pairs import Draft
from app.assistant.knowledge.retrieval import Retriever
from tests.knowledge.conftest import WordCounts, read_all
from tests.worlds import Shop, World

pytestmark = pytest.mark.anyio

HOURS = b"Opening hours\n\nWe open at nine and close at six."


async def upload(world: World, shop: Shop, name: str, body: bytes):
    async with world.db.tenant(shop.tenant_id) as connection:
        return await sources.add_file(connection, shop.tenant_id, name, body)


async def documents(world: World, shop: Shop):
    return await world.all(
        "select * from knowledge_documents where tenant_id = $1 order by id", shop.tenant_id
    )


async def bodies(world: World, shop: Shop) -> list[str]:
    return await world.column(
        "select c.body from knowledge_chunks c join knowledge_vectors v on v.chunk_id = c.id"
        " where c.tenant_id = $1 order by c.body",
        shop.tenant_id,
    )


async def test_a_file_becomes_passages_and_is_not_kept(
    world: World, shop: Shop, indexer: Indexer, embedder: WordCounts
):
    await upload(world, shop, "hours.txt", HOURS)
    await read_all(indexer)
    (document,) = await documents(world, shop)
    assert (document["state"], document["passages"], document["language"]) == ("ready", 1, "en")
    assert document["title"] == "Opening hours"
    assert await bodies(world, shop) == ["We open at nine and close at six."]
    assert embedder.calls == [["Opening hours\nWe open at nine and close at six."]]
    assert not await world.all(
        "select 1 from knowledge_uploads where tenant_id = $1", shop.tenant_id
    )


async def test_what_cannot_be_read_says_why(world: World, shop: Shop, indexer: Indexer):
    await upload(world, shop, "empty.txt", b" ")
    await read_all(indexer)
    (document,) = await documents(world, shop)
    assert (document["state"], document["failure"], document["due_at"]) == ("failed", "empty", None)


async def test_pairs_are_read_whoever_writes_them(world: World, shop: Shop, indexer: Indexer):
    async with world.db.tenant(shop.tenant_id) as connection:
        draft = Draft("Do you deliver?", "Yes.", ["Delivery?"])
        pair_id = await pairs.add(connection, shop.tenant_id, draft)
    await read_all(indexer)
    assert await bodies(world, shop) == ["Yes."]
    async with world.db.tenant(shop.tenant_id) as connection:
        await pairs.change(connection, shop.tenant_id, pair_id, Draft("Do you deliver?", "No."))
    await read_all(indexer)
    assert await bodies(world, shop) == ["No."]
    await world.run("update question_answers set status = 'pending' where id = $1", pair_id)
    await read_all(indexer)
    assert await bodies(world, shop) == []
    await world.run("delete from question_answers where id = $1", pair_id)
    assert await documents(world, shop) == []


async def test_a_killed_workers_document_is_read_by_another(
    world: World, shop: Shop, indexer: Indexer
):
    await upload(world, shop, "hours.txt", HOURS)
    async with world.db.system() as connection:
        (dead,) = await queue.claim(connection, polite_s=0)
    assert not await indexer.work_batch(), "the lease holds"
    await world.run("update knowledge_documents set due_at = now() - interval '1 second'")
    await read_all(indexer)
    async with world.db.tenant(shop.tenant_id) as connection:
        assert not await queue.lock(connection, dead)
        await queue.mark_failed(connection, dead, "internal")
    (document,) = await documents(world, shop)
    assert document["state"] == "ready", "a writer that lost its lease changes nothing"


async def test_the_model_away_is_waited_for(
    world: World, shop: Shop, indexer: Indexer, embedder: WordCounts
):
    await upload(world, shop, "hours.txt", HOURS)
    embedder.away = True
    await indexer.work_batch()
    (document,) = await documents(world, shop)
    assert (document["state"], document["attempts"]) == ("queued", 1)
    embedder.away = False
    await world.run("update knowledge_documents set due_at = now() where due_at is not null")
    await read_all(indexer)
    assert len(await bodies(world, shop)) == 1


async def test_a_new_model_takes_over_without_a_gap(
    world: World, shop: Shop, indexer: Indexer, embedder: WordCounts
):
    await upload(world, shop, "hours.txt", HOURS)
    await read_all(indexer)
    newer = WordCounts("words-2", dims=64)
    async with world.db.system() as connection:
        assert shop.tenant_id in await generations.outdated(connection, "words-2", tenants_max=9)
    assert not await generations.advance(world.db, newer, shop.tenant_id)
    both = await world.column(
        "select model from knowledge_vectors where tenant_id = $1 order by 1", shop.tenant_id
    )
    assert both == ["words-1", "words-2"]
    before = await Retriever(world.db, embedder).search(shop.tenant_id, ["when do you open"])
    assert await generations.advance(world.db, newer, shop.tenant_id)
    after = await Retriever(world.db, newer).search(shop.tenant_id, ["when do you open"])
    assert [p.chunk_id for p in before] == [p.chunk_id for p in after]
    left = await world.all(
        "select model, dims from knowledge_vectors where tenant_id = $1", shop.tenant_id
    )
    assert left == [{"model": "words-2", "dims": 64}]


async def test_a_large_tenant_is_searched_through_the_graph(
    world: World, shop: Shop, indexer: Indexer, embedder: WordCounts
):
    for number in range(4):
        await upload(world, shop, f"{number}.txt", b"Item\n\nThing number %d is blue." % number)
    await read_all(indexer)
    async with world.db.system() as connection:
        assert await grow_graph(connection, exact_max=3) == 4
    (state,) = await world.all(
        "select graph, passages from knowledge_generations where tenant_id = $1", shop.tenant_id
    )
    assert state == {"graph": True, "passages": 4}
    found = await Retriever(world.db, embedder).search(shop.tenant_id, ["thing number 2"])
    assert found[0].text == "Thing number 2 is blue."


class Site:
    """A crawler over pages in memory."""

    def __init__(self, pages: dict[str, str]) -> None:
        self.pages = pages
        self.asked: list[str] = []

    async def fetch(self, url: str, *, etag: str | None = None, last_modified: str | None = None):
        del last_modified
        self.asked.append(url)
        if url not in self.pages:
            raise FetchError("gone")
        body = self.pages[url].encode()
        if etag == str(hash(body)):
            return Unchanged()
        return Fetched(url, body, "text/html", str(hash(body)), None)


def linked(text: str, *links: str) -> str:
    anchors = "".join(f'<a href="{link}">x</a>' for link in links)
    return f"<title>{text}</title><main><p>{text} stands here.</p></main>{anchors}"


async def test_a_site_is_read_within_its_bounds_and_again(
    world: World, shop: Shop, embedder: WordCounts
):
    root = "https://shop.example/"
    site = Site(
        {
            root: linked("Home", "/a", "/b?utm_source=x#top", "https://other.example/", "/p.jpg"),
            f"{root}a": linked("About", "/deep", "/"),
            f"{root}b": linked("Basket"),
            f"{root}deep": linked("Deep", "/deeper"),
            f"{root}deeper": linked("Deeper"),
        }
    )
    reader = Indexer(world.db, embedder, site, polite_s=0)  # type: ignore[arg-type]
    async with world.db.tenant(shop.tenant_id) as connection:
        source_id = await sources.add_web(
            connection,
            shop.tenant_id,
            root,
            title="shop",
            depth_max=2,
            pages_max=4,
            sync_every_h=24,
        )
    await read_all(reader)
    assert sorted(site.asked) == [root, f"{root}a", f"{root}b", f"{root}deep"]
    calls = len(embedder.calls)
    del site.pages[f"{root}b"]
    site.pages[f"{root}a"] = linked("About us")
    await world.run("update knowledge_sources set next_sync_at = now() where id = $1", source_id)
    async with world.db.system() as connection:
        assert await sources.begin_due_syncs(connection) == 4
    await read_all(reader)
    assert len(embedder.calls) == calls + 1, "only what changed is embedded again"
    assert await bodies(world, shop) == [
        "About us stands here.", "Deep stands here.", "Home stands here.",
    ]  # fmt: skip


async def test_a_site_is_asked_for_one_page_at_a_time(world: World, shop: Shop):
    async with world.db.tenant(shop.tenant_id) as connection:
        source_id = await sources.add_web(
            connection, shop.tenant_id, "https://slow.example/", title="s", pages_max=9, depth_max=1
        )
    await world.run(
        "insert into knowledge_documents (tenant_id, id, source_id, kind, title, url)"
        " values ($1, gen_random_uuid(), $2, 'page', 'x', 'https://slow.example/x')",
        shop.tenant_id,
        source_id,
    )
    async with world.db.system() as connection:
        assert len(await queue.claim(connection, polite_s=60)) == 1
        assert await queue.claim(connection, polite_s=60) == []
