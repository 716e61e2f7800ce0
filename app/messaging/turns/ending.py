"""Every way a turn ends: its messages' disposition, its hold, and the next turn, in one place.

All run inside a transaction that holds the conversation's lock; the ledger comes last, so
the lock order is conversation → turn → wallet everywhere.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.config import Settings
from app.core.db.after import after_commit
from app.core.db.rows import as_rows
from app.core.observability.context import bind
from app.core.observability.metrics import SENDS, TURNS
from app.messaging import messages
from app.messaging.states import Disposition, TurnState
from app.messaging.turns.opening import open_next
from billing.ledger.schemas import CloseRequest, CloseVerdict
from billing.ledger.service import close_many

log = logging.getLogger(__name__)

SUPERSEDES_MAX = 3

_END = text(
    """
    with live as (
        select t.id, r.state, r.reason
        from jsonb_to_recordset(cast(:rows as jsonb)) as r(turn_id uuid, state text, reason text)
        join turns t on t.tenant_id = :tenant_id and t.id = r.turn_id
         and t.state in ('waiting', 'due', 'claimed', 'held', 'generated', 'sending')
        order by t.id for no key update of t
    )
    update turns t set state = l.state, end_reason = l.reason, finished_at = now(),
        lease_owner = null, lease_until = null
    from live l
    where t.tenant_id = :tenant_id and t.id = l.id
    returning t.id, t.conversation_id, t.hold_id, t.request_id, t.supersedes
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
# Queued and never tried: nobody has seen anything of it.
_UNTRIED = text(
    """
    select t.id from turns t
    join sends s on s.tenant_id = t.tenant_id and s.turn_id = t.id
    where t.tenant_id = :tenant_id and t.conversation_id = :conversation_id
      and t.state in ('generated', 'sending')
      and not exists (
          select 1 from send_parts p
          where p.tenant_id = s.tenant_id and p.send_id = s.id and p.state <> 'queued')
    for no key update of t
    """
)
_DISPOSE_LOOSE = text(
    """
    update messages set disposition = :disposition, disposition_at = now()
    where tenant_id = :tenant_id and conversation_id = :conversation_id and direction = 'in'
      and disposition is null and turn_id is null
    """
)
_FREE_MESSAGES = text(
    """
    update messages set turn_id = null
    where tenant_id = :tenant_id and turn_id = any(:ids) and direction = 'in'
      and disposition is null
    """
)
# Parts that were queued and never tried: their bubbles were never shown to anyone.
_DROP_QUEUED = text(
    """
    with dropped as (
        update send_parts p set state = 'failed', error = 'not_sent'
        from sends s
        where s.tenant_id = :tenant_id and s.turn_id = any(:ids)
          and p.tenant_id = s.tenant_id and p.send_id = s.id and p.state = 'queued'
        returning p.message_id
    )
    delete from messages m using dropped d
    where m.tenant_id = :tenant_id and m.id = d.message_id and m.wa_id is null
    """
)


@dataclass(frozen=True, slots=True)
class Ending:
    """How a turn ends.

    Attributes:
        turn_id: the turn.
        state: one of the four end states.
        disposition: what became of its messages; None frees them for the next turn.
        reason: a stable word for the timeline.
        captured_ucr: what to charge from the hold; 0 releases it, None leaves it pending.
        usage: what the price was made of.
    """

    turn_id: UUID
    state: TurnState
    disposition: Disposition | None
    reason: str | None = None
    captured_ucr: int | None = 0
    usage: dict[str, Any] | None = None


async def end_turn(
    connection: AsyncConnection, settings: Settings, tenant_id: UUID, ending: Ending
) -> bool:
    """End a live turn; False when it had ended already (then nothing is written).

    The transaction holds the conversation's lock.
    """
    return bool(await end_turns(connection, settings, tenant_id, [ending]))


async def end_turns(
    connection: AsyncConnection, settings: Settings, tenant_id: UUID, endings: Sequence[Ending]
) -> set[UUID]:
    """End live turns of a tenant; return the ids of those that had not ended already.

    The transaction holds their conversations' locks.
    """
    ours, ended = await _end(connection, tenant_id, endings)
    if not ours:
        return set()
    superseded = {e.turn_id for e in ours if e.state is TurnState.SUPERSEDED}
    await open_next(
        connection,
        tenant_id,
        {
            row.conversation_id: row.supersedes + 1 if row.id in superseded else 0
            for row in ended.values()
        },
        idle_s=settings.timings.idle_s,
        cap_s=settings.timings.cap_s,
        media_wait_s=settings.timings.media_wait_s,
    )
    await _close(connection, tenant_id, ours, ended)
    return set(ended)


async def _end(
    connection: AsyncConnection, tenant_id: UUID, endings: Sequence[Ending]
) -> tuple[list[Ending], dict[UUID, Any]]:
    """End the turns and give their messages what they get; which they were, and their rows."""
    if not endings:
        return [], {}
    rows = as_rows(
        {"turn_id": e.turn_id, "state": e.state.value, "reason": e.reason} for e in endings
    )
    found = await connection.execute(_END, {"tenant_id": tenant_id, "rows": rows})
    ended = {row.id: row for row in found}
    ours = [e for e in endings if e.turn_id in ended]
    if ours:
        await _part_from_messages(connection, tenant_id, ours)
    return ours, ended


