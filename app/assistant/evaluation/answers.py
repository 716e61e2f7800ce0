"""Golden questions: what an assistant must say, must not say, and must hand over."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from app.assistant.answering import ModelAnswerer
from app.assistant.profiles import Fact, Profile
from app.assistant.prompt import Known
from app.assistant.reading import Business, local_time
from app.assistant.tools.builtin import HandToPerson, ResolveDate
from app.assistant.tools.definitions import ToolDefinition
from app.assistant.tools.port import Tool
from app.core.config import Settings
from app.core.errors import ProviderError, RefusedError
from app.core.ports import PastMessage, Question
from app.llm.port import ChatModel

SAMPLES = Path(__file__).parent / "samples"
AT_ONCE_MAX = 4
_NOBODY = UUID(int=0)


class Golden(msgspec.Struct, frozen=True, kw_only=True):
    """One question and what is expected of its answer.

    Attributes:
        expect: each must stand in the reply; ``a|b`` is one of several spellings.
        must_not: none of these may.
        hand_over: True when people have to take over, False when they must not.
    """

    ask: str
    language: str = ""
    expect: list[str] = []
    must_not: list[str] = []
    hand_over: bool = False


class SampleBusiness(msgspec.Struct, frozen=True):
    """A business to ask, for sets that bring their own."""

    name: str
    time_zone: str = "UTC"
    facts: list[tuple[str, str]] = []
    questions: list[tuple[str, str]] = []


class GoldenSet(msgspec.Struct, frozen=True):
    """Questions, and the business they are about when it is not a tenant's."""

    golden: list[Golden]
    business: SampleBusiness | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """How one question was answered. ``faults`` is empty when it passed."""

    golden: Golden
    reply: str
    faults: Sequence[str] = field(default_factory=list)


class _Untaught:
    """Knows nothing beyond the prompt."""

    async def search(self, tenant_id: UUID, queries: Sequence[str]) -> list[Known]:
        del tenant_id, queries
        return []

    async def curated(self, connection: AsyncConnection, tenant_id: UUID, message: str) -> None:
        del connection, tenant_id, message


class _FewTools:
    """The tools that need no tenant."""

    def offer(self, definitions: Sequence[ToolDefinition], *, searches: bool) -> Sequence[Tool]:
        del definitions, searches
        return (ResolveDate(), HandToPerson())


def read_set(path: Path) -> GoldenSet:
    """Read a set; RefusedError says what is wrong with the file."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=GoldenSet)
    except msgspec.DecodeError as error:
        raise RefusedError(
            "%(file)s is no set of golden questions: %(error)s.", file=path.name, error=error
        ) from None


def sample_names() -> list[str]:
    """Return the sets that come with the product."""
    return sorted(path.stem for path in SAMPLES.glob("*.json"))


def sample_answerer(model: ChatModel, settings: Settings) -> ModelAnswerer:
    """Return an answerer for businesses that are no tenants."""
    return ModelAnswerer(model, settings, _Untaught(), _FewTools())


def sample_business(sample: SampleBusiness) -> Business:
    """Return a sample as answering sees a tenant."""
    pairs = [
        Known(f"q{n}", "qa", question, answer, question)
        for n, (question, answer) in enumerate(sample.questions, 1)
    ]
    profile = Profile(facts=[Fact(key, value) for key, value in sample.facts])
    return Business(
        tenant_id=_NOBODY,
        name=sample.name,
        time_zone=sample.time_zone,
        profile=profile,
        version=None,
        pairs=pairs,
        wordings=[],
        searches=False,
        tools=[],
    )


async def ask_all(
    answerer: ModelAnswerer, business: Business, golden: Sequence[Golden]
) -> list[Judged]:
    """Ask every question as a new customer would; some at once."""
    room = asyncio.Semaphore(AT_ONCE_MAX)

    async def one(each: Golden) -> Judged:
        async with room:
            return await _ask(answerer, business, each)

    return list(await asyncio.gather(*(one(each) for each in golden)))


def scores(judged: Sequence[Judged]) -> dict[str, Any]:
    """Return the share that passed: of all, of answers, of hand-overs, and by language."""

    def share(part: Sequence[Judged]) -> float | None:
        return round(sum(not j.faults for j in part) / len(part), 3) if part else None

    languages = dict.fromkeys(j.golden.language for j in judged)
    return {
        "questions": len(judged),
        "passed": share(judged),
        "answered": share([j for j in judged if not j.golden.hand_over]),
        "handed_over": share([j for j in judged if j.golden.hand_over]),
        "by_language": {
            code or "-": share([j for j in judged if j.golden.language == code])
            for code in languages
        },
    }


async def _ask(answerer: ModelAnswerer, business: Business, golden: Golden) -> Judged:
    message = PastMessage(
        "customer", "text", golden.ask, local_time(business.time_zone), unanswered=True
    )
    question = Question(
        tenant_id=business.tenant_id,
        conversation_id=_NOBODY,
        turn_id=_NOBODY,
        history=[message],
        first_reply=True,
        customer_name=None,
        contact_id=_NOBODY,
        channel_id=_NOBODY,
    )
    work = answerer.work(business, question)
    try:
        model = answerer.model_of(business.profile)
        finished, _ = await answerer.work_out(work, model=model, rehearsal=True)
    except ProviderError as error:
        return Judged(golden, "", [f"no answer: {error}"])
    return Judged(golden, finished.reply, _faults(golden, finished.reply, finished.handover_reason))


def _faults(golden: Golden, reply: str, handover_reason: str | None) -> list[str]:
    told = reply.casefold()
    faults = []
    if golden.hand_over != (handover_reason is not None):
        faults.append("not handed over" if golden.hand_over else f"handed over: {handover_reason}")
    if not golden.hand_over:
        faults += [
            f"without {wanted!r}"
            for wanted in golden.expect
            if not any(each.casefold() in told for each in wanted.split("|"))
        ]
    faults += [f"with {unwanted!r}" for unwanted in golden.must_not if unwanted.casefold() in told]
    return faults
