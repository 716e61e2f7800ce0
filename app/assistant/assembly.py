"""The assistant's parts put together once a process: model, knowledge, tools, answerer."""

import asyncio
from dataclasses import dataclass

import aiohttp

from app.assistant.answering import ModelAnswerer
from app.assistant.finding import FoundKnowledge
from app.assistant.knowledge.retrieval import Retriever
from app.assistant.toolbox import AssistantTools
from app.core.config import Settings
from app.core.db.engine import Database
from app.llm.embeddings import OpenAIEmbedder
from app.llm.openai import OpenAIModel
from tenants.phone_codes import PhoneCodes


@dataclass(frozen=True, slots=True)
class Assistant:
    """One event loop's assistant; close it at the end."""

    answerer: ModelAnswerer
    model: OpenAIModel
    embedder: OpenAIEmbedder
    retriever: Retriever

    async def close(self) -> None:
        """Close the connections to the model; the caller closes what it handed in."""
        await asyncio.gather(self.model.close(), self.embedder.close())


def build_assistant(
    settings: Settings,
    database: Database,
    guarded: aiohttp.ClientSession,
    *,
    codes: PhoneCodes | None,
) -> Assistant:
    """Build it.

    Args:
        settings: names the models.
        database: its tenants' scope is what searching and tools read and write in.
        guarded: a guarded session (``app.core.outbound``), for tenants' own tools.
        codes: sends one-time codes to customers; None where nobody real is answered.
    """
    model, embedder = OpenAIModel(settings), OpenAIEmbedder(settings)
    retriever = Retriever(database, embedder)
    knowledge = FoundKnowledge(retriever)
    toolbox = AssistantTools(database, knowledge, guarded, settings.keyring(), codes)
    answerer = ModelAnswerer(model, settings, knowledge, toolbox)
    return Assistant(answerer, model, embedder, retriever)
