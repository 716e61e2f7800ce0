"""What a send's outcome changes: parts, messages, the turn and its credits, in one commit.

| evidence | part | turn | credits |
|---|---|---|---|
| WAHA answered 201, echo, ack | accepted | done when it was the last | charged once |
| a definite refusal | failed | failed (done if another part was accepted) | released (charged) |
| none after 90 s, id not ours | unknown | done, messages ``send_unknown`` | stay held |
| unknown, then echo/ack/read-back | accepted | – | charged |
| unknown for 24 h | unknown | – | released |
| later ack error on every part | failed | – | refunded, within 7 days |
"""

import logging
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.config import Settings
from app.core.ids import derived_uuid
from app.core.observability.metrics import SENDS
from app.messaging import conversations, messages
from app.messaging.states import Disposition, HandoverReason, TurnState
from app.messaging.turns.ending import close_hold, end_turn
from billing.ledger.schemas import OpOutcome, Refund
from billing.ledger.service import refund

log = logging.getLogger(__name__)

_REFUND_DAYS_MAX = 7

_ACCEPT = text(
    """
    with part as (
        update send_parts
        set state = case when ack >= 3 then 'read' when ack = 2 then 'delivered'
                         when ack = 1 then 'sent' when error = 'ack_error' then 'failed'
                         else 'accepted' end,
            accepted_at = now(), wa_id = coalesce(:wa_id, wa_id),
            error = case when error = 'ack_error' and ack < 1 then error end,
            resolved_by = coalesce(resolved_by, :resolved_by)
        where tenant_id = :tenant_id and id = :id and state in ('sending', 'unknown')
        returning send_id, message_id, channel_id, wa_id, attempts
    ), shown as (
        update messages m set wa_id = p.wa_id, sent_at = now()
        from part p
        where m.tenant_id = :tenant_id and m.id = p.message_id and p.wa_id is not null
          and not exists (
              select 1 from messages o where o.tenant_id = :tenant_id
                and o.channel_id = p.channel_id and o.wa_id = p.wa_id and o.direction = 'out'
                and o.id <> m.id)
    ), attempt as (
        update send_attempts a set finished_at = now(), outcome = 'accepted', status_code = 201
        from part p
        where a.tenant_id = :tenant_id and a.part_id = :id and a.attempt_no = p.attempts
    )
    select send_id from part
    """
)
_SEND = text(
    """
    select s.id, s.turn_id, s.conversation_id, s.hold_id, s.price_ucr, s.request_id, s.author,
           t.usage, t.result ->> 'failed' as given_up,
           count(*) filter (where p.state in ('queued', 'sending')) as open_parts,
           count(*) filter (where p.state = 'unknown') as unknown_parts,
           count(*) filter (where p.state in ('accepted', 'sent', 'delivered', 'read'))
               as accepted_parts
    from sends s
    left join turns t on t.tenant_id = s.tenant_id and t.id = s.turn_id
    join send_parts p on p.tenant_id = s.tenant_id and p.send_id = s.id
    where s.tenant_id = :tenant_id and s.id = :id
    group by s.tenant_id, s.id, t.tenant_id, t.id
    """
)
_PART_SEND = text("select send_id from send_parts where tenant_id = :tenant_id and id = :id")
_MARK = text(
    """
    with part as (
        update send_parts set state = :state, error = :error
        where tenant_id = :tenant_id and id = :id and state in ('queued', 'sending')
        returning send_id, attempts
    ), attempt as (
        update send_attempts a set finished_at = now(), outcome = :state, status_code = :status
        from part p
        where a.tenant_id = :tenant_id and a.part_id = :id and a.attempt_no = p.attempts
          and a.finished_at is null
    ), rest as (
        update send_parts r set state = 'failed', error = 'not_sent'
        from part p
        where r.tenant_id = :tenant_id and r.send_id = p.send_id and r.state = 'queued'
          and r.id <> :id
    )
    select send_id from part
    """
)
_UNDELIVERED = text(
    """
    select h.id, h.captured_ucr - h.refunded_ucr as amount_ucr, s.request_id
    from sends s join credit_holds h on h.tenant_id = s.tenant_id and h.id = s.hold_id
    where s.tenant_id = :tenant_id and s.id = :id and h.state = 'captured'
      and h.captured_ucr > h.refunded_ucr
      and h.closed_at > now() - make_interval(days => :days_max)
      and not exists (
          select 1 from send_parts p where p.tenant_id = s.tenant_id and p.send_id = s.id
            and p.state <> 'failed')
    """
)
_OVERDUE_UNKNOWN = text(
    """
    select p.tenant_id, p.id, p.send_id, s.conversation_id, s.hold_id, s.request_id
    from send_parts p
    join sends s on s.tenant_id = p.tenant_id and s.id = p.send_id
    join credit_holds h on h.tenant_id = s.tenant_id and h.id = s.hold_id and h.state = 'pending'
    where p.state = 'unknown' and p.started_at < now() - make_interval(secs => :after_s)
    limit 100
    """
)


