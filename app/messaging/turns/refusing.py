"""Turns whose hold was refused: for want of credits, or by the tenant's own caps.

| refused by | disposition | conversation goes to people |
|---|---|---|
| no credits, debt, a frozen ledger | ``no_credit`` | until the tenant can pay |
| the day's or month's credits, the contact's replies | ``daily_cap`` | until its midnight |
| the auto-stop, or a stop by hand | ``paused`` | for 12 h |
"""

import logging

from sqlalchemy.ext.asyncio import AsyncConnection

from app.messaging import conversations
from app.messaging.states import Disposition, HandoverReason, TurnState
from app.messaging.turns.ending import Ending, end_turn
from app.messaging.turns.model import ClaimedTurn, Engine
from billing import caps
from billing.ledger.schemas import HoldOutcome, HoldVerdict

log = logging.getLogger(__name__)

REFUSALS = frozenset(
    {
        HoldVerdict.INSUFFICIENT,
        HoldVerdict.BLOCKED,
        HoldVerdict.DAILY_CAP,
        HoldVerdict.MONTHLY_CAP,
        HoldVerdict.CONTACT_CAP,
        HoldVerdict.STOPPED,
    }
)


async def refuse(
    engine: Engine,
    connection: AsyncConnection,
    turn: ClaimedTurn,
    outcome: HoldOutcome,
    *,
    day_left_s: float,
) -> None:
    """End a turn that may not be answered and give its conversation to people.

    The conversation is locked. ``day_left_s`` is what is left of the tenant's day.
    """
    verdict = outcome.verdict
    if not verdict.capped:
        disposition, reason, human_s = Disposition.NO_CREDIT, HandoverReason.NO_CREDIT, None
    elif verdict is HoldVerdict.STOPPED:
        disposition, reason = Disposition.PAUSED, HandoverReason.USAGE_LIMIT
        human_s = float(conversations.HUMAN_TAKEOVER_S)
    else:
        disposition, reason = Disposition.DAILY_CAP, HandoverReason.USAGE_LIMIT
        human_s = day_left_s
    why = verdict.value if verdict.capped else disposition.value
    ending = Ending(turn.id, TurnState.CANCELLED, disposition, why)
    await end_turn(connection, engine.settings, turn.tenant_id, ending)
    await conversations.hand_to_people(
        connection, turn.tenant_id, turn.conversation_id, reason, human_s=human_s
    )
    if verdict is HoldVerdict.STOPPED and outcome.state == "now":
        await caps.note_auto_stop(connection, turn.tenant_id)
        log.warning("the auto-stop has stopped an assistant", extra={"turnId": turn.id})
