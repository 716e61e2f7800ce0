"""The model service with the real OpenAI client: modes, structured output, errors, embeddings."""

import asyncio
import math
from collections.abc import Iterator, Sequence
from typing import Any

import openai
import pytest

from app.assistant.knowledge.rewriting import Rewriter
from app.cli.checks.providers import provider_findings
from app.core.config import Settings
from app.core.errors import ProviderError
from app.llm.embeddings import OpenAIEmbedder
from app.llm.media import Heard, OpenAIMedia, Seen
from app.llm.openai import OpenAIModel
from app.llm.port import ChatRequest, ChatTurn
from simulator.model import minilm
from simulator.model.translating import translate
from tests.simulator.conftest import Sim

SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["reply", "action", "reason_code", "used_sources", "confidence", "note"],
    "properties": {
        "reply": {"type": "string"},
        "action": {"type": "string", "enum": ["answer", "handover"]},
        "reason_code": {"anyOf": [{"$ref": "#/$defs/reason"}, {"type": "null"}]},
        "used_sources": {"type": "array", "items": {"type": "string"}},
        "confidence": {"type": "number"},
        "note": {"type": ["string", "null"]},
    },
    "$defs": {"reason": {"type": "string", "enum": ["customer_request", "missing_knowledge"]}},
}
FORMAT: Any = {
    "type": "json_schema",
    "json_schema": {"name": "reply", "strict": True, "schema": SCHEMA},
}
SYSTEM = "<business_facts>\nprices: Sourdough loaf €4.50; baguette €1.80\n</business_facts>"


@pytest.fixture
def model(sim: Sim) -> Iterator[openai.OpenAI]:
    base = f"{sim.url}/v1"
    with openai.OpenAI(api_key="k", base_url=base, max_retries=0) as client:
        yield client


def ask(model: openai.OpenAI, *texts: str, **more: Any) -> Any:
    messages: list[Any] = [{"role": "system", "content": SYSTEM}]
    messages += [{"role": "user", "content": text} for text in texts]
    return model.chat.completions.create(model="gpt-x", messages=messages, **more)


def test_demo_answers_in_the_asked_structure(model: openai.OpenAI) -> None:
    completion = ask(model, "How much is the sourdough?", response_format=FORMAT)
    assert completion.model == "gpt-x"
    assert completion.system_fingerprint == "parley-demo"
    assert completion.usage.total_tokens > completion.usage.completion_tokens > 0
    assert completion.choices[0].message.content == (
        '{"reply":"Here is our price: Sourdough loaf €4.50.","action":"answer","reason_code":null,'
        '"used_sources":[],"confidence":0.0,"note":null}'
    )


def test_demo_hands_over_with_a_reason(model: openai.OpenAI) -> None:
    content = ask(model, "Can I talk to a person?", response_format=FORMAT)
    assert '"action":"handover","reason_code":"customer_request"' in (
        content.choices[0].message.content
    )


def test_echo_repeats_what_is_unanswered(sim: Sim, model: openai.OpenAI) -> None:
    sim.post("/_sim/model", {"mode": "echo"})
    messages: list[Any] = [
        {"role": "user", "content": "old"},
        {"role": "assistant", "content": "answered"},
        {"role": "user", "content": "one <b>"},
        {"role": "user", "content": [{"type": "text", "text": "two"}]},
    ]
    completion = model.chat.completions.create(model="m", messages=messages)
    assert completion.choices[0].message.content == "one <b>\ntwo"
    assert completion.system_fingerprint == "parley-echo"


def test_script_runs_in_order_and_its_last_item_repeats(sim: Sim, model: openai.OpenAI) -> None:
    call = {"name": "book", "arguments": {"day": "monday"}}
    script = [
        {"status": 429, "headers": {"Retry-After": "3"}},
        {"tool_calls": [call]},
        {"raw": "{not json"},
        {"reply": "last", "action": "handover", "reason_code": "missing_knowledge"},
    ]
    sim.post("/_sim/model", {"mode": "script", "script": script})
    with pytest.raises(openai.RateLimitError) as limited:
        ask(model, "a")
    assert limited.value.response.headers["retry-after"] == "3"
    tool = ask(model, "a").choices[0]
    assert tool.finish_reason == "tool_calls"
    assert tool.message.tool_calls[0].function.arguments == '{"day":"monday"}'
    assert ask(model, "a", response_format=FORMAT).choices[0].message.content == "{not json"
    for _ in range(2):
        content = ask(model, "a", response_format=FORMAT).choices[0].message.content
        assert '"reply":"last","action":"handover","reason_code":"missing_knowledge"' in content
    assert sim.get("/_sim/model")["position"] == 5
    assert sim.post("/_sim/model", {"mode": "demo"}) == {
        "mode": "demo",
        "delay_ms": 0,
        "script": [],
        "position": 0,
    }


def test_tokens_are_limited(sim: Sim, model: openai.OpenAI) -> None:
    sim.post("/_sim/model", {"mode": "echo"})
    choice = ask(model, "abcdefghijkl", max_completion_tokens=2).choices[0]
    assert (choice.message.content, choice.finish_reason) == ("abcdefgh", "length")


def test_refusals_of_the_service(sim: Sim, model: openai.OpenAI) -> None:
    assert sim.http.post("/v1/chat/completions", json={}).status_code == 401
    with pytest.raises(openai.BadRequestError, match="streaming"):
        ask(model, "a", stream=True)
    with pytest.raises(openai.NotFoundError):
        model.files.list()
    assert next(m.id for m in model.models.list()) == "parley-demo"


