"""The answerer: reads what the business taught, asks the model, checks what it says.

``prepare`` reads inside the turn's transaction; ``answer`` runs outside of any: searching, the
model, its tools (each with short transactions of its own), the guards.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from app.assistant import budget, lessons, prompt
from app.assistant.conversing import Finished, Job, converse, tokens_bound
from app.assistant.knowledge import rewriting
from app.assistant.knowledge.rewriting import Rewriter, Rewritten
from app.assistant.policy import PROMPT_VERSION
from app.assistant.profiles import Profile
from app.assistant.prompt import Known, Situation
from app.assistant.reading import Business, read_business
from app.assistant.tools.definitions import ToolDefinition
from app.assistant.tools.port import Tool, ToolContext
from app.core.config import Settings
from app.core.observability.sentry import capture
from app.core.ports import Answer, PastMessage, Prepared, Question
from app.llm.port import ChatModel

log = logging.getLogger(__name__)

CURATED_MODEL = "curated"
MISSING_KNOWLEDGE = "missing_knowledge"
PASSAGES_MAX = 5
_PASSAGE_BYTES_MAX = 12_000
_QUERY_CHARS_MAX = 1_000
_SHORT_QUERY_CHARS = 30
_SHOWN_KINDS = frozenset({"image", "document", "video"})


class CuratedAnswer(Protocol):
    """An approved question and its answer (``knowledge.curated``)."""

    @property
    def id(self) -> UUID:
        """The pair."""
        ...

    @property
    def question(self) -> str:
        """What the owner answered."""
        ...

    @property
    def answer(self) -> str:
        """The owner's words."""
        ...


class Knowledge(Protocol):
    """What a business knows beyond what every prompt tells."""

    async def search(self, tenant_id: UUID, queries: Sequence[str]) -> list[Known]:
        """Return the best passages, the best first; outside any transaction."""
        ...

    async def curated(
        self, connection: AsyncConnection, tenant_id: UUID, message: str
    ) -> CuratedAnswer | None:
        """Return the approved answer to a whole message, without network."""
        ...


class Toolbox(Protocol):
    """Makes the tools of a business's conversation."""

    def offer(self, definitions: Sequence[ToolDefinition], *, searches: bool) -> Sequence[Tool]:
        """Return the tools; ``searches`` when there is more knowledge than the prompt tells."""
        ...


@dataclass(frozen=True, slots=True)
class Work:
    """What ``answer`` needs of ``prepare``."""

    question: Question
    situation: Situation
    tools: Sequence[Tool]
    searches: bool
    languages: Sequence[str] = ()
    """Of the documents that are searched, the most frequent first."""
    told: Sequence[Known] | None = None
    """Passages to tell instead of searching: those of an earlier reply."""


@dataclass(frozen=True, slots=True)
class _Curated:
    id: str
    title: str
    words: str
    version: int | None
    opening: str


