"""The answerer: reads what the business taught, asks the model, reads its structured answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.assistant.prompt import (
    ANSWER_SCHEMA,
    HANDOVER_REASONS,
    PROMPT_VERSION,
    Business,
    Passage,
    build_prompt,
    tokens_max,
)
from app.core.config import Settings
from app.core.errors import ProviderError
from app.core.ports import Answer, Prepared, Question
from app.core.text import storable
from app.llm.port import ChatModel, ChatRequest, ChatTurn

_OUTPUT_TOKENS_MAX = 700
_REPLY_CHARS_MAX = 4_000  # WhatsApp takes 65 536; nobody reads that on a phone
_PASSAGES_MAX = 60

_BUSINESS = text(
    """
    select t.name, t.time_zone, p.persona, p.disclosure, p.greeting, p.facts,
           coalesce((select jsonb_agg(jsonb_build_array(q.id, q.question, q.answer)
                                      order by q.created_at, q.id)
                     from (select * from question_answers
                           where tenant_id = t.id and status = 'approved'
                           order by created_at, id limit :passages_max) q), '[]') as answers
    from tenants t left join assistant_profiles p on p.tenant_id = t.id
    where t.id = :tenant_id
    """
)


@dataclass(frozen=True, slots=True)
class _Prompt:
    turns: Sequence[ChatTurn]
    opening: str


class ModelAnswerer:
    """Answers with a language model from the business's facts and Q&A."""

    def __init__(self, model: ChatModel, settings: Settings) -> None:
        self._model = model
        self._settings = settings

    async def prepare(
        self, connection: AsyncConnection, questions: Sequence[Question]
    ) -> list[Prepared]:
        """Read the business once and build a prompt for each question (one query)."""
        values = {"tenant_id": questions[0].tenant_id, "passages_max": _PASSAGES_MAX}
        row = (await connection.execute(_BUSINESS, values)).one()
        passages = [Passage(str(a[0]), str(a[1]), str(a[1]), str(a[2])) for a in row.answers]
        return [self._prepare(row, passages, question) for question in questions]

    def _prepare(self, row: Any, passages: Sequence[Passage], question: Question) -> Prepared:
        opening = _opening(row) if question.first_reply else ""
        business = Business(
            name=row.name,
            persona=row.persona or "",
            facts=[(str(f["key"]), str(f["value"])) for f in row.facts or []],
            local_time=_local_time(row.time_zone),
            time_zone=row.time_zone,
            opening=opening.strip(),
        )
        turns = build_prompt(business, passages, question.history)
        return Prepared(
            model=self._settings.openai_model,
            input_tokens_max=tokens_max(turns),
            output_tokens_max=_OUTPUT_TOKENS_MAX,
            prompt=_Prompt(turns, opening),
        )

    async def answer(self, prepared: Prepared) -> Answer:
        """Ask the model once and read its answer."""
        prompt: _Prompt = prepared.prompt
        result = await self._model.complete(
            ChatRequest(
                model=prepared.model,
                turns=prompt.turns,
                schema_name="front_desk_answer",
                schema=ANSWER_SCHEMA,
                output_tokens_max=prepared.output_tokens_max,
                timeout_s=self._settings.timings.model_timeout_s,
            )
        )
        reply, reason = _read(result.content)
        bubbles = [f"{prompt.opening}{reply}"] if reply else []
        return Answer(
            bubbles=bubbles,
            handover_reason=reason,
            handover_summary=None,
            used_sources=_sources(result.content),
            model=result.model,
            input_tokens=result.usage.input_tokens,
            output_tokens=result.usage.output_tokens,
            prompt_version=PROMPT_VERSION,
        )


def _opening(row: Any) -> str:
    """Greeting and AI disclosure lead the first reply; they are no bubbles of their own."""
    parts = [part for part in (row.greeting, row.disclosure) if part]
    return " ".join(parts) + "\n\n" if parts else ""


def _local_time(zone: str) -> datetime:
    try:
        return datetime.now(ZoneInfo(zone))
    except (ZoneInfoNotFoundError, ValueError):
        return datetime.now(UTC)


def _read(content: Mapping[str, Any]) -> tuple[str, str | None]:
    """Return the reply and the handover's reason; ProviderError when the shape is wrong."""
    reply, action, reason = (content.get(k) for k in ("reply", "action", "reason_code"))
    if not isinstance(reply, str) or action not in {"answer", "handover"}:
        raise ProviderError("llm", "the answer does not fit the schema")
    reply = storable(reply.strip(), chars_max=_REPLY_CHARS_MAX)
    if action == "answer":
        if not reply:
            raise ProviderError("llm", "the answer is empty")
        return reply, None
    return reply, reason if reason in HANDOVER_REASONS else "missing_knowledge"


def _sources(content: Mapping[str, Any]) -> list[str]:
    listed = content.get("used_sources")
    if not isinstance(listed, list):
        return []
    return [storable(s, chars_max=200) for s in listed[:50] if isinstance(s, str)]