@pytest.mark.parametrize("encoding", ["float", "base64", None])
def test_embeddings_are_unit_vectors(model: openai.OpenAI, encoding: Any) -> None:
    more = {"encoding_format": encoding} if encoding == "float" else {}
    texts = ["Do you deliver to Riverside?", "Delivery area: Riverside", "Gluten-free bread"]
    answer = model.embeddings.create(model="e", input=texts, **more)
    vectors = [item.embedding for item in answer.data]
    assert [len(v) for v in vectors] == [384, 384, 384]
    assert all(math.isclose(math.hypot(*v), 1.0, abs_tol=1e-5) for v in vectors)
    alike = dot(vectors[0], vectors[1])
    assert alike > dot(vectors[0], vectors[2]) + 0.2
    again = model.embeddings.create(model="e", input=texts[:1], **more)
    assert again.data[0].embedding == pytest.approx(vectors[0], abs=1e-6)
    assert answer.usage.total_tokens > 0
    with pytest.raises(openai.BadRequestError, match="dimensions"):
        model.embeddings.create(model="e", input=texts[:1], dimensions=256)


def test_embeddings_are_those_of_the_published_model(model: openai.OpenAI) -> None:
    texts = [
        "The weather is lovely today.",
        "It's so sunny outside!",
        "He drove to the stadium.",
        # Longer than the model reads: cut off, not refused.
        "The weather is lovely today. " * 200,
    ]
    answer = model.embeddings.create(model="e", input=texts)
    first, *others = [item.embedding for item in answer.data]
    # The similarities that all-MiniLM-L6-v2's own documentation prints.
    assert [dot(first, v) for v in others[:2]] == pytest.approx([0.6660, 0.1046], abs=2e-4)


def test_the_product_embeds_in_order_and_translates(sim: Sim) -> None:
    settings = Settings(openai_api_key="k", openai_base_url=f"{sim.url}/v1")
    texts = [f"item {n}" for n in range(70)]

    async def embed() -> tuple[list[list[float]], Sequence[str]]:
        embedder, model = OpenAIEmbedder(settings), OpenAIModel(settings)
        try:
            rewritten = await Rewriter(model, settings).rewrite("¿Cuánto cuesta el envío?", ["en"])
            return await embedder.embed(texts), rewritten.queries
        finally:
            await embedder.close()
            await model.close()

    vectors, queries = asyncio.run(embed())
    assert [len(v) for v in vectors] == [384] * 70
    assert dot(vectors[65], minilm.embed(["item 65"])[0][0]) == pytest.approx(1, abs=1e-5)
    assert queries == ["how much price cost delivery shipping", "¿Cuánto cuesta el envío?"]


@pytest.mark.parametrize(
    ("question", "english"),
    [
        ("Zahnarzttermin angekommen", "dentist tooth appointment arrive"),
        ("Mein Paket ist nicht angekommen", "my parcel package not arrive"),
        (
            "¿Tiene información sobre la fecha de nacimiento?",
            "have information over above upstairs date birth born",
        ),
        ("Apakah menjualnya?", "what sell"),
        ("وبسيارتي", "car"),
        ("BX-2211 pentil Schrader", "bx-2211 valve schrader"),
    ],
)
def test_words_are_found_under_their_endings(question: str, english: str):
    assert translate(question) == english


def dot(left: list[float], right: list[float]) -> float:
    return sum(a * b for a, b in zip(left, right, strict=True))


def test_the_doctor_names_a_model_that_is_not_offered(sim: Sim) -> None:
    settings = Settings(
        openai_api_key="k", openai_base_url=f"{sim.url}/v1", openai_model="gpt-of-last-year"
    )
    found = {finding.name: finding for finding in provider_findings(settings)}
    assert found["model"].state == "ok"
    assert found["models"].state == "wrong"
    assert found["models"].detail == "not listed: OPENAI_MODEL (gpt-of-last-year)"


UNREADABLE: list[Any] = [
    "<html>a proxy's page</html>",
    "",
    [1, 2],
    {"choices": 7, "usage": {"prompt_tokens": 1, "completion_tokens": 1}},
    {"choices": [{}], "usage": {"prompt_tokens": 1, "completion_tokens": 1}},
    {"choices": [{"message": {"content": 7}}], "usage": {"prompt_tokens": 1}},
    {"choices": [{"message": {"content": "{}"}}], "usage": {"prompt_tokens": None}},
    {"data": [{"index": 0}], "text": 7},
]


def test_an_answer_of_any_shape_is_read_or_is_the_providers_failure(sim: Sim) -> None:
    settings = Settings(openai_api_key="k", openai_base_url=f"{sim.url}/v1")
    chat = ChatRequest("gpt-x", [ChatTurn("user", "Hello")], "reply", SCHEMA, 100, 5.0)

    async def ask_all() -> list[tuple[Any, ...]]:
        embedder, model = OpenAIEmbedder(settings), OpenAIModel(settings)
        media = OpenAIMedia(settings)
        met: list[tuple[Any, ...]] = []
        try:
            for answer in UNREADABLE:
                fault = {"service": "openai", "status": 200, "body": answer, "times": 4}
                sim.post("/_sim/faults", fault)
                calls = (
                    model.complete(chat),
                    embedder.embed(["a"]),
                    media.describe("image/png", b"x"),
                    media.transcribe("a.ogg", "audio/ogg", b"x"),
                )
                met.append(await asyncio.gather(*calls, return_exceptions=True))
        finally:
            for each in (embedder, model, media):
                await each.close()
        return met

    for answer, (spoken, vectors, *others) in zip(UNREADABLE, asyncio.run(ask_all()), strict=True):
        assert isinstance(spoken, ProviderError), answer
        assert isinstance(vectors, ProviderError), answer
        for other in others:
            assert isinstance(other, ProviderError | Seen | Heard), answer