class ModelAnswerer:
    """Answers with a language model from what the business taught."""

    def __init__(
        self, model: ChatModel, settings: Settings, knowledge: Knowledge, toolbox: Toolbox
    ) -> None:
        self._model = model
        self._rewriter = Rewriter(model, settings)
        self._settings = settings
        self._knowledge = knowledge
        self._toolbox = toolbox

    async def prepare(
        self, connection: AsyncConnection, questions: Sequence[Question]
    ) -> list[Prepared]:
        """Read the business once for all questions; reads only."""
        business = await read_business(connection, questions)
        return [await self._prepare(connection, business, each) for each in questions]

    async def answer(self, prepared: Prepared) -> Answer:
        """Say the business's own words, or ask the model."""
        if isinstance(prepared.prompt, _Curated):
            return _own_answer(prepared.prompt)
        work: Work = prepared.prompt
        finished, made = await self.work_out(work, model=prepared.model)
        opening = work.situation.opening
        return Answer(
            bubbles=[_opened(opening, finished.reply)] if finished.reply else [],
            opening=opening,
            handover_reason=finished.handover_reason,
            handover_summary=finished.handover_summary,
            used_sources=finished.used_sources,
            model=finished.model,
            input_tokens=finished.input_tokens,
            output_tokens=finished.output_tokens,
            prompt_version=PROMPT_VERSION,
            trace=_trace(work.situation, finished),
            forgotten_until=made.forgotten_until,
            lesson=_missing(work, finished),
        )

    async def learn(
        self,
        connection: AsyncConnection,
        tenant_id: UUID,
        lessons_of: Sequence[lessons.Used | lessons.Missing],
    ) -> None:
        """Write down which pairs were used, and what nothing answers."""
        await lessons.write(connection, tenant_id, lessons_of)

    async def work_out(
        self, work: Work, *, model: str, rehearsal: bool = False
    ) -> tuple[Finished, prompt.Prompt]:
        """Search, ask and check; ``rehearsal`` when there is no customer (the playground)."""
        began = time.perf_counter()
        passages, rewritten = await self._passages(work, model)
        sought_ms = round((time.perf_counter() - began) * 1000)
        made = prompt.build(work.situation, passages)
        job = Job(
            situation=work.situation,
            prompt=made,
            passages=passages,
            tools=work.tools,
            context=_context(work, rehearsal=rehearsal),
            models=self._models(model),
            timeout_s=self._settings.timings.model_timeout_s,
        )
        finished = await converse(self._model, job)
        if rewritten is not None and rewritten.model is not None:
            _add(finished, rewritten, sought_ms)
        return finished, made

    def work(self, business: Business, question: Question) -> Work:
        """Return what answering a question is made of."""
        tools, situation = self.tools_for(business), business.situation(question)
        return Work(question, situation, tools, business.searches, business.languages)

    def tools_for(self, business: Business) -> Sequence[Tool]:
        """Return what the assistant of a business may call."""
        return self._toolbox.offer(business.tools, searches=business.searches)

    def model_of(self, profile: Profile) -> str:
        """Return the model that answers: the business's choice, or the platform's."""
        return profile.model or self._settings.openai_model

    async def _prepare(
        self, connection: AsyncConnection, business: Business, question: Question
    ) -> Prepared:
        if question.fixed_reply:
            fixed = _fixed(business, question, question.fixed_reply)
            return Prepared(CURATED_MODEL, 0, 0, fixed, free=True)
        if own := await self._curated(connection, business, question):
            return Prepared(CURATED_MODEL, 0, 0, own, free=True)
        work = self.work(business, question)
        base = prompt.tokens_max(prompt.build(work.situation).turns)
        base += _PASSAGE_BYTES_MAX if work.searches else 0
        input_max, output_max = tokens_bound(base, tools=[tool.spec for tool in work.tools])
        if work.searches:
            words = _queries(work.situation)[-1]
            if rewriting.target_language(words, work.languages) is not None:
                more_input, more_output = rewriting.tokens_bound(words)
                input_max, output_max = input_max + more_input, output_max + more_output
        return Prepared(
            model=self.model_of(business.profile),
            input_tokens_max=input_max,
            output_tokens_max=output_max,
            prompt=work,
        )

    async def _curated(
        self, connection: AsyncConnection, business: Business, question: Question
    ) -> _Curated | None:
        asked = [m for m in question.history if m.unanswered]
        if len(asked) != 1 or asked[0].kind != "text":
            return None
        if not business.may_be_curated(asked[0].text):
            return None
        found = await self._knowledge.curated(connection, question.tenant_id, asked[0].text)
        if found is None:
            return None
        opening = business.profile.opening if question.first_reply else ""
        return _Curated(str(found.id), found.question, found.answer, business.version, opening)

    async def _passages(self, work: Work, model: str) -> tuple[list[Known], Rewritten | None]:
        if work.told is not None:
            return list(work.told), None
        return await self._search(work, model) if work.searches else ([], None)

    async def _search(self, work: Work, model: str) -> tuple[list[Known], Rewritten | None]:
        """Return passages for the customer's words; none when searching fails."""
        rewritten = None
        try:
            *shorter, words = _queries(work.situation)
            rewritten = await self._rewriter.rewrite(words, work.languages, model=model)
            queries = [*shorter, *rewritten.queries]
            found = await self._knowledge.search(work.question.tenant_id, queries)
        except Exception as error:  # noqa: BLE001 - the model hands over what it cannot know
            capture(error, tenant_id=work.question.tenant_id)
            log.warning("searching failed", extra={"errorType": type(error).__name__})
            return [], rewritten
        return _fitting(found), rewritten

    def _models(self, first: str) -> list[str]:
        fallback = self._settings.openai_fallback_model
        return [first, fallback] if fallback and fallback != first else [first]


def _queries(situation: Situation) -> list[str]:
    """The customer's words; a short follow-up is asked with what it follows as well."""
    asked = situation.asked[-_QUERY_CHARS_MAX:]
    before = [m.text for m in situation.history if m.author == "customer" and not m.unanswered]
    if len(asked) < _SHORT_QUERY_CHARS and before:
        return [asked, f"{before[-1][-_QUERY_CHARS_MAX:]} {asked}"]
    return [asked]


