"""The tools that every assistant has: looking things up, dates, memory, handing over."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from app.assistant.dates import find_dates
from app.assistant.policy import HANDOVER_REASONS
from app.assistant.prompt import Known
from app.assistant.tools.port import ToolContext, ToolResult, refused
from app.core.db.engine import Database
from app.core.errors import RefusedError
from app.llm.port import ToolSpec
from app.messaging import contact_facts

_SUMMARY_CHARS_MAX = 300
_QUERY_CHARS_MAX = 300


class Search(Protocol):
    """Finds passages of a business's knowledge."""

    async def __call__(self, tenant_id: UUID, queries: Sequence[str]) -> list[Known]:
        """Return the best passages for some wordings of a question."""
        ...


def _object(required: Sequence[str] = (), **properties: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
        "required": list(required),
    }


def _text(description: str, chars_max: int) -> Mapping[str, Any]:
    return {"type": "string", "description": description, "minLength": 1, "maxLength": chars_max}


@dataclass(frozen=True, slots=True)
class SearchKnowledge:
    """Searches the business's files, pages and answers."""

    search: Search
    trusted_host: str | None = None

    @property
    def spec(self) -> ToolSpec:
        """What the model is told of it."""
        return ToolSpec(
            "search_knowledge",
            "Search the business's own files, pages and answers when what you were given does not"
            " answer the question. Ask in the words the business would use, in its language.",
            _object(["query"], query=_text("What to look for", _QUERY_CHARS_MAX)),
        )

    async def run(
        self, context: ToolContext, arguments: Mapping[str, Any], known: frozenset[str]
    ) -> ToolResult:
        """Return the passages found; they join the prompt's."""
        del known
        found = await self.search(context.tenant_id, [arguments["query"]])
        if not found:
            return ToolResult("ok", "Nothing was found.")
        told = "\n\n".join(f"[{p.id}] {p.title}\n{p.text}" for p in found)
        return ToolResult("ok", told, passages=found)


@dataclass(frozen=True, slots=True)
class HandToPerson:
    """Gives the conversation to people."""

    trusted_host: str | None = None

    @property
    def spec(self) -> ToolSpec:
        """What the model is told of it."""
        return ToolSpec(
            "hand_to_person",
            "Give the conversation to a person of the business, with the reason and one line that"
            " tells them what the customer needs. After it, say so to the customer.",
            _object(
                ["reason", "summary"],
                reason={"type": "string", "enum": list(HANDOVER_REASONS)},
                summary=_text("One line for the person", _SUMMARY_CHARS_MAX),
            ),
        )

    async def run(
        self, context: ToolContext, arguments: Mapping[str, Any], known: frozenset[str]
    ) -> ToolResult:
        """Note it; the turn itself hands over, in the commit that queues the reply."""
        del context, known
        summary = " ".join(arguments["summary"].split())
        return ToolResult(
            "ok",
            "A person will see the conversation. Answer with action handover.",
            handover=(arguments["reason"], summary),
        )


@dataclass(frozen=True, slots=True)
class ResolveDate:
    """Turns words for a day into a date."""

    trusted_host: str | None = None

    @property
    def spec(self) -> ToolSpec:
        """What the model is told of it."""
        return ToolSpec(
            "resolve_date",
            "Find which date words such as “next Friday” or “in 3 days” mean today.",
            _object(["phrase"], phrase=_text("The customer's words for the day", 100)),
        )

    async def run(
        self, context: ToolContext, arguments: Mapping[str, Any], known: frozenset[str]
    ) -> ToolResult:
        """Return the dates that the phrase names."""
        del known
        found = find_dates(arguments["phrase"], context.local_time.date())
        if not found:
            return ToolResult("ok", "Not clear. Ask the customer for the date.")
        days = frozenset(f"{said.day:%Y-%m-%d}" for said in found)
        return ToolResult("ok", "\n".join(map(str, found)), scalars=days)


@dataclass(frozen=True, slots=True)
class Remember:
    """Keeps a fact about this one customer."""

    database: Database
    trusted_host: str | None = None

    @property
    def spec(self) -> ToolSpec:
        """What the model is told of it."""
        return ToolSpec(
            "remember",
            "Keep a lasting fact that this customer told about themselves and that helps next"
            " time (a preference, a size, an allergy, their name). Never anything secret.",
            _object(
                ["key", "value"],
                key=_text("Short name of the fact", contact_facts.KEY_CHARS_MAX),
                value=_text("The fact", contact_facts.VALUE_CHARS_MAX),
            ),
        )

    async def run(
        self, context: ToolContext, arguments: Mapping[str, Any], known: frozenset[str]
    ) -> ToolResult:
        """Store it for the contact of this conversation."""
        del known
        if context.rehearsal:
            return ToolResult("ok", "Noted (not kept: this is a rehearsal).")
        fact = contact_facts.NewFact(arguments["key"], arguments["value"], context.turn_id)
        try:
            async with self.database.tenant(context.tenant_id) as connection:
                await contact_facts.remember(
                    connection, context.tenant_id, context.contact_id, fact
                )
        except RefusedError as error:
            return refused(str(error))
        return ToolResult("ok", "Noted.")
