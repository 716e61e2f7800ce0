"""Searching: by meaning and words, within one tenant, with the model's service away as well."""

from collections.abc import Sequence

import pytest

from app.assistant.knowledge import pairs, sources, unanswered
from app.assistant.knowledge.curated import without_greetings
from app.assistant.knowledge.indexing import Indexer
from app.assistant.knowledge.pairs import Draft
from app.assistant.knowledge.retrieval import Retriever
from app.assistant.knowledge.rewriting import target_language
from app.assistant.knowledge.searching import candidates, generation
from app.core.errors import NotFoundError, RefusedError
from tests.knowledge.conftest import WordCounts, read_all
from tests.worlds import Shop, World

pytestmark = pytest.mark.anyio

FILES = {
    "harbour.txt": "Harbour branch\n\nThe branch is open from nine to six.",
    "station.txt": "Station branch\n\nThe branch is open from seven to eight.",
    "BR-1040.txt": "Brake pad BR-1040\n\nRubber pads for rims.",
    "BR-1041.txt": "Brake pad BR-1041\n\nRubber pads for rims.",
}


async def teach(world: World, shop: Shop, indexer: Indexer) -> None:
    async with world.db.tenant(shop.tenant_id) as connection:
        for name, text in FILES.items():
            await sources.add_file(connection, shop.tenant_id, name, text.encode())
    await read_all(indexer)


async def titles(retriever: Retriever, shop: Shop, *queries: str) -> list[str]:
    return [p.title for p in await retriever.search(shop.tenant_id, queries)]


async def test_near_duplicates_are_told_apart(
    world: World, shop: Shop, indexer: Indexer, embedder: WordCounts
):
    await teach(world, shop, indexer)
    retriever = Retriever(world.db, embedder)
    assert (await titles(retriever, shop, "when is the station branch open"))[0] == "Station branch"
    for spelling in ("BR-1041", "br1041 price", "do you have br 1041"):
        assert (await titles(retriever, shop, spelling))[0] == "Brake pad BR-1041"
    found = await retriever.search(shop.tenant_id, ["harbour branch open"], limit=2)
    assert len(found) == 2
    assert 0 <= found[1].score < found[0].score <= 1
    assert found[0].answerable > found[1].answerable


async def test_a_second_wording_adds_what_the_first_missed(
    world: World, shop: Shop, indexer: Indexer, embedder: WordCounts
):
    await teach(world, shop, indexer)
    retriever = Retriever(world.db, embedder)
    found = await titles(retriever, shop, "station branch", "¿A qué hora abre la estación?")
    assert found[0] == "Station branch"


async def test_words_alone_decide_when_vectors_are_away(
    world: World, shop: Shop, indexer: Indexer, embedder: WordCounts
):
    await teach(world, shop, indexer)
    embedder.away = True
    found = await Retriever(world.db, embedder).search(shop.tenant_id, ["opened at the harbour?"])
    assert found[0].title == "Harbour branch"
    assert found[0].cosine is None


async def test_a_question_is_embedded_once(
    world: World, shop: Shop, indexer: Indexer, embedder: WordCounts
):
    await teach(world, shop, indexer)
    retriever, before = Retriever(world.db, embedder), len(embedder.calls)
    for _ in range(2):
        await retriever.search(shop.tenant_id, ["when do you open"])
    assert len(embedder.calls) == before + 1


async def test_nobody_finds_anothers_passages(
    world: World, shop: Shop, indexer: Indexer, embedder: WordCounts
):
    await teach(world, shop, indexer)
    other = await world.open_shop(balance=0)
    retriever = Retriever(world.db, embedder)
    assert await retriever.search(other.tenant_id, ["harbour branch"]) == []
    async with world.db.tenant(other.tenant_id) as connection:
        state = await generation(connection, other.tenant_id)
        assert state is None
    async with world.db.tenant(shop.tenant_id) as connection:
        own = await generation(connection, shop.tenant_id)
    assert own is not None
    async with world.db.tenant(other.tenant_id) as connection:
        (vector,) = await embedder.embed(["harbour"])
        assert await candidates(connection, shop.tenant_id, own, "harbour", vector) == []


