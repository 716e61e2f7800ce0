"""The reply is queued: is the turn still ours, has the customer written more? Then store it.

One transaction for the turns of a tenant whose answers came together. Ownership and newer
messages are checked under the conversations' locks, in the commit that queues the reply.

There is no guard here against the same words twice in a conversation. Two turns never share a
message, a message is stored once whatever its spelling, and a turn has one send with ids of
its own: a second identical reply can only follow a second question, and a customer who asks
again within a minute wants the answer again.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.db.rows import as_rows
from app.core.faults import fault_point
from app.core.ports import Answer, Prepared
from app.messaging import conversations
from app.messaging.bubbles import split
from app.messaging.media import charging
from app.messaging.sends import queueing
from app.messaging.sends.parts import Parts
from app.messaging.sends.queueing import Outgoing
from app.messaging.states import Disposition, HandoverReason, TurnState
from app.messaging.turns import queries
from app.messaging.turns.batches import BUSY, Outcome
from app.messaging.turns.ending import SUPERSEDES_MAX, Ending, end_turn
from app.messaging.turns.model import ClaimedTurn, Engine, Lease, LeaseLostError
from app.messaging.turns.noticing import handover_words
from billing import prices

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Answered:
    """A turn, what its hold was priced for, and what the model said."""

    turn: ClaimedTurn
    prepared: Prepared
    answer: Answer

    def usage(self, model: str) -> prices.Usage:
        """Return what the answer used, priced as a model's."""
        if self.prepared.free:
            return prices.CURATED_ANSWER
        return prices.Usage(
            model=model,
            input_tokens=self.answer.input_tokens,
            output_tokens=self.answer.output_tokens,
        )


async def queue_reply(
    engine: Engine, turn: ClaimedTurn, prepared: Prepared, answer: Answer
) -> Parts:
    """Store a turn's reply with its price; the parts to send, none when the turn ended instead.

    Raises:
        LeaseLostError: another worker has the turn.
    """
    answered = _Answered(turn, prepared, answer)
    parts = await engine.batches.join(_queue_all, engine, turn.tenant_id, answered)
    fault_point("reply.after_commit")
    return parts


async def _queue_all(
    engine: Engine, tenant_id: UUID, answered: Sequence[_Answered]
) -> Sequence[Outcome[Parts]]:
    outcomes: dict[Lease, Outcome[Parts]] = {}
    async with engine.database.tenant(tenant_id) as connection:
        owners = await conversations.lock_free(
            connection, tenant_id, [a.turn.conversation_id for a in answered]
        )
        free = [a for a in answered if a.turn.conversation_id in owners]
        held = await _lock_turns(engine, connection, tenant_id, free)
        wanted: list[_Answered] = []
        for each in free:
            turn = each.turn
            if turn.lease not in held:
                outcomes[turn.lease] = LeaseLostError()
            elif ending := _ending(turn, owners[turn.conversation_id], held[turn.lease]):
                await end_turn(connection, engine.settings, tenant_id, ending)
                outcomes[turn.lease] = ()
            else:
                wanted.append(each)
        if wanted:
            outcomes.update(await _store(engine, connection, tenant_id, wanted, held))
        fault_point("reply.before_commit")
    return [outcomes.get(a.turn.lease, BUSY) for a in answered]


async def _lock_turns(
    engine: Engine, connection: AsyncConnection, tenant_id: UUID, answered: Sequence[_Answered]
) -> dict[Lease, Any]:
    values = {
        "tenant_id": tenant_id,
        "ids": [a.turn.id for a in answered],
        "epochs": [a.turn.epoch for a in answered],
        "owner": engine.owner,
    }
    rows = await connection.execute(queries.STILL_HELD, values)
    return {(row.id, row.epoch): row for row in rows}


def _ending(turn: ClaimedTurn, owner: conversations.Ownership, held: Any) -> Ending | None:
    """Return how a turn ends whose answer came too late, or None."""
    if owner.people_own or owner.paused:
        stop = Disposition.HUMAN_OWNED if owner.people_own else Disposition.PAUSED
        return Ending(turn.id, TurnState.CANCELLED, stop, stop.value)
    if held.stop:
        return Ending(turn.id, TurnState.CANCELLED, Disposition(held.stop), held.stop)
    if held.newer and held.supersedes < SUPERSEDES_MAX:
        return Ending(turn.id, TurnState.SUPERSEDED, None, "newer_message")
    return None