async def accept_part(
    connection: AsyncConnection,
    settings: Settings,
    tenant_id: UUID,
    part_id: UUID,
    *,
    wa_id: str | None,
    resolved_by: str,
) -> bool:
    """Record that the provider has a part; finish the turn when it was the last one.

    The conversation is locked. Returns False when the part was settled before.
    """
    send_id = await connection.scalar(
        _ACCEPT,
        {"tenant_id": tenant_id, "id": part_id, "wa_id": wa_id, "resolved_by": resolved_by},
    )
    if send_id is None:
        return False
    SENDS.labels("waha", "accepted").inc()
    send = await _load(connection, tenant_id, send_id)
    if send.turn_id is None or send.open_parts or send.unknown_parts:
        return True
    if not await _finish(connection, settings, tenant_id, send):
        # A worker that froze past its lease: the turn ended as unknown while it slept.
        await _end_late(connection, tenant_id, send)
    return True


async def fail_part(
    connection: AsyncConnection,
    settings: Settings,
    tenant_id: UUID,
    part_id: UUID,
    *,
    error: str,
    status_code: int | None,
) -> None:
    """Record a definite refusal; the parts behind it are not sent. The conversation is locked."""
    values = {"error": error, "status": status_code, "state": "failed"}
    send_id = await connection.scalar(_MARK, {"tenant_id": tenant_id, "id": part_id, **values})
    if send_id is None:
        return
    SENDS.labels("waha", "failed").inc()
    send = await _load(connection, tenant_id, send_id)
    if send.turn_id is not None:
        await _finish(connection, settings, tenant_id, send, error=error)


async def give_up_part(
    connection: AsyncConnection, settings: Settings, tenant_id: UUID, part_id: UUID
) -> None:
    """Call a part unknown: nobody can tell whether it was sent, so it is not sent again.

    The turn ends, so that the customer's next message is answered; the hold stays until
    evidence or the 24 hours settle it. The conversation is locked.
    """
    send_id = await connection.scalar(
        _MARK,
        {
            "tenant_id": tenant_id,
            "id": part_id,
            "state": "unknown",
            "error": "no_evidence",
            "status": None,
        },
    )
    if send_id is None:
        return
    SENDS.labels("waha", "unknown").inc()
    send = await _load(connection, tenant_id, send_id)
    if send.turn_id is not None:
        await end_turn(
            connection,
            settings,
            tenant_id,
            send.turn_id,
            TurnState.DONE,
            disposition=Disposition.SEND_UNKNOWN,
            reason="send_unknown",
            captured_ucr=None,
        )


async def settle_unknown(
    connection: AsyncConnection, tenant_id: UUID, part_id: UUID, resolved_by: str
) -> None:
    """Evidence came for a part that had been given up: charge it, answer the "why"."""
    send_id = await connection.scalar(_PART_SEND, {"tenant_id": tenant_id, "id": part_id})
    before = await _load(connection, tenant_id, send_id)
    await conversations.lock(connection, tenant_id, before.conversation_id)
    values = {"tenant_id": tenant_id, "id": part_id, "wa_id": None, "resolved_by": resolved_by}
    if await connection.scalar(_ACCEPT, values) is None:
        return
    send = await _load(connection, tenant_id, send_id)
    if send.turn_id is None or send.unknown_parts or send.open_parts:
        return
    await _end_late(connection, tenant_id, send)
    log.info("an unknown send was settled", extra={"partId": part_id, "reason": resolved_by})