def _fitting(found: Sequence[Known]) -> list[Known]:
    kept: list[Known] = []
    tokens = size = 0
    for passage in found[:PASSAGES_MAX]:
        told = passage.title + passage.question + passage.text
        tokens += budget.tokens_about(told)
        size += len(told.encode()) + 200
        if tokens > budget.PASSAGES_TOKENS_MAX or size > _PASSAGE_BYTES_MAX:
            break
        kept.append(passage)
    return kept


def _context(work: Work, *, rehearsal: bool) -> ToolContext:
    question = work.question
    said = "\n".join(_own_words(m) for m in question.history if m.author == "customer")
    return ToolContext(
        tenant_id=question.tenant_id,
        conversation_id=question.conversation_id,
        contact_id=question.contact_id,
        channel_id=question.channel_id,
        turn_id=question.turn_id,
        business=work.situation.business,
        local_time=work.situation.local_time,
        said=said,
        rehearsal=rehearsal,
    )


def _own_words(message: PastMessage) -> str:
    """Return what a customer wrote or spoke, without what stands in their pictures and files.

    Those may be anybody's: an order that a forwarded letter asks for is not the customer's wish.
    """
    if message.kind in _SHOWN_KINDS:
        return message.text.partition("(")[0]
    return message.text


def _fixed(business: Business, question: Question, words: str) -> _Curated:
    """Words that are not ours to choose, behind the opening where it is the first reply."""
    opening = business.profile.opening if question.first_reply else ""
    return _Curated("", "", words, business.version, opening)


def _opened(opening: str, words: str) -> str:
    return f"{opening}\n\n{words}" if opening else words


def _own_answer(own: _Curated) -> Answer:
    passage = {"id": own.id, "kind": "qa", "title": own.title[:120]}
    return Answer(
        bubbles=[_opened(own.opening, own.words)],
        opening=own.opening,
        handover_reason=None,
        handover_summary=None,
        used_sources=[own.id] if own.id else [],
        model=CURATED_MODEL,
        input_tokens=0,
        output_tokens=0,
        prompt_version=PROMPT_VERSION,
        lesson=lessons.Used(UUID(own.id)) if own.id else None,
        trace={
            "curated": bool(own.id),
            "version": own.version,
            "passages": [passage] if own.id else [],
        },
    )


def _missing(work: Work, finished: Finished) -> lessons.Missing | None:
    if finished.handover_reason != MISSING_KNOWLEDGE:
        return None
    return lessons.Missing(work.situation.asked, work.question.conversation_id)


def _add(finished: Finished, rewritten: Rewritten, duration_ms: int) -> None:
    """Count what translating the question for the search took with the answer."""
    spent = rewritten.usage
    finished.input_tokens += spent.input_tokens
    finished.output_tokens += spent.output_tokens
    told = {"model": rewritten.model, "input": spent.input_tokens, "output": spent.output_tokens}
    finished.calls.insert(0, {**told, "ms": duration_ms, "for": "search"})


def _trace(situation: Situation, finished: Finished) -> dict[str, Any]:
    """What is kept of an answer: ids, figures, stable words, and the passages as they were told.

    Passages are the business's own words, which may be others tomorrow; a customer's are not kept.
    """
    used = set(finished.used_sources)
    told = [p for p in situation.inline if p.id in used]
    searched = [p for p in finished.passages if p not in told]
    trace: dict[str, Any] = {
        "version": situation.version,
        "calls": finished.calls,
        "passages": [_told(p) for p in (*searched, *told)],
    }
    if finished.ran:
        trace["tools"] = [ran.told() for ran in finished.ran]
    if finished.findings:
        trace["findings"] = [finding.told() for finding in finished.findings]
    return trace


def _told(passage: Known) -> dict[str, Any]:
    told: dict[str, Any] = {"id": passage.id, "kind": passage.kind, "title": passage.title[:120]}
    words = {"text": passage.text, "question": passage.question, "url": passage.url}
    told |= {name: value for name, value in words.items() if value}
    return told if passage.score is None else {**told, "score": round(passage.score, 3)}


def passages_of(trace: Mapping[str, Any]) -> list[Known]:
    """Return the passages of an answer as they were told; those kept without words are left out."""
    return [
        Known(
            id=str(p["id"]),
            kind=str(p["kind"]),
            title=str(p["title"]),
            text=str(p["text"]),
            question=str(p.get("question", "")),
            url=str(p.get("url", "")),
            score=p.get("score"),
        )
        for p in trace.get("passages") or ()
        if p.get("text")
    ]
