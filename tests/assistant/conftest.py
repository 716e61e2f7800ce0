"""An engine with the real answerer, its model the simulator's, on one database for the package."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from app.assistant.answering import ModelAnswerer
from app.assistant.finding import FoundKnowledge
from app.assistant.knowledge.retrieval import Retriever
from app.assistant.profiles import Fact, Profile
from app.assistant.toolbox import AssistantTools
from app.assistant.versions import publish
from app.core.config import Settings
from app.core.outbound import outbound_session
from tenants.service import Actor
from tests.assistant.desk import SimulatedModel
from tests.engine.bench import Bench, Business
from tests.engine.conftest import bench  # noqa: F401 - the fixture is used by its name


class NoVectors:
    """Embeds nothing: searching goes by words alone."""

    model = "none"

    async def embed(self, *_: Any, **__: Any) -> Any:
        raise AssertionError("nothing is searched here")


@dataclass
class Stand:
    """A bench whose answers come from the real answerer."""

    bench: Bench
    model: SimulatedModel
    answerer: ModelAnswerer
    settings: Settings

    async def business(self, **profile: Any) -> Business:
        business = await self.bench.business(handover_text="A colleague answers here.")
        facts = [Fact("opening hours", "Sunday 9:00 to 14:00"), Fact("address", "14 Lantern St")]
        async with self.bench.database.db.system() as connection:
            taught = Profile(**{"facts": facts, "disclosure": "I am an AI.", **profile})
            await publish(connection, business.tenant_id, taught, Actor("operator", "t"))
        return business

    async def learn(self, business: Business, question: str, answer: str) -> None:
        await self.bench.execute(
            "insert into question_answers (tenant_id, id, question, answer)"
            " values (:t, gen_random_uuid(), :q, :a)",
            t=business.tenant_id,
            q=question,
            a=answer,
        )

    async def reads(self, business: Business, *languages: str) -> None:
        """Have files in some languages in the index, as far as answering sees."""
        await self.bench.execute(
            "insert into knowledge_sources (tenant_id, id, kind, title)"
            " values (:t, gen_random_uuid(), 'file', 'Menu')",
            t=business.tenant_id,
        )
        await self.bench.execute(
            "insert into knowledge_generations (tenant_id, model, dims, languages, passages)"
            " values (:t, 'none', 384, :languages, 1)",
            t=business.tenant_id,
            languages=list(languages),
        )

    async def asked(self, business: Business, *texts: str, phone: str = "15550101") -> list[str]:
        """A customer writes; what the phone shows since."""
        shown = len(self.bench.sender.phone)
        await self.bench.write(business, phone, *texts)
        await self.bench.work()
        return list(self.bench.sender.texts())[shown:]


@pytest.fixture
async def stand(bench: Bench) -> AsyncIterator[Stand]:  # noqa: F811 - pytest's way
    model = SimulatedModel("demo")
    database, settings = bench.database.db, bench.settings
    session = outbound_session(settings, guarded=True)
    knowledge = FoundKnowledge(Retriever(database, NoVectors()))
    toolbox = AssistantTools(database, knowledge, session, settings.keyring(), None)
    answerer = ModelAnswerer(model, settings, knowledge, toolbox)
    bench.answerer = answerer  # type: ignore[assignment]
    yield Stand(bench, model, answerer, settings)
    await session.close()
