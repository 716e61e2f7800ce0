"""From a claimed turn to a queued reply: admit, hold, ask, queue.

Two short transactions with the model call between them, never inside one:

1. hold (``holding``): under the conversation's lock, is it still ours? read, price, hold.
2. (the model)
3. queue (``replying``): under the lock again: still ours, nothing newer? then store the reply.

A crash anywhere leaves a state from which the next claim goes on: ``claimed`` and ``held``
begin again with the same hold, ``generated`` and ``sending`` continue with the send.
"""

import logging
import time
from typing import Any

from app.core.errors import FaultInjectedError, ProviderError
from app.core.limits.policies import TURN, for_plan
from app.core.limits.types import Check
from app.core.observability.metrics import MODEL
from app.core.observability.sentry import capture
from app.core.ports import Answer, Prepared
from app.messaging import conversations
from app.messaging.sends import queueing
from app.messaging.sends.parts import Parts
from app.messaging.states import Disposition, HandoverReason, TurnState
from app.messaging.turns import queries
from app.messaging.turns.ending import Ending, end_turn
from app.messaging.turns.holding import hold
from app.messaging.turns.limiting import allow
from app.messaging.turns.model import ClaimedTurn, Engine, LeaseLostError
from app.messaging.turns.noticing import handover_words
from app.messaging.turns.replying import queue_reply

log = logging.getLogger(__name__)

_BACKOFF_MAX_S = 30.0


async def admit(engine: Engine, turn: ClaimedTurn) -> bool:
    """Ask the tenant's turn limit; a refused turn waits, and its tenant's queue with it."""
    policy = for_plan(TURN, limit=turn.turn_per_min, burst=turn.turn_burst)
    verdict = await allow(engine, Check(policy, str(turn.tenant_id)))
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


async def generate(engine: Engine, turn: ClaimedTurn) -> Parts:
    """Bring a claimed turn to a queued reply: the parts to send, none when it ended or waits."""
    prepared = await hold(engine, turn)
    if prepared is None:
        return ()
    if not isinstance(prepared, Prepared):
        return prepared
    try:
        answer = await _ask(engine, prepared)
    except ProviderError as error:
        return await _after_failure(engine, turn, error)
    return await queue_reply(engine, turn, prepared, answer)


async def _ask(engine: Engine, prepared: Prepared) -> Answer:
    began = time.perf_counter()
    outcome = "error"
    try:
        answer = await engine.answerer.answer(prepared)
        if not answer.bubbles and answer.handover_reason is None:
            raise ProviderError("llm", "the answer is empty")
        outcome = "ok"
    except FaultInjectedError:
        raise ProviderError("llm", "the answer was lost") from None
    finally:
        MODEL.labels(outcome).observe(time.perf_counter() - began)
    return answer


async def _after_failure(engine: Engine, turn: ClaimedTurn, error: ProviderError) -> Parts:
    """Park the turn for another try; after two minutes of failures people take over.

    Returns the parts of a hand-over text that wants to be sent.
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
        return ()
    capture(error, tenant_id=turn.tenant_id, request_id=turn.request_id, final=True)
    return await give_up(engine, turn, reason="model_failed")


async def park(engine: Engine, turn: ClaimedTurn, wait_s: float, *, failing: bool = False) -> None:
    """Let go of a turn until a later time, in the state it is in."""
    async with engine.database.system() as connection:
        await connection.execute(queries.PARK, {**_key(turn), "wait_s": wait_s, "failing": failing})


async def give_up(engine: Engine, turn: ClaimedTurn, *, reason: str) -> Parts:
    """End a turn that cannot be answered: people take over, the hold is released.

    The customer gets the tenant's own hand-over text, if it has one; never an error's text. One
    who has left meanwhile gets nothing.
    Returns that text's parts: then the turn ends when they are sent.
    """
    async with engine.database.tenant(turn.tenant_id) as connection:
        await conversations.lock(connection, turn.tenant_id, turn.conversation_id)
        leased = await connection.execute(queries.LEASED, {**_key(turn), "owner": engine.owner})
        row = leased.one_or_none()
        if row is None:
            raise LeaseLostError
        if row.opted_out:
            left = Ending(turn.id, TurnState.CANCELLED, Disposition.OPTED_OUT, reason)
            await end_turn(connection, engine.settings, turn.tenant_id, left)
            return ()
        await conversations.hand_to_people(
            connection, turn.tenant_id, turn.conversation_id, HandoverReason.TOOL_FAILURE
        )
        words = await handover_words(connection, turn.tenant_id, [])
        if words:
            await connection.execute(queries.GIVEN_UP, {**_key(turn), "reason": reason})
            queued = await queueing.queue(
                connection,
                turn.tenant_id,
                {turn: queueing.Outgoing(words)},
                answer_max_age_s=engine.settings.timings.answer_max_age_s,
            )
            return queued[turn.id]
        ending = Ending(turn.id, TurnState.FAILED, Disposition.FAILED_HANDED_OFF, reason)
        await end_turn(connection, engine.settings, turn.tenant_id, ending)
        return ()


def _key(turn: ClaimedTurn) -> dict[str, Any]:
    return {"tenant_id": turn.tenant_id, "id": turn.id, "epoch": turn.epoch}
