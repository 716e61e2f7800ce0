"""What the database says of a tenant's questions: one statement for all of a batch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.assistant import budget, profiles
from app.assistant.letters import fold
from app.assistant.profiles import Profile
from app.assistant.prompt import Known, Situation
from app.assistant.tools.definitions import TOOLS_MAX, ToolDefinition
from app.core.db.rows import as_rows
from app.core.ports import Question

INLINE_PAIRS_MAX = 60
_FACTS_MAX = 30
_CURATED_CHARS_MAX = 300
_LIKE_WORDS = 0.6

_READ = text(
    """
    select t.name, t.time_zone, v.number, v.content,
           case when v.tenant_id is null then jsonb_build_object(
               'persona', p.persona, 'greeting', p.greeting, 'disclosure', p.disclosure,
               'facts', p.facts) end as taught,
           exists (select 1 from knowledge_sources s where s.tenant_id = t.id) as has_sources,
           (select g.languages from knowledge_generations g
            where g.tenant_id = t.id and g.passages > 0) as languages,
           (select jsonb_agg(jsonb_build_array(q.id, q.question, q.answer, q.alternatives)
                             order by q.created_at, q.id)
            from (select * from question_answers
                  where tenant_id = t.id and status = 'approved'
                  order by created_at, id limit :pairs_max) q) as pairs,
           (select jsonb_agg(jsonb_build_object(
                'id', x.id, 'name', x.name, 'description', x.description,
                'parameters', x.parameters, 'method', x.method, 'url', x.url,
                'timeout_s', x.timeout_s, 'response_bytes_max', x.response_bytes_max,
                'needs_verified', x.needs_verified) order by x.name)
            from tenant_tools x where x.tenant_id = t.id and x.enabled) as tools,
           (select jsonb_agg(jsonb_build_array(f.contact_id, f.key, f.value) order by f.key)
            from contact_facts f where f.tenant_id = t.id and f.contact_id in (
                select (r->>'contact_id')::uuid
                from jsonb_array_elements(cast(:people as jsonb)) r)) as memory,
           (select jsonb_agg(jsonb_build_array(s.conversation_id, s.summary))
            from conversation_summaries s
            where s.tenant_id = t.id and s.summary <> '' and s.conversation_id in (
                select (r->>'conversation_id')::uuid
                from jsonb_array_elements(cast(:people as jsonb)) r)) as summaries
    from tenants t
    left join assistant_versions v on v.tenant_id = t.id and v.state = 'live'
    left join assistant_profiles p on p.tenant_id = t.id
    where t.id = :tenant_id
    """
)


@dataclass(frozen=True, slots=True)
class Business:
    """A tenant as its prompts need it.

    Attributes:
        pairs: the approved Q&A that fit into every prompt.
        searches: True when there is more to know than fits: the rest is searched for.
        languages: of what is searched, the most frequent first.
        tools: what its assistant may call.
    """

    tenant_id: UUID
    name: str
    time_zone: str
    profile: Profile
    version: int | None
    pairs: Sequence[Known]
    wordings: Sequence[Sequence[str]]
    searches: bool
    tools: Sequence[ToolDefinition]
    memory: Mapping[UUID, Sequence[tuple[str, str]]] = field(default_factory=dict, repr=False)
    summaries: Mapping[UUID, str] = field(default_factory=dict, repr=False)
    languages: Sequence[str] = ()

    def situation(self, question: Question) -> Situation:
        """Return what a question's prompt is made of."""
        return Situation(
            business=self.name,
            profile=self.profile,
            local_time=local_time(self.time_zone),
            time_zone=self.time_zone,
            opening=self.profile.opening if question.first_reply else "",
            history=question.history,
            inline=self.pairs,
            memory=self.memory.get(question.contact_id, ()),
            summary=self.summaries.get(question.conversation_id, ""),
            customer_name=question.customer_name,
            version=self.version,
        )

    def may_be_curated(self, message: str) -> bool:
        """Tell whether a message is worth comparing with the approved questions word by word."""
        if not message or len(message) > _CURATED_CHARS_MAX:
            return False
        if self.searches:
            return True
        words = set(fold(message).split())
        return any(
            len(words & set(fold(wording).split())) >= _LIKE_WORDS * len(wording.split())
            for wordings in self.wordings
            for wording in wordings
        )


async def read_business(connection: AsyncConnection, questions: Sequence[Question]) -> Business:
    """Read a tenant and its questions' people in its own transaction; nothing is written."""
    tenant_id = questions[0].tenant_id
    people = as_rows(
        {"contact_id": q.contact_id, "conversation_id": q.conversation_id} for q in questions
    )
    values = {"tenant_id": tenant_id, "people": people, "pairs_max": INLINE_PAIRS_MAX + 1}
    row = (await connection.execute(_READ, values)).one()
    pairs, searches = _inline(row.pairs or [])
    memory: dict[UUID, list[tuple[str, str]]] = {}
    for contact_id, key, value in row.memory or []:
        memory.setdefault(UUID(contact_id), []).append((str(key), str(value)))
    return Business(
        tenant_id=tenant_id,
        name=row.name,
        time_zone=row.time_zone,
        profile=profiles.read(row.content if row.content is not None else _taught(row.taught)),
        version=row.number,
        pairs=pairs,
        wordings=[[str(p[1]), *map(str, p[3] or ())] for p in row.pairs or []],
        # Where no passage stands in the index (yet), asking for one would only cost time.
        searches=(searches or row.has_sources) and row.languages is not None,
        tools=[_tool(each) for each in (row.tools or [])[:TOOLS_MAX]],
        memory={key: facts[:_FACTS_MAX] for key, facts in memory.items()},
        summaries={UUID(str(key)): str(summary) for key, summary in row.summaries or []},
        languages=row.languages or (),
    )


def local_time(zone: str) -> datetime:
    """Return the time in a zone; in UTC when this machine does not know it."""
    try:
        return datetime.now(ZoneInfo(zone))
    except (ZoneInfoNotFoundError, ValueError):
        return datetime.now(UTC)


def _taught(columns: Mapping[str, Any] | None) -> dict[str, Any]:
    """What a business taught before it had versions; NULL where it taught nothing."""
    return {key: value for key, value in (columns or {}).items() if value is not None}


def _inline(pairs: Sequence[Sequence[Any]]) -> tuple[list[Known], bool]:
    """Return the pairs that every prompt tells, and whether that leaves some out."""
    told = [Known(str(p[0]), "qa", str(p[1]), str(p[2]), str(p[1])) for p in pairs]
    if len(told) > INLINE_PAIRS_MAX:
        return [], True
    tokens = sum(budget.tokens_about(each.question + each.text) for each in told)
    return (told, False) if tokens <= budget.INLINE_TOKENS_MAX else ([], True)


def _tool(stored: Mapping[str, Any]) -> ToolDefinition:
    return ToolDefinition(**{**stored, "id": UUID(str(stored["id"])), "enabled": True})
