"""Running golden questions from the command line: against samples, or a tenant's assistant."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from app.assistant.assembly import build_assistant
from app.assistant.evaluation import answers
from app.assistant.evaluation.answers import GoldenSet, Judged
from app.assistant.reading import Business, read_business
from app.core.config import Settings
from app.core.db.engine import Database
from app.core.errors import RefusedError
from app.core.outbound import outbound_session
from app.core.ports import Question
from app.llm.openai import OpenAIModel

_NOBODY = UUID(int=0)


def run(
    samples: Sequence[str], questions: Path | None, tenant: str | None
) -> dict[str, list[Judged]]:
    """Ask the sets; return their judgements by the set's name."""
    settings = Settings.from_environ()
    if questions is None:
        unknown = set(samples) - set(answers.sample_names())
        if unknown:
            known = ", ".join(answers.sample_names())
            raise RefusedError(
                f"There is no sample {', '.join(sorted(unknown))}; there are {known}."
            )
        paths = [answers.SAMPLES / f"{n}.json" for n in samples or answers.sample_names()]
    else:
        paths = [questions]
    sets = {path.stem: answers.read_set(path) for path in paths}
    if tenant:
        return asyncio.run(_ask_tenant(settings, sets, _id(tenant)))
    return asyncio.run(_ask_samples(settings, sets))


def lines(told: Mapping[str, Sequence[Judged]]) -> list[str]:
    """Return the report: each set's scores, and what failed."""
    found = []
    for name, judged in told.items():
        score = answers.scores(judged)
        languages = ", ".join(f"{code} {share:.2f}" for code, share in score["by_language"].items())
        found.append(f"{name}: {score['passed']:.2f} of {score['questions']} ({languages})")
        found += [
            f"  {each.golden.language or '-'}  {each.golden.ask}\n      {'; '.join(each.faults)}"
            for each in judged
            if each.faults
        ]
    return found


def figures(told: Mapping[str, Sequence[Judged]]) -> dict[str, Any]:
    """Return the scores of each set and of all together."""
    every = [each for judged in told.values() for each in judged]
    sets = {name: answers.scores(judged) for name, judged in told.items()}
    return {**answers.scores(every), "sets": sets}


async def _ask_samples(
    settings: Settings, sets: Mapping[str, GoldenSet]
) -> dict[str, list[Judged]]:
    model = OpenAIModel(settings)
    answerer = answers.sample_answerer(model, settings)
    told = {}
    try:
        for name, each in sets.items():
            if each.business is None:
                raise RefusedError(f"{name} names no business: give one, or ask a --tenant.")
            business = answers.sample_business(each.business)
            told[name] = await answers.ask_all(answerer, business, each.golden)
    finally:
        await model.close()
    return told


async def _ask_tenant(
    settings: Settings, sets: Mapping[str, GoldenSet], tenant_id: UUID
) -> dict[str, list[Judged]]:
    database = Database.from_settings(settings, pool_size=4)
    session = outbound_session(settings, guarded=True)
    assistant = build_assistant(settings, database, session, codes=None)
    try:
        business = await _read(database, tenant_id)
        return {
            name: await answers.ask_all(assistant.answerer, business, each.golden)
            for name, each in sets.items()
        }
    finally:
        await assistant.close()
        await session.close()
        await database.close()


async def _read(database: Database, tenant_id: UUID) -> Business:
    nobody = Question(
        tenant_id=tenant_id,
        conversation_id=_NOBODY,
        turn_id=_NOBODY,
        history=[],
        first_reply=True,
        customer_name=None,
        contact_id=_NOBODY,
        channel_id=_NOBODY,
    )
    async with database.tenant(tenant_id) as connection:
        return await read_business(connection, [nobody])


def _id(raw: str) -> UUID:
    try:
        return UUID(raw)
    except ValueError:
        raise RefusedError("--tenant is a business's id.") from None
