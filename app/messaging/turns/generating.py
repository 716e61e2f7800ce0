"""From a claimed turn to a queued reply: admit, hold, ask, queue.

Three short transactions with the model call between them, never inside one:

1. hold: under the conversation's lock, is it still ours to answer? read, price, hold.
2. (the model)
3. queue: under the lock again: ours still? anything newer? then store reply and parts.

A crash anywhere leaves a state from which the next claim goes on: ``claimed`` and ``held``
begin again with the same hold, ``generated`` and ``sending`` continue with the send.
"""

import json
import logging
import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.errors import FaultInjectedError, ProviderError
from app.core.faults import fault_point
from app.core.ids import derived_uuid
from app.core.limits.policies import TURN, for_plan
from app.core.limits.types import Check
from app.core.observability.metrics import MODEL
from app.core.observability.sentry import capture
from app.core.ports import Answer, PastMessage, Prepared, Question
from app.messaging import conversations
from app.messaging.sends import queueing
from app.messaging.states import Disposition, HandoverReason, TurnState
from app.messaging.turns import queries
from app.messaging.turns.ending import SUPERSEDES_MAX, end_turn
from app.messaging.turns.model import ClaimedTurn, Engine, LeaseLostError
from billing import prices
from billing.ledger.schemas import HoldRequest, HoldVerdict
from billing.ledger.service import hold_many

log = logging.getLogger(__name__)

_HISTORY_MESSAGES_MAX = 60
_BACKOFF_MAX_S = 30.0
_HOLDS_MAX = 20


async def admit(engine: Engine, turn: ClaimedTurn) -> bool:
    """Ask the tenant's turn limit; a refused turn waits, and its tenant's queue with it."""
    policy = for_plan(TURN, limit=turn.turn_per_min, burst=turn.turn_burst)
    verdict = await engine.limiter.decide([Check(policy, str(turn.tenant_id))])
    if verdict.allowed:
        return True
    async with engine.database.system() as connection:
        await connection.execute(
            queries.POSTPONE,
            {**_key(turn), "wait_s": max(verdict.retry_after_s, 0.05)},
        )
    log.info(
        "turn waits for its tenant's limit",
        extra={"turnId": turn.id, "action": "rate_limit", "waitMs": verdict.retry_after_s * 1000},
    )
    return False


async def generate(engine: Engine, turn: ClaimedTurn) -> bool:
    """Bring a claimed turn to a queued reply; False when it ended or waits instead."""
    prepared = await _hold(engine, turn)
    if prepared is None:
        return False
    try:
        answer = await _ask(engine, prepared)
    except ProviderError as error:
        return await _after_failure(engine, turn, error)
    return await _queue(engine, turn, prepared, answer)


async def _hold(engine: Engine, turn: ClaimedTurn) -> Prepared | None:
    async with engine.database.tenant(turn.tenant_id) as connection:
        ownership = await conversations.lock(connection, turn.tenant_id, turn.conversation_id)
        mine = (
            await connection.execute(
                queries.MINE,
                {**_key(turn), "owner": engine.owner, **_age_limit(engine)},
            )
        ).one_or_none()
        if mine is None:
            raise LeaseLostError
        disposition = _stop_reason(ownership, mine)
        if disposition is not None:
            await _cancel(engine, connection, turn, disposition)
            return None
        question = await _question(connection, turn)
        prepared = await engine.answerer.prepare(connection, question)
        if not await _place_hold(engine, connection, turn, prepared):
            return None
        fault_point("hold.before_commit")
    fault_point("hold.after_commit")
    return prepared


def _stop_reason(ownership: conversations.Ownership, mine: Any) -> Disposition | None:
    """Return why a claimed turn must not be answered any more, or None."""
    if mine.tenant_status != "active":
        return Disposition.SUSPENDED
    if ownership.people_own:
        return Disposition.HUMAN_OWNED
    if ownership.paused:
        return Disposition.PAUSED
    if mine.age_s is None:  # every message of the turn was deleted by its author
        return Disposition.EMPTY
    return Disposition.TOO_OLD if mine.age_s > mine.answer_max_age_s else None


async def _cancel(
    engine: Engine,
    connection: AsyncConnection,
    turn: ClaimedTurn,
    disposition: Disposition,
) -> None:
    await end_turn(
        connection,
        engine.settings,
        turn.tenant_id,
        turn.id,
        TurnState.CANCELLED,
        disposition=disposition,
        reason=disposition.value,
    )


