"""Every way a turn ends: its messages' disposition, its hold, and the next turn, in one place.

All run inside a transaction that holds the conversation's lock; the ledger comes last, so
the lock order is conversation → turn → wallet everywhere.
"""

import logging
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.config import Settings
from app.core.observability.metrics import TURNS
from app.messaging import messages
from app.messaging.states import Disposition, TurnState
from app.messaging.turns.opening import open_next
from billing.ledger.schemas import CloseRequest
from billing.ledger.service import close_many

log = logging.getLogger(__name__)

SUPERSEDES_MAX = 3

_END = text(
    """
    update turns set state = :state, end_reason = :reason, finished_at = now(),
        lease_owner = null, lease_until = null
    where tenant_id = :tenant_id and id = :id
      and state in ('waiting', 'due', 'claimed', 'held', 'generated', 'sending')
    returning conversation_id, hold_id, request_id, supersedes
    """
)
_LIVE = text(
    """
    select t.id from turns t
    where t.tenant_id = :tenant_id and t.conversation_id = :conversation_id
      and t.state in ('waiting', 'due', 'claimed', 'held', 'generated', 'sending')
      and not exists (
          select 1 from sends s join send_parts p on p.tenant_id = s.tenant_id and p.send_id = s.id
          where s.tenant_id = t.tenant_id and s.turn_id = t.id and p.state <> 'queued')
    for update of t
    """
)
_FREE_MESSAGES = text(
    """
    update messages set turn_id = null
    where tenant_id = :tenant_id and turn_id = :id and direction = 'in' and disposition is null
    """
)
# Parts that were queued and never tried: their bubbles were never shown to anyone.
_DROP_QUEUED = text(
    """
    with dropped as (
        update send_parts p set state = 'failed', error = 'not_sent'
        from sends s
        where s.tenant_id = :tenant_id and s.turn_id = :id
          and p.tenant_id = s.tenant_id and p.send_id = s.id and p.state = 'queued'
        returning p.message_id
    )
    delete from messages m using dropped d
    where m.tenant_id = :tenant_id and m.id = d.message_id and m.wa_id is null
    """
)


async def end_turn(
    connection: AsyncConnection,
    settings: Settings,
    tenant_id: UUID,
    turn_id: UUID,
    state: TurnState,
    *,
    disposition: Disposition | None,
    reason: str | None = None,
    captured_ucr: int | None = 0,
    usage: dict[str, Any] | None = None,
) -> bool:
    """End a live turn; False when it had ended already (then nothing is written).

    Args:
        connection: a transaction that holds the conversation's lock.
        settings: for the waiting times of a next turn.
        tenant_id: the tenant.
        turn_id: the turn.
        state: one of the four end states.
        disposition: what became of its messages; None frees them for the next turn.
        reason: a stable word for the timeline.
        captured_ucr: what to charge from the hold; 0 releases it, None leaves it pending.
        usage: what the price was made of.
    """
    key = {"tenant_id": tenant_id, "id": turn_id}
    ended = (
        await connection.execute(_END, {**key, "state": state.value, "reason": reason})
    ).one_or_none()
    if ended is None:
        return False
    if disposition is None:
        await connection.execute(_FREE_MESSAGES, key)
    else:
        await messages.dispose_turn(connection, tenant_id, turn_id, disposition)
    if state in {TurnState.CANCELLED, TurnState.SUPERSEDED, TurnState.FAILED}:
        await connection.execute(_DROP_QUEUED, key)
    await open_next(
        connection,
        tenant_id,
        ended.conversation_id,
        idle_s=settings.timings.idle_s,
        cap_s=settings.timings.cap_s,
        supersedes=ended.supersedes + 1 if state is TurnState.SUPERSEDED else 0,
    )
    if ended.hold_id is not None and captured_ucr is not None:
        await close_hold(
            connection,
            tenant_id,
            ended.hold_id,
            captured_ucr=captured_ucr,
            delivered=captured_ucr > 0 or disposition is Disposition.ANSWERED,
            usage=usage,
            request_id=ended.request_id,
        )
    TURNS.labels(state.value).inc()
    log.info(
        "turn ended",
        extra={
            "turnId": turn_id,
            "state": state.value,
            "reason": reason or "",
            "event": "processed",
        },
    )
    return True


async def close_hold(
    connection: AsyncConnection,
    tenant_id: UUID,
    hold_id: UUID,
    *,
    captured_ucr: int,
    delivered: bool,
    usage: dict[str, Any] | None,
    request_id: str | None,
) -> None:
    """Settle or release a hold; an outcome that does not fit is logged as an error."""
    outcome = (
        await close_many(
            connection,
            [
                CloseRequest(
                    tenant_id=tenant_id,
                    hold_id=hold_id,
                    captured_ucr=captured_ucr,
                    delivered=delivered,
                    usage=usage,
                    request_id=request_id,
                )
            ],
        )
    )[hold_id]
    if not outcome.settled:
        log.error(
            "a hold was not closed as asked",
            extra={"holdId": hold_id, "outcome": outcome.verdict.value, "state": outcome.state},
        )


async def cancel_live(
    connection: AsyncConnection,
    settings: Settings,
    tenant_id: UUID,
    conversation_id: UUID,
    *,
    disposition: Disposition,
    reason: str,
) -> bool:
    """Cancel the conversation's live turn unless a part of it is on its way; True if it did."""
    turn_id = await connection.scalar(
        _LIVE, {"tenant_id": tenant_id, "conversation_id": conversation_id}
    )
    if turn_id is None:
        return False
    return await end_turn(
        connection,
        settings,
        tenant_id,
        turn_id,
        TurnState.CANCELLED,
        disposition=disposition,
        reason=reason,
    )