async def _store(
    engine: Engine,
    connection: AsyncConnection,
    tenant_id: UUID,
    answered: Sequence[_Answered],
    held: dict[Lease, Any],
) -> dict[Lease, Parts]:
    """Store answers and queue what is to be said; return the parts by turn."""
    # The version that the hold was made under, whatever is in force by now.
    named = {held[each.turn.lease].price_version_id for each in answered}
    versions = {each: await prices.by_id(connection, each) for each in named}
    price_of = {a.turn.id: versions[held[a.turn.lease].price_version_id] for a in answered}
    rows = as_rows(_generated(each, price_of[each.turn.id]) for each in answered)
    await connection.execute(queries.GENERATED, {"tenant_id": tenant_id, "rows": rows})
    outgoing: dict[ClaimedTurn, Outgoing] = {}
    silent: list[ClaimedTurn] = []
    for each in answered:
        if each.answer.handover_reason is None:
            outgoing[each.turn] = _charged(each, price_of[each.turn.id], held[each.turn.lease])
        elif words := await _hand_over(connection, each):
            outgoing[each.turn] = Outgoing(words)
        else:
            silent.append(each.turn)
    parts = await queueing.queue(
        connection, tenant_id, outgoing, answer_max_age_s=engine.settings.timings.answer_max_age_s
    )
    # Before the wallet is locked: it comes last.
    if lessons := [a.answer.lesson for a in answered if a.answer.lesson is not None]:
        await engine.answerer.learn(connection, tenant_id, lessons)
    for turn in silent:
        ending = Ending(turn.id, TurnState.DONE, Disposition.HANDED_OFF, "handed_off")
        await end_turn(connection, engine.settings, tenant_id, ending)
    return {each.turn.lease: parts.get(each.turn.id, ()) for each in answered}


def _charged(each: _Answered, price: prices.PriceVersion, held: Any) -> Outgoing:
    files_ucr = charging.price_ucr(price, each.prepared.files)
    due_ucr = prices.price_of(price, each.usage(each.prepared.model)) + files_ucr
    if due_ucr > held.amount_ucr:
        log.error(
            "a reply cost more than its hold", extra={"turnId": each.turn.id, "code": "overrun"}
        )
    answer = each.answer
    bubbles = split(answer.bubbles, opening=answer.opening) if held.bubbles else answer.bubbles
    return Outgoing(bubbles, hold_id=held.hold_id, price_ucr=min(due_ucr, held.amount_ucr))


async def _hand_over(connection: AsyncConnection, each: _Answered) -> Sequence[str]:
    """Give the conversation to people; return what is said with it, which costs nothing."""
    turn, answer = each.turn, each.answer
    await conversations.hand_to_people(
        connection,
        turn.tenant_id,
        turn.conversation_id,
        HandoverReason(answer.handover_reason or HandoverReason.MISSING_KNOWLEDGE),
        summary=answer.handover_summary,
    )
    return await handover_words(connection, turn.tenant_id, list(answer.bubbles))


def _generated(each: _Answered, price: prices.PriceVersion) -> dict[str, Any]:
    answer = each.answer
    known = answer.model in price.provider_prices
    spent = each.usage(answer.model if known else each.prepared.model)
    costs = prices.provider_cost(price, spent), charging.cost_usd_micro(price, each.prepared.files)
    cost = {} if None in costs else {"cost_usd_micro": sum(c or 0 for c in costs)}
    return {
        "id": each.turn.id,
        "epoch": each.turn.epoch,
        "result": {
            "handover_reason": answer.handover_reason,
            "used_sources": list(answer.used_sources),
            "bubbles": len(answer.bubbles),
        },
        "usage": {
            "model": answer.model,
            "input_tokens": answer.input_tokens,
            "output_tokens": answer.output_tokens,
            **charging.figures(each.prepared.files),
            **cost,
        },
        "model": answer.model,
        "prompt_version": answer.prompt_version,
        "trace": answer.trace,
        "forgotten_until": answer.forgotten_until,
    }