async def _end_late(connection: AsyncConnection, tenant_id: UUID, send: Any) -> None:
    """Give messages and credits their end when the turn had ended as unknown before."""
    reached = send.accepted_parts > 0
    charged = reached and send.hold_id is not None
    if not reached:
        await conversations.hand_to_people(
            connection, tenant_id, send.conversation_id, HandoverReason.TOOL_FAILURE
        )
    await messages.dispose_turn(
        connection,
        tenant_id,
        send.turn_id,
        _disposition(charged=charged, failed=bool(send.given_up) or not reached),
        replace_unknown=True,
    )
    if send.hold_id is not None:
        await close_hold(
            connection,
            tenant_id,
            send.hold_id,
            captured_ucr=send.price_ucr if charged else 0,
            delivered=charged,
            usage=send.usage,
            request_id=send.request_id,
        )


async def release_overdue_unknown(connection: AsyncConnection, *, after_s: float) -> int:
    """Release the holds of sends that stayed unknown; doubt favours the tenant."""
    overdue = (await connection.execute(_OVERDUE_UNKNOWN, {"after_s": after_s})).all()
    for part in sorted(overdue, key=lambda p: (p.tenant_id, p.conversation_id)):
        await close_hold(
            connection,
            part.tenant_id,
            part.hold_id,
            captured_ucr=0,
            delivered=False,
            usage=None,
            request_id=part.request_id,
        )
    return len(overdue)


async def refund_if_undelivered(
    connection: AsyncConnection, tenant_id: UUID, send_id: UUID
) -> None:
    """Refund a reply whose every part the provider later reported as failed."""
    found = (
        await connection.execute(
            _UNDELIVERED,
            {"tenant_id": tenant_id, "id": send_id, "days_max": _REFUND_DAYS_MAX},
        )
    ).one_or_none()
    if found is None:
        return
    outcome = await refund(
        connection,
        Refund(
            tenant_id=tenant_id,
            op_id=derived_uuid(send_id, "undelivered"),
            hold_id=found.id,
            amount_ucr=found.amount_ucr,
            reason="not delivered",
            created_by="system",
            request_id=found.request_id,
        ),
    )
    if outcome not in {OpOutcome.REFUNDED, OpOutcome.EXISTS}:
        log.error("a refund was refused", extra={"sendId": send_id, "outcome": outcome.value})


async def _load(connection: AsyncConnection, tenant_id: UUID, send_id: UUID) -> Any:
    return (await connection.execute(_SEND, {"tenant_id": tenant_id, "id": send_id})).one()


async def _finish(
    connection: AsyncConnection,
    settings: Settings,
    tenant_id: UUID,
    send: Any,
    *,
    error: str | None = None,
) -> bool:
    """End the turn of a send whose parts are all decided; charge if the customer got a part.

    A send without a hold speaks for people (a hand-over, or giving up): it costs nothing.
    Returns False when the turn had ended before; then nothing was written.
    """
    reached = send.accepted_parts > 0
    charged = reached and send.hold_id is not None
    if not reached:
        await conversations.hand_to_people(
            connection, tenant_id, send.conversation_id, HandoverReason.TOOL_FAILURE
        )
    failed = send.given_up or not reached
    return await end_turn(
        connection,
        settings,
        tenant_id,
        send.turn_id,
        TurnState.FAILED if failed else TurnState.DONE,
        disposition=_disposition(charged=charged, failed=bool(failed)),
        reason=error or send.given_up,
        captured_ucr=send.price_ucr if charged else 0,
        usage=send.usage,
    )


def _disposition(*, charged: bool, failed: bool) -> Disposition:
    if failed:
        return Disposition.FAILED_HANDED_OFF
    return Disposition.ANSWERED if charged else Disposition.HANDED_OFF
