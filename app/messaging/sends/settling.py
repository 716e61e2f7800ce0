"""What a send's outcome changes: parts, messages, the turn and its credits, in one commit.

| evidence | part | turn | credits |
|---|---|---|---|
| WAHA answered 201, echo, ack | accepted | done when it was the last | charged once |
| a definite refusal | failed | failed (done if another part was accepted) | released (charged) |
| none after 90 s, not sent again | unknown | done, messages ``send_unknown`` | stay held, unless \
another part was accepted: charged |
| unknown, then echo/ack/read-back | accepted | – | charged |
| unknown for 24 h | unknown | – | released |
| the same, then echo/ack/read-back | accepted | – | stay released |
| later ack error on every accepted part | failed | – | refunded, within 7 days |

The price is for a reply that reached the customer, and one part of it did as soon as it was
accepted: whatever becomes of the others changes nothing, so no hold has to wait for them.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.config import Settings
from app.core.db.after import after_commit
from app.core.db.rows import as_rows
from app.core.observability.metrics import SENDS
from app.messaging import conversations, messages
from app.messaging.states import Disposition, HandoverReason, Notice, TurnState
from app.messaging.turns.ending import Ending, close_holds, end_turn, end_turns
from billing.ledger.schemas import CloseRequest

log = logging.getLogger(__name__)

_OF_NOTICE = {
    Notice.OPTED_OUT: Disposition.OPTED_OUT,
    Notice.OPTED_IN: Disposition.ANSWERED,
    Notice.CLOSED: Disposition.OUT_OF_HOURS,
}

_ACCEPT = text(
    """
    with told as (
        select p.id, r.wa_id, r.resolved_by
        from jsonb_to_recordset(cast(:rows as jsonb))
            as r(part_id uuid, wa_id text, resolved_by text)
        join send_parts p on p.tenant_id = :tenant_id and p.id = r.part_id
         and p.state in ('sending', 'unknown')
        order by p.id for no key update of p
    ), part as (
        update send_parts p
        set state = case when ack >= 3 then 'read' when ack = 2 then 'delivered'
                         when error = 'ack_error' then 'failed' when ack = 1 then 'sent'
                         else 'accepted' end,
            accepted_at = now(), wa_id = coalesce(t.wa_id, p.wa_id),
            error = case when error = 'ack_error' and ack < 2 then error end,
            resolved_by = coalesce(p.resolved_by, t.resolved_by)
        from told t
        where p.tenant_id = :tenant_id and p.id = t.id
        returning p.id, p.send_id, p.message_id, p.channel_id, p.wa_id, p.attempts
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
        where a.tenant_id = :tenant_id and a.part_id = p.id and a.attempt_no = p.attempts
    )
    select id, send_id from part
    """
)
_SEND = text(
    """
    select s.id, s.turn_id, s.conversation_id, s.hold_id, s.price_ucr, s.request_id, s.author,
           t.usage, t.result ->> 'failed' as given_up, t.result ->> 'notice' as notice,
           count(*) filter (where p.state in ('queued', 'sending')) as open_parts,
           count(*) filter (where p.state = 'unknown') = 0 as certain,
           count(*) filter (where p.state in ('accepted', 'sent', 'delivered', 'read'))
               as accepted_parts
    from sends s
    left join turns t on t.tenant_id = s.tenant_id and t.id = s.turn_id
    join send_parts p on p.tenant_id = s.tenant_id and p.send_id = s.id
    where s.tenant_id = :tenant_id and s.id = any(:ids)
    group by s.tenant_id, s.id, t.tenant_id, t.id
    """
)
_PART_CONVERSATION = text(
    """
    select s.conversation_id from send_parts p
    join sends s on s.tenant_id = p.tenant_id and s.id = p.send_id
    where p.tenant_id = :tenant_id and p.id = :id
    """
)
# A merge takes a turn's messages along into the thread that goes on.
_THREAD = text(
    """
    select conversation_id from messages where tenant_id = :tenant_id and turn_id = :turn_id limit 1
    """
)
# What is queued was surely not sent (a worker that froze past its lease may just have said so):
# it can be refused, but there is nothing to doubt.
_MARK = text(
    """
    with part as (
        update send_parts set state = :state, error = :error
        where tenant_id = :tenant_id and id = :id and attempts = :attempt_no
          and (state = 'sending' or (state = 'queued' and :state = 'failed'))
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
_OVERDUE_UNKNOWN = text(
    """
    select s.tenant_id, s.hold_id, s.request_id
    from send_parts p
    join sends s on s.tenant_id = p.tenant_id and s.id = p.send_id
    join credit_holds h on h.tenant_id = s.tenant_id and h.id = s.hold_id and h.state = 'pending'
    where p.state = 'unknown' and p.started_at < now() - make_interval(secs => :after_s)
    group by s.tenant_id, s.hold_id, s.request_id
    limit 100
    """
)


@dataclass(frozen=True, slots=True)
class Acceptance:
    """A part that the provider has: its bare WhatsApp id where known, and how we know."""

    part_id: UUID
    wa_id: str | None
    resolved_by: str


async def accept_parts(
    connection: AsyncConnection,
    settings: Settings,
    tenant_id: UUID,
    acceptances: Sequence[Acceptance],
) -> set[UUID]:
    """Record acceptances of a tenant's parts; finish the turns whose last ones they were.

    The conversations are locked. Returns the parts that were not settled before.
    """
    accepted = await _accept(connection, tenant_id, acceptances)
    sends = await _load(connection, tenant_id, accepted.values())
    decided = [s for s in sends if s.turn_id is not None and not s.open_parts]
    ended = await _finish(connection, settings, tenant_id, [s for s in decided if s.certain])
    # Of a worker that froze past its lease: the turn ended as unknown while it slept.
    late = [s for s in decided if s.turn_id not in ended]
    await _end_late(connection, tenant_id, late)
    return set(accepted)


async def _accept(
    connection: AsyncConnection, tenant_id: UUID, acceptances: Sequence[Acceptance]
) -> dict[UUID, UUID]:
    """Move parts to accepted; return the sends of those that were not, by part."""
    rows = as_rows(asdict(a) for a in acceptances)
    found = await connection.execute(_ACCEPT, {"tenant_id": tenant_id, "rows": rows})
    accepted = {row.id: row.send_id for row in found}
    after_commit(connection, partial(SENDS.labels("waha", "accepted").inc, len(accepted)))
    return accepted


@dataclass(frozen=True, slots=True)
class Refusal:
    """What an attempt came to that WAHA did not accept; void when another was made since."""

    part_id: UUID
    attempt_no: int
    error: str


async def fail_part(
    connection: AsyncConnection,
    settings: Settings,
    tenant_id: UUID,
    refusal: Refusal,
    *,
    status_code: int | None,
) -> None:
    """Record a definite refusal; the parts behind it are not sent. The conversation is locked."""
    send_id = await _mark(connection, tenant_id, refusal, "failed", status_code)
    if send_id is None:
        return
    after_commit(connection, SENDS.labels("waha", "failed").inc)
    sends = await _load(connection, tenant_id, [send_id])
    await _finish(
        connection,
        settings,
        tenant_id,
        [s for s in sends if s.turn_id is not None],
        error=refusal.error,
    )


async def give_up_part(
    connection: AsyncConnection, settings: Settings, tenant_id: UUID, doubt: Refusal
) -> bool:
    """Call a part unknown: nobody can tell whether it was sent, so it is not sent again.

    The turn ends, so that the customer's next message is answered; the hold stays until
    evidence or the 24 hours settle it, but a reply of which another part was accepted is
    charged now. The conversation is locked. False when the part had moved on: look at it again.
    """
    send_id = await _mark(connection, tenant_id, doubt, "unknown", None)
    if send_id is None:
        return False
    after_commit(connection, SENDS.labels("waha", "unknown").inc)
    (send,) = await _load(connection, tenant_id, [send_id])
    if send.turn_id is None:
        return True
    reached = send.accepted_parts > 0 and send.hold_id is not None
    ending = Ending(
        send.turn_id,
        TurnState.DONE,
        _disposition(send) if send.notice else Disposition.SEND_UNKNOWN,
        "send_unknown",
        captured_ucr=send.price_ucr if reached else None,
        usage=send.usage,
    )
    await end_turn(connection, settings, tenant_id, ending)
    return True


async def _mark(
    connection: AsyncConnection,
    tenant_id: UUID,
    refusal: Refusal,
    state: str,
    status_code: int | None,
) -> Any:
    """End a part and what follows it; the send's id, None when it had moved on."""
    values = {"error": refusal.error, "state": state, "status": status_code}
    key = {"tenant_id": tenant_id, "id": refusal.part_id, "attempt_no": refusal.attempt_no}
    return await connection.scalar(_MARK, {**key, **values})


async def settle_unknown(
    connection: AsyncConnection, tenant_id: UUID, part_id: UUID, resolved_by: str
) -> None:
    """Evidence came for a part that had been given up: charge it, answer the "why"."""
    await lock_conversation(connection, tenant_id, part_id)
    accepted = await _accept(connection, tenant_id, [Acceptance(part_id, None, resolved_by)])
    sends = await _load(connection, tenant_id, accepted.values())
    await _end_late(
        connection, tenant_id, [s for s in sends if s.turn_id is not None and not s.open_parts]
    )
    if accepted:
        log.info("an unknown send was settled", extra={"partId": part_id, "reason": resolved_by})


async def lock_conversation(connection: AsyncConnection, tenant_id: UUID, part_id: UUID) -> None:
    """Lock the conversation of a part, before anything of the part itself is."""
    part = {"tenant_id": tenant_id, "id": part_id}
    conversation_id: UUID = (await connection.execute(_PART_CONVERSATION, part)).scalar_one()
    await conversations.lock(connection, tenant_id, conversation_id)


async def _end_late(connection: AsyncConnection, tenant_id: UUID, sends: Sequence[Any]) -> None:
    """Give messages and credits their end where the turn had ended as unknown before."""
    certain = [s for s in sends if s.certain]
    await _tell_people(connection, tenant_id, certain)
    if certain:
        await messages.dispose_turns(
            connection,
            tenant_id,
            {send.turn_id: _disposition(send) for send in certain},
            replace_unknown=True,
        )
    settled = [s for s in sends if s.certain or s.accepted_parts]
    await close_holds(connection, [_closing(tenant_id, s) for s in settled], late=True)


def _closing(tenant_id: UUID, send: Any) -> CloseRequest | None:
    if send.hold_id is None:
        return None
    reached = send.accepted_parts > 0
    return CloseRequest(
        tenant_id=tenant_id,
        hold_id=send.hold_id,
        captured_ucr=send.price_ucr if reached else 0,
        delivered=reached,
        usage=send.usage,
        request_id=send.request_id,
    )


async def release_overdue_unknown(connection: AsyncConnection, *, after_s: float) -> int:
    """Release the holds of sends that stayed unknown; doubt favours the tenant."""
    overdue = (await connection.execute(_OVERDUE_UNKNOWN, {"after_s": after_s})).all()
    await close_holds(
        connection,
        [
            CloseRequest(
                tenant_id=send.tenant_id,
                hold_id=send.hold_id,
                captured_ucr=0,
                delivered=False,
                request_id=send.request_id,
            )
            for send in overdue
        ],
    )
    return len(overdue)


async def _load(
    connection: AsyncConnection, tenant_id: UUID, send_ids: Iterable[UUID]
) -> Sequence[Any]:
    """Read sends with their parts counted; ``certain`` when no part is in doubt."""
    wanted = sorted(set(send_ids))
    if not wanted:
        return []
    return (await connection.execute(_SEND, {"tenant_id": tenant_id, "ids": wanted})).all()


async def _finish(
    connection: AsyncConnection,
    settings: Settings,
    tenant_id: UUID,
    sends: Sequence[Any],
    *,
    error: str | None = None,
) -> set[UUID]:
    """End the turns of sends whose parts are all decided; charge what reached the customer.

    A send without a hold speaks for people (a hand-over, or giving up): it costs nothing.
    Returns the turns that had not ended before; for the others nothing was written.
    """
    await _tell_people(connection, tenant_id, sends)
    return await end_turns(
        connection, settings, tenant_id, [_ending(send, error) for send in sends]
    )


async def _tell_people(connection: AsyncConnection, tenant_id: UUID, sends: Iterable[Any]) -> None:
    """Give the threads to people of which nothing reached the customer."""
    for send in sends:
        if send.accepted_parts or send.notice:
            continue
        turn = {"tenant_id": tenant_id, "turn_id": send.turn_id}
        thread_id = await connection.scalar(_THREAD, turn) or send.conversation_id
        await conversations.hand_to_people(
            connection, tenant_id, thread_id, HandoverReason.TOOL_FAILURE
        )


def _ending(send: Any, error: str | None) -> Ending:
    reached = send.accepted_parts > 0
    failed = send.given_up or not reached
    return Ending(
        send.turn_id,
        TurnState.FAILED if failed else TurnState.DONE,
        _disposition(send),
        error or send.given_up,
        captured_ucr=send.price_ucr if reached and send.hold_id is not None else 0,
        usage=send.usage,
    )


def _disposition(send: Any) -> Disposition:
    if send.notice:  # what the customer's word meant stands, whatever became of our answer to it
        return _OF_NOTICE[Notice(send.notice)]
    if send.given_up or not send.accepted_parts:
        return Disposition.FAILED_HANDED_OFF
    return Disposition.HANDED_OFF if send.hold_id is None else Disposition.ANSWERED
