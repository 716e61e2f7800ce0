"""One answer in the making: ask, run the tools asked for, ask again, check the draft, repair once.

Everything is bounded: calls, tools a call, tokens, seconds. What the model says is judged by the
guards; what they refuse twice goes to people, in the business's own words.
"""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.assistant import budget
from app.assistant.guards.incoming import inspect_incoming
from app.assistant.guards.languages import NAMES
from app.assistant.guards.outgoing import Inspection, Surroundings, inspect_outgoing
from app.assistant.guards.persons import asks_for_person
from app.assistant.guards.verdicts import Finding, Ruling
from app.assistant.policy import ANSWER_SCHEMA, HANDOVER_REASONS, REPAIRS
from app.assistant.prompt import Known, Prompt, Situation, tool_result
from app.assistant.surroundings import given_text, hosts_of, owner_text
from app.assistant.tools.port import Tool, ToolContext
from app.assistant.tools.running import Ran, by_name, run_tool
from app.core.errors import ProviderError
from app.core.text import storable
from app.llm.port import ChatAnswer, ChatModel, ChatRequest, ChatTurn, ToolCall, ToolSpec

log = logging.getLogger(__name__)

CALLS_MAX = 4
"""Times the model is asked in all for one answer; one more for a repair."""
TOOLS_A_CALL_MAX = 3
OUTPUT_TOKENS_MAX = 700
_GROWTH_BYTES = TOOLS_A_CALL_MAX * (4 * budget.TOOL_RESULT_CHARS_MAX + 200) + 4 * OUTPUT_TOKENS_MAX


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be answered, with what.

    Attributes:
        models: the first is asked; the next one when it fails.
        timeout_s: for one call; twice that for the whole answer.
    """

    situation: Situation
    prompt: Prompt
    passages: Sequence[Known]
    tools: Sequence[Tool]
    context: ToolContext
    models: Sequence[str]
    timeout_s: float


@dataclass(slots=True)
class Finished:
    """The answer, and how it came about."""

    reply: str = field(repr=False)
    handover_reason: str | None
    handover_summary: str | None
    used_sources: list[str]
    model: str
    input_tokens: int
    output_tokens: int
    calls: list[dict[str, Any]]
    ran: list[Ran]
    passages: list[Known]
    findings: list[Finding]


def tokens_bound(base: int, *, tools: Sequence[ToolSpec]) -> tuple[int, int]:
    """Return the most input and output tokens over all calls of an answer.

    Args:
        base: upper bound of the first call's prompt.
        tools: what may be called; without any there is one call and its repair.
    """
    specs = sum(budget.tokens_most(f"{t.name}{t.description}{t.parameters}") for t in tools)
    calls = (CALLS_MAX if tools else 1) + 1
    grown = sum(range(calls)) * _GROWTH_BYTES if tools else 4 * OUTPUT_TOKENS_MAX + 400
    schema = budget.tokens_most(str(ANSWER_SCHEMA))
    return calls * (base + specs + schema) + grown, calls * OUTPUT_TOKENS_MAX


async def converse(model: ChatModel, job: Job) -> Finished:
    """Bring a job to its answer.

    Raises:
        ProviderError: no model answered, or none in the form asked for.
    """
    try:
        async with asyncio.timeout(2 * job.timeout_s):
            return await _Conversation(model, job).run()
    except TimeoutError:
        raise ProviderError("llm", "the answer took too long") from None


class _Conversation:
    def __init__(self, model: ChatModel, job: Job) -> None:
        self._model = model
        self._job = job
        self._turns = list(job.prompt.turns)
        self._tools = by_name(job.tools)
        self._specs = [tool.spec for tool in job.tools]
        self._passages = list(job.passages)
        self._ran: list[Ran] = []
        self._calls: list[dict[str, Any]] = []
        self._findings = _incoming(job)
        self._known: frozenset[str] = frozenset()
        self._answered_by = job.models[0]
        self._tokens = [0, 0]
        self._wants_person = asks_for_person(job.situation.asked)

    async def run(self) -> Finished:
        content = await self._until_answered()
        reply, reason = self._read(content)
        inspection = self._inspect(reply, reason)
        if not inspection.sendable and inspection.ruling is not Ruling.BLOCK:
            content = await self._repair(inspection, content)
            reply, reason = self._read(content)
            inspection = self._inspect(reply, reason)
        return self._finish(content, reason, inspection)

    async def _until_answered(self) -> Mapping[str, Any]:
        for step in range(1, CALLS_MAX + 1):
            answer = await self._ask(must_answer=step == CALLS_MAX)
            if not answer.tool_calls:
                return answer.content
            if step == CALLS_MAX:
                break
            await self._run_tools(answer.tool_calls)
        raise ProviderError("llm", "the model asked for tools instead of answering")

    async def _ask(self, *, must_answer: bool) -> ChatAnswer:
        failure: ProviderError | None = None
        for name in self._job.models:
            request = ChatRequest(
                model=name,
                turns=self._turns,
                schema_name="front_desk_answer",
                schema=ANSWER_SCHEMA,
                output_tokens_max=OUTPUT_TOKENS_MAX,
                timeout_s=self._job.timeout_s,
                tools=self._specs,
                must_answer=must_answer,
            )
            began = time.perf_counter()
            try:
                answer = await self._model.complete(request)
            except ProviderError as error:
                failure = failure or error
                log.warning("a model failed", extra={"model": name, "status": error.status_code})
                continue
            self._count(answer, began)
            return answer
        raise failure or ProviderError("llm", "no model is configured")

    def _count(self, answer: ChatAnswer, began: float) -> None:
        self._answered_by = answer.model
        self._tokens[0] += answer.usage.input_tokens
        self._tokens[1] += answer.usage.output_tokens
        self._calls.append(
            {
                "model": answer.model,
                "input": answer.usage.input_tokens,
                "output": answer.usage.output_tokens,
                "ms": round((time.perf_counter() - began) * 1000),
            }
        )

    async def _run_tools(self, calls: Sequence[ToolCall]) -> None:
        # One after the other: a later call may need what an earlier one found.
        self._turns.append(ChatTurn("assistant", "", tool_calls=calls))
        for place, call in enumerate(calls):
            if place >= TOOLS_A_CALL_MAX:
                text = "Too many tools at once."
            else:
                ran = await run_tool(self._tools, call, self._job.context, self._known)
                self._note(ran)
                text = ran.result.text
            fenced = tool_result(text, self._job.prompt.fence)
            self._turns.append(ChatTurn("tool", fenced, tool_call_id=call.id))

    def _note(self, ran: Ran) -> None:
        self._ran.append(ran)
        self._known |= ran.result.scalars
        self._findings += inspect_incoming(ran.result.text, where="tool")
        known = {p.id for p in self._passages}
        self._passages += [p for p in ran.result.passages if p.id not in known]

    async def _repair(
        self, inspection: Inspection, content: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Ask once for another draft; the refused one is shown to nobody but the model."""
        self._findings += inspection.findings
        language = NAMES.get(self._around().language() or "", "the customer's language")
        wanted = dict.fromkeys(f.guard for f in inspection.findings if f.guard in REPAIRS)
        words = [REPAIRS[guard].format(language=language) for guard in wanted]
        draft = str(content.get("reply") or "")[: 4 * OUTPUT_TOKENS_MAX]
        self._turns.append(ChatTurn("assistant", draft or "(empty)"))
        self._turns.append(ChatTurn("system", " ".join(words)))
        return (await self._ask(must_answer=True)).content

    def _read(self, content: Mapping[str, Any]) -> tuple[str, str | None]:
        """Return the reply and the handover's reason; ProviderError when the shape is wrong."""
        reply, action, reason = (content.get(k) for k in ("reply", "action", "reason_code"))
        if not isinstance(reply, str) or action not in {"answer", "handover"}:
            raise ProviderError("llm", "the answer does not fit the schema")
        reply = storable(reply.strip())
        asked = next((r.result.handover for r in self._ran if r.result.handover), None)
        if asked is not None:
            return reply, asked[0]
        if action == "answer":
            # Who asks for a person gets one, whatever the model thinks of it.
            return reply, "customer_request" if self._wants_person else None
        return reply, reason if reason in HANDOVER_REASONS else "missing_knowledge"

    def _inspect(self, reply: str, reason: str | None) -> Inspection:
        if not reply and reason is not None:
            return Inspection("", ())  # handed over without a word
        return inspect_outgoing(reply, self._around(), hands_over=reason is not None)

    def _around(self) -> Surroundings:
        job = self._job
        profile = job.situation.profile
        return Surroundings(
            canary=job.prompt.canary,
            fence=job.prompt.fence,
            given=given_text(job.situation, self._passages, self._ran),
            owned=owner_text(job.situation, self._ran),
            said=job.context.said,
            asked=job.situation.asked,
            house=(profile.persona, *profile.rules),
            hosts=hosts_of(job.situation, self._passages, job.tools),
            languages=profile.languages,
            acted=any(ran.result.acted for ran in self._ran),
            reported="\n".join(ran.result.text for ran in self._ran if ran.result.reports),
        )

    def _finish(
        self, content: Mapping[str, Any], reason: str | None, inspection: Inspection
    ) -> Finished:
        self._findings += inspection.findings
        reply = inspection.text
        # What a second try still has in the wrong language is right all the same.
        if inspection.ruling in {Ruling.REPAIR, Ruling.BLOCK}:
            reply, reason = "", reason or "policy_restriction"
        for finding in self._findings:
            extra = {"code": f"{finding.guard}:{finding.code}", "outcome": finding.ruling.value}
            log.info("a guard spoke", extra=extra)
        asked = next((r.result.handover for r in self._ran if r.result.handover), None)
        return Finished(
            reply=reply,
            handover_reason=reason,
            handover_summary=_summary(asked, self._job.situation) if reason else None,
            used_sources=_sources(content),
            model=self._answered_by,
            input_tokens=self._tokens[0],
            output_tokens=self._tokens[1],
            calls=self._calls,
            ran=self._ran,
            passages=self._passages,
            findings=self._findings,
        )


def _incoming(job: Job) -> list[Finding]:
    """Note marks of injection in what the prompt was made of and the business did not write."""
    found = inspect_incoming(job.situation.asked, where="customer")
    if job.situation.customer_name:
        found += inspect_incoming(job.situation.customer_name, where="name")
    for passage in job.passages:
        found += inspect_incoming(passage.text, where="knowledge")
    return list(dict.fromkeys(found))


def _summary(asked: tuple[str, str] | None, situation: Situation) -> str | None:
    """The model's own line for people, else the customer's latest words."""
    words = asked[1] if asked else " ".join(situation.asked.split())
    return storable(words, chars_max=280) or None


def _sources(content: Mapping[str, Any]) -> list[str]:
    listed = content.get("used_sources")
    if not isinstance(listed, list):
        return []
    return [storable(s, chars_max=200) for s in listed[:50] if isinstance(s, str)]