async def test_searches_use_the_tenants_indexes(world: World, shop: Shop, indexer: Indexer):
    await teach(world, shop, indexer)
    plans = (
        "select chunk_id from knowledge_vectors where tenant_id = $1 and model = 'words-1'",
        "select id from knowledge_chunks where tenant_id = $1 and search @@ 'branch'::tsquery",
    )
    await world.run("set enable_seqscan = off")
    try:
        for query in plans:
            plan = "\n".join(await world.column(f"explain {query}", shop.tenant_id))
            assert "Index" in plan, plan
            assert "tenant_id = " in plan, plan
    finally:
        await world.run("reset enable_seqscan")


async def add_pair(world: World, shop: Shop, question: str, alternatives: Sequence[str] = ()):
    async with world.db.tenant(shop.tenant_id) as connection:
        return await pairs.add(
            connection, shop.tenant_id, Draft(question, "Yes, for 3.50.", alternatives)
        )


@pytest.mark.parametrize(
    ("message", "fits"),
    [
        ("do you deliver to riverside", True),
        ("Hi! Do you deliver to Riverside? Thanks", True),
        ("Do you deliver to Riverisde?", True),
        ("riverside delivery?", True),
        ("Do you deliver to Rivertown?", False),
        ("Do you deliver to Riverside on Sundays?", False),
        ("Do you not deliver to Riverside?", False),
        ("deliver", False),
        ("👍", False),
    ],
)
async def test_a_curated_answer_needs_the_whole_message(
    world: World, shop: Shop, message: str, fits: bool
):
    await add_pair(world, shop, "Do you deliver to Riverside?", ["Riverside delivery"])
    retriever = Retriever(world.db, WordCounts())
    async with world.db.tenant(shop.tenant_id) as connection:
        found = await retriever.curated(connection, shop.tenant_id, message)
    assert (found is not None) == fits


async def test_a_pending_answer_is_nobodys_answer(world: World, shop: Shop):
    pair_id = await add_pair(world, shop, "Do you deliver?")
    await world.run("update question_answers set status = 'pending' where id = $1", pair_id)
    async with world.db.tenant(shop.tenant_id) as connection:
        retriever = Retriever(world.db, WordCounts())
        assert await retriever.curated(connection, shop.tenant_id, "Do you deliver?") is None


async def test_unanswered_questions_are_counted_once(world: World, shop: Shop):
    async with world.db.tenant(shop.tenant_id) as connection:
        for question in ("Do you sell hats?", "do you sell hats", "👍"):
            await unanswered.note(connection, shop.tenant_id, question)
        (found,) = await unanswered.list_open(connection, shop.tenant_id, after_id=None, rows_max=9)
        assert (found.question, found.times) == ("Do you sell hats?", 2)
        await unanswered.end(connection, shop.tenant_id, found.id, answer_id=None)
        await unanswered.note(connection, shop.tenant_id, "Do you sell hats?")
        assert not await unanswered.list_open(
            connection, shop.tenant_id, after_id=None, rows_max=9
        ), "what was dismissed stays off"
        with pytest.raises(NotFoundError):
            await unanswered.end(connection, shop.tenant_id, found.id, answer_id=None)


@pytest.mark.parametrize(
    "draft", [Draft("", "x"), Draft("x", " "), Draft("x" * 501, "x"), Draft("x", "y", ["z" * 501])]
)
def test_pairs_have_bounds(draft: Draft):
    with pytest.raises(RefusedError):
        draft.checked()


def test_greetings_are_no_questions_and_times_of_day_are_no_greetings():
    asked = "Good morning! Are you open in the evening?"
    assert without_greetings(asked) == ["are", "you", "open", "in", "the", "evening"]
    for greeting in ("Hola, muy buenos días", "السلام عليكم ورحمة الله وبركاته", "你好", "BR-1040"):
        assert target_language(greeting, ["en"]) is None, greeting
    for question in ("¿Cuánto cuesta el envío?", "明日は何時に開きますか", "ما هي ساعات العمل"):
        assert target_language(question, ["en"]) == "en", question
    for question in ("Perdí las llaves de la puerta", "Bau gas di dapur", "Mein Koffer fehlt noch"):
        assert target_language(question, ["en"]) == "en", question
    for question in ("When are you open?", "do u take paypal", "reserve a spot in yoga"):
        assert target_language(question, ["en"]) is None, question