async def _close(
    connection: AsyncConnection,
    tenant_id: UUID,
    endings: Sequence[Ending],
    ended: Mapping[UUID, Any],
) -> None:
    await close_holds(connection, [_closing(tenant_id, e, ended[e.turn_id]) for e in endings])
    for ending in endings:
        tell = partial(_tell, ending, tenant_id, ended[ending.turn_id].request_id)
        after_commit(connection, tell)


async def _part_from_messages(
    connection: AsyncConnection, tenant_id: UUID, endings: Sequence[Ending]
) -> None:
    """Give messages their disposition or free them; drop bubbles that nobody saw."""
    disposed = {e.turn_id: e.disposition for e in endings if e.disposition is not None}
    if disposed:
        await messages.dispose_turns(connection, tenant_id, disposed)
    freed = [e.turn_id for e in endings if e.disposition is None]
    if freed:
        await connection.execute(_FREE_MESSAGES, {"tenant_id": tenant_id, "ids": freed})
    unsent = [e.turn_id for e in endings if e.state is not TurnState.DONE]
    await drop_queued(connection, tenant_id, unsent)


async def drop_queued(
    connection: AsyncConnection, tenant_id: UUID, turn_ids: Sequence[UUID]
) -> None:
    """Drop what turns that have ended had queued, with its bubbles; what was tried stays."""
    if turn_ids:
        await connection.execute(_DROP_QUEUED, {"tenant_id": tenant_id, "ids": list(turn_ids)})


def _closing(tenant_id: UUID, ending: Ending, turn: Any) -> CloseRequest | None:
    if turn.hold_id is None or ending.captured_ucr is None:
        return None
    return CloseRequest(
        tenant_id=tenant_id,
        hold_id=turn.hold_id,
        captured_ucr=ending.captured_ucr,
        delivered=ending.captured_ucr > 0 or ending.disposition is Disposition.ANSWERED,
        usage=ending.usage,
        request_id=turn.request_id,
    )


def _tell(ending: Ending, tenant_id: UUID, request_id: str | None) -> None:
    TURNS.labels(ending.state.value).inc()
    with bind(request_id=request_id, tenant_id=tenant_id, task_id=str(ending.turn_id)):
        log.info(
            "turn ended",
            extra={
                "turnId": ending.turn_id,
                "state": ending.state.value,
                "reason": ending.reason or "",
                "event": "processed",
            },
        )


async def close_holds(
    connection: AsyncConnection,
    requests: Iterable[CloseRequest | None],
    *,
    late: bool = False,
) -> None:
    """Settle or release holds in one call, the last thing that a transaction does.

    An outcome that does not fit is logged as an error, but with ``late`` a hold that was
    released before stays so: evidence came after its day of doubt, which favours the tenant.
    """
    wanted = [_with_cost(request) for request in requests if request is not None]
    if not wanted:
        return
    outcomes = await close_many(connection, wanted)
    for outcome in outcomes.values():
        if outcome.settled:
            continue
        fields = {
            "holdId": outcome.hold_id,
            "outcome": outcome.verdict.value,
            "state": outcome.state,
        }
        if late and outcome.verdict is CloseVerdict.CLOSED and outcome.state == "released":
            after_commit(connection, SENDS.labels("waha", "proved_late").inc)
            log.info("evidence came after its hold was released", extra=fields)
        else:
            log.error("a hold was not closed as asked", extra=fields)


def _with_cost(request: CloseRequest) -> CloseRequest:
    """Record what the provider charged us beside the charge; the answer's usage has it."""
    cost_usd_micro = (request.usage or {}).get("cost_usd_micro")
    return replace(request, cost_usd_micro=cost_usd_micro) if cost_usd_micro else request


async def silence(
    connection: AsyncConnection,
    tenant_id: UUID,
    conversation_id: UUID,
    *,
    disposition: Disposition,
    reason: str,
) -> bool:
    """Leave what was written so far to people: no turn answers it; True if one was cancelled.

    Of a reply of which a part was tried, that part goes on to its end; whether the next one is
    sent is judged at its attempt (``sends.recording``). The conversation is locked.
    """
    conversation = {"tenant_id": tenant_id, "conversation_id": conversation_id}
    turn_id = await connection.scalar(_LIVE, conversation)
    loose = {**conversation, "disposition": disposition.value}
    await connection.execute(_DISPOSE_LOOSE, loose)
    if turn_id is None:
        return False
    ending = Ending(turn_id, TurnState.CANCELLED, disposition, reason)
    ours, ended = await _end(connection, tenant_id, [ending])
    await _close(connection, tenant_id, ours, ended)
    return bool(ours)


async def withdraw(
    connection: AsyncConnection,
    settings: Settings,
    tenant_id: UUID,
    conversation_id: UUID,
    *,
    disposition: Disposition,
) -> bool:
    """Take back a reply that is queued and of which nothing was tried; True if there was one.

    What was written since gets a turn of its own. The conversation is locked.
    """
    conversation = {"tenant_id": tenant_id, "conversation_id": conversation_id}
    turn_id = await connection.scalar(_UNTRIED, conversation)
    if turn_id is None:
        return False
    ending = Ending(turn_id, TurnState.CANCELLED, disposition, disposition.value)
    return await end_turn(connection, settings, tenant_id, ending)