async def _question(connection: AsyncConnection, turn: ClaimedTurn) -> Question:
    scope = {"tenant_id": turn.tenant_id, "conversation_id": turn.conversation_id}
    rows = (
        await connection.execute(
            queries.HISTORY, {**scope, "turn_id": turn.id, "messages_max": _HISTORY_MESSAGES_MAX}
        )
    ).all()
    spoke = any(row.author == "assistant" for row in rows)
    if not spoke and len(rows) == _HISTORY_MESSAGES_MAX:
        spoke = bool(await connection.scalar(queries.SPOKE_BEFORE, scope))
    # What is to be answered stands last, whatever the clocks of the phones said.
    ordered = [r for r in rows if not r.unanswered] + [r for r in rows if r.unanswered]
    return Question(
        tenant_id=turn.tenant_id,
        conversation_id=turn.conversation_id,
        turn_id=turn.id,
        history=[PastMessage(r.author, r.kind, r.body, r.sent_at, r.unanswered) for r in ordered],
        first_reply=not spoke,
        customer_name=next((r.push_name for r in rows if r.push_name), None),
    )


async def _place_hold(
    engine: Engine, connection: AsyncConnection, turn: ClaimedTurn, prepared: Prepared
) -> bool:
    """Hold the most this reply can cost; without credits the conversation goes to people."""
    price = await prices.current(connection)
    amount_ucr = prices.upper_bound(
        price, prepared.model, prepared.input_tokens_max, prepared.output_tokens_max
    )
    for attempt in range(_HOLDS_MAX):
        hold_id = derived_uuid(turn.id, f"hold:{attempt}")
        outcome = (
            await hold_many(
                connection,
                [
                    HoldRequest(
                        tenant_id=turn.tenant_id,
                        hold_id=hold_id,
                        job_id=turn.id,
                        amount_ucr=amount_ucr,
                        price_version_id=price.id,
                        created_by="worker",
                        request_id=turn.request_id,
                    )
                ],
            )
        )[hold_id]
        if outcome.live or (outcome.verdict is HoldVerdict.CONFLICT and turn.state == "held"):
            # A conflict is our own hold of an earlier try, made when the prompt was another.
            values = {**_key(turn), "hold_id": hold_id, "lease_s": engine.settings.timings.lease_s}
            await connection.execute(queries.HELD, values)
            return True
        if outcome.verdict in {HoldVerdict.INSUFFICIENT, HoldVerdict.BLOCKED}:
            await _cancel(engine, connection, turn, Disposition.NO_CREDIT)
            await conversations.hand_to_people(
                connection, turn.tenant_id, turn.conversation_id, HandoverReason.NO_CREDIT
            )
            return False
    raise RuntimeError("a turn has used up its holds")


async def _ask(engine: Engine, prepared: Prepared) -> Answer:
    began = time.perf_counter()
    outcome = "error"
    try:
        answer = await engine.answerer.answer(prepared)
        outcome = "ok"
    except FaultInjectedError:
        raise ProviderError("llm", "the answer was lost") from None
    finally:
        MODEL.labels(outcome).observe(time.perf_counter() - began)
    return answer


async def _after_failure(engine: Engine, turn: ClaimedTurn, error: ProviderError) -> bool:
    """Park the turn for another try; after two minutes of failures people take over.

    Returns True when a hand-over text is queued and wants to be sent.
    """
    timings = engine.settings.timings
    failing_s = turn.failing_s or 0.0
    # A wrong key or model name is retried as well: an operator may be mending it right now.
    if failing_s < timings.model_give_up_s:
        backoff_s = min(timings.retry_base_s * 2 ** max(turn.attempts - 1, 0), _BACKOFF_MAX_S)
        wait_s = max(error.retry_after_s or 0.0, backoff_s)
        log.warning(
            "the model failed, the turn waits",
            extra={
                "turnId": turn.id,
                "attempt": turn.attempts,
                "status": error.status_code or 0,
                "waitMs": wait_s * 1000,
            },
        )
        await park(engine, turn, wait_s, failing=True)
        return False
    capture(error, tenant_id=turn.tenant_id, request_id=turn.request_id, final=True)
    return await give_up(engine, turn, reason="model_failed")


async def park(engine: Engine, turn: ClaimedTurn, wait_s: float, *, failing: bool = False) -> None:
    """Let go of a turn until a later time, in the state it is in."""
    async with engine.database.system() as connection:
        await connection.execute(queries.PARK, {**_key(turn), "wait_s": wait_s, "failing": failing})


