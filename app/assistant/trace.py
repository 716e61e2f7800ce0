"""How a reply came about: kept with it, shown to people who ask why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.errors import NotFoundError

_WHY = text(
    """
    select t.id, t.state, t.model, t.prompt_version, t.usage, t.result, t.generated_at,
           t.end_reason, t.conversation_id, x.trace, h.captured_ucr, h.refunded_ucr
    from turns t
    left join turn_traces x on x.tenant_id = t.tenant_id and x.turn_id = t.id
    left join credit_holds h on h.tenant_id = t.tenant_id and h.id = t.hold_id
    where t.tenant_id = :tenant_id and t.id = :turn_id
    """
)


@dataclass(frozen=True, slots=True)
class WhySource:
    """A piece of knowledge that the model was given. ``score`` is None when it is always told.

    ``text`` are its words of then; empty for facts, which the version holds.
    """

    id: str
    kind: str
    title: str
    score: float | None
    used: bool
    text: str = ""


@dataclass(frozen=True, slots=True)
class WhyTool:
    """A tool that was called: how it went, how long it took, how much it answered."""

    name: str
    outcome: str
    duration_ms: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class WhyFinding:
    """What a guard said: guard, code, ruling; see ``guards.verdicts``."""

    guard: str
    code: str
    ruling: str


@dataclass(frozen=True, slots=True)
class Why:
    """Why a turn ended as it did.

    Attributes:
        answered: False when no answer was made (see the messages' disposition then).
        curated: the business's own words went out, no model was asked.
        version: number of the assistant's version; None before there were versions.
        price_ucr: what was charged, None when nothing was held or the turn is under way.
        models: all that were asked, in their order.
    """

    turn_id: UUID
    conversation_id: UUID
    state: str
    end_reason: str | None
    answered: bool
    curated: bool
    version: int | None
    prompt_version: str | None
    model: str | None
    input_tokens: int
    output_tokens: int
    cost_usd_micro: int | None
    price_ucr: int | None
    generated_at: datetime | None
    handover_reason: str | None
    sources: Sequence[WhySource]
    tools: Sequence[WhyTool]
    findings: Sequence[WhyFinding]
    calls: int
    duration_ms: int
    models: Sequence[str] = ()


async def why(connection: AsyncConnection, tenant_id: UUID, turn_id: UUID) -> Why:
    """Return how a turn's reply came about; NotFoundError when it is unknown or foreign."""
    found = await connection.execute(_WHY, {"tenant_id": tenant_id, "turn_id": turn_id})
    row = found.one_or_none()
    if row is None:
        raise NotFoundError("There is no such reply.")
    trace: Mapping[str, Any] = row.trace or {}
    usage, result = row.usage or {}, row.result or {}
    used = set(result.get("used_sources") or ())
    calls = trace.get("calls") or []
    return Why(
        turn_id=row.id,
        conversation_id=row.conversation_id,
        state=row.state,
        end_reason=row.end_reason,
        answered=row.generated_at is not None,
        curated=bool(trace.get("curated")),
        version=trace.get("version"),
        prompt_version=row.prompt_version,
        model=row.model,
        input_tokens=int(usage.get("input_tokens") or 0),
        output_tokens=int(usage.get("output_tokens") or 0),
        cost_usd_micro=usage.get("cost_usd_micro"),
        price_ucr=_charged(row.captured_ucr, row.refunded_ucr),
        generated_at=row.generated_at,
        handover_reason=result.get("handover_reason"),
        sources=_sources(trace, used),
        tools=[
            WhyTool(t["name"], t["outcome"], int(t["ms"]), int(t["bytes"]))
            for t in trace.get("tools") or []
        ],
        findings=[
            WhyFinding(f["guard"], f["code"], f["ruling"]) for f in trace.get("findings") or []
        ],
        calls=len(calls),
        duration_ms=sum(int(call["ms"]) for call in calls),
        models=list(dict.fromkeys(str(call["model"]) for call in calls)),
    )


def _charged(captured_ucr: int | None, refunded_ucr: int | None) -> int | None:
    return None if captured_ucr is None else captured_ucr - (refunded_ucr or 0)


def _sources(trace: Mapping[str, Any], used: set[str]) -> list[WhySource]:
    listed = [
        WhySource(
            p["id"], p["kind"], p["title"], p.get("score"), p["id"] in used, str(p.get("text", ""))
        )
        for p in trace.get("passages") or []
    ]
    known = {source.id for source in listed}
    listed += [WhySource(key, "fact", key, None, True) for key in sorted(used - known)]
    return sorted(listed, key=lambda source: not source.used)