async def give_up(engine: Engine, turn: ClaimedTurn, *, reason: str) -> bool:
    """End a turn that cannot be answered: people take over, the hold is released.

    The customer gets the tenant's own hand-over text, if it has one; never an error's text.
    Returns True when that text is queued: then the turn ends when it is sent.
    """
    async with engine.database.tenant(turn.tenant_id) as connection:
        await conversations.lock(connection, turn.tenant_id, turn.conversation_id)
        leased = await connection.execute(queries.LEASED, {**_key(turn), "owner": engine.owner})
        if leased.one_or_none() is None:
            raise LeaseLostError
        await conversations.hand_to_people(
            connection, turn.tenant_id, turn.conversation_id, HandoverReason.TOOL_FAILURE
        )
        words = await connection.scalar(queries.BUSINESS_TEXTS, {"tenant_id": turn.tenant_id})
        if words:
            await connection.execute(queries.GIVEN_UP, {**_key(turn), "reason": reason})
            await queueing.queue(connection, turn, queueing.Outgoing([words]))
            return True
        await end_turn(
            connection,
            engine.settings,
            turn.tenant_id,
            turn.id,
            TurnState.FAILED,
            disposition=Disposition.FAILED_HANDED_OFF,
            reason=reason,
        )
        return False


async def _queue(engine: Engine, turn: ClaimedTurn, prepared: Prepared, answer: Answer) -> bool:
    async with engine.database.tenant(turn.tenant_id) as connection:
        ownership = await conversations.lock(connection, turn.tenant_id, turn.conversation_id)
        held = (
            await connection.execute(queries.STILL_HELD, {**_key(turn), "owner": engine.owner})
        ).one_or_none()
        if held is None:
            raise LeaseLostError
        if ownership.people_own or ownership.paused:
            stop = Disposition.HUMAN_OWNED if ownership.people_own else Disposition.PAUSED
            await _cancel(engine, connection, turn, stop)
            return False
        if held.newer and held.supersedes < SUPERSEDES_MAX:
            await end_turn(
                connection,
                engine.settings,
                turn.tenant_id,
                turn.id,
                TurnState.SUPERSEDED,
                disposition=None,
                reason="newer_message",
            )
            return False
        queued = await _store_reply(
            engine, connection, turn, priced_as=prepared.model, answer=answer, held=held
        )
        fault_point("reply.before_commit")
    fault_point("reply.after_commit")
    return queued


async def _store_reply(
    engine: Engine,
    connection: AsyncConnection,
    turn: ClaimedTurn,
    *,
    priced_as: str,
    answer: Answer,
    held: Any,
) -> bool:
    price = await prices.current(connection)
    usage = prices.Usage(
        model=priced_as,
        input_tokens=answer.input_tokens,
        output_tokens=answer.output_tokens,
    )
    due_ucr = prices.price_of(price, usage)
    if due_ucr > held.amount_ucr:
        log.error("a reply cost more than its hold", extra={"turnId": turn.id, "code": "overrun"})
    await connection.execute(
        queries.GENERATED,
        {
            **_key(turn),
            "result": json.dumps(_provenance(answer)),
            "usage": json.dumps(
                {
                    "model": answer.model,
                    "input_tokens": answer.input_tokens,
                    "output_tokens": answer.output_tokens,
                }
            ),
            "model": answer.model,
            "prompt_version": answer.prompt_version,
        },
    )
    if answer.handover_reason is None:
        charged = queueing.Outgoing(
            answer.bubbles, hold_id=held.hold_id, price_ucr=min(due_ucr, held.amount_ucr)
        )
        await queueing.queue(connection, turn, charged)
        return True
    return await _hand_over(engine, connection, turn, answer)


async def _hand_over(
    engine: Engine, connection: AsyncConnection, turn: ClaimedTurn, answer: Answer
) -> bool:
    """Give the conversation to people; what is said with it costs nothing."""
    await conversations.hand_to_people(
        connection,
        turn.tenant_id,
        turn.conversation_id,
        HandoverReason(answer.handover_reason or HandoverReason.MISSING_KNOWLEDGE),
        summary=answer.handover_summary,
    )
    bubbles: Sequence[str] = answer.bubbles
    if not bubbles:
        words = await connection.scalar(queries.BUSINESS_TEXTS, {"tenant_id": turn.tenant_id})
        bubbles = [words] if words else []
    if bubbles:
        await queueing.queue(connection, turn, queueing.Outgoing(bubbles))
        return True
    await end_turn(
        connection,
        engine.settings,
        turn.tenant_id,
        turn.id,
        TurnState.DONE,
        disposition=Disposition.HANDED_OFF,
        reason="handed_off",
    )
    return False


def _provenance(answer: Answer) -> dict[str, Any]:
    return {
        "handover_reason": answer.handover_reason,
        "used_sources": list(answer.used_sources),
        "bubbles": len(answer.bubbles),
    }


def _key(turn: ClaimedTurn) -> dict[str, Any]:
    return {"tenant_id": turn.tenant_id, "id": turn.id, "epoch": turn.epoch}


def _age_limit(engine: Engine) -> dict[str, float]:
    return {"answer_max_age_s": engine.settings.timings.answer_max_age_s}
