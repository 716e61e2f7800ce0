"""Handing a queued reply to WhatsApp, part by part, so that no part is ever sent twice.

| crash or fault between | found | what follows |
|---|---|---|
| queued → attempt committed | queued | sent as if for the first time |
| attempt committed → call | sending | id ours: same id again; else: evidence, then unknown |
| call → answer lost, 5xx | sending | as above, after a short wait |
| answer → accepted committed | sending | as above: WhatsApp shows one message for one id |
| accepted → next part | accepted | the next part |
| stale worker wakes | epoch differs | its attempt is not recorded, so it does not call |

An attempt is committed before its call, under the lease's epoch. Where WAHA honours our id
(NOWEB, GOWS, ≥ 2026.4.3) a repeat is harmless; elsewhere a part whose fate is unknown is
never sent again by the machine.
"""

import asyncio
import logging
import time
from typing import Any

from sqlalchemy import text

from app.channels.port import ChannelAccess
from app.core.errors import FaultInjectedError, ProviderError
from app.core.faults import fault_point
from app.core.limits.policies import SEND as SEND_LIMIT
from app.core.limits.policies import for_plan
from app.core.limits.types import Check
from app.core.observability.metrics import SEND, SENDS
from app.messaging import conversations
from app.messaging.sends.settling import accept_part, fail_part, give_up_part
from app.messaging.states import Disposition, HandoverReason, PartState, TurnState
from app.messaging.turns.ending import end_turn
from app.messaging.turns.generating import park
from app.messaging.turns.model import ClaimedTurn, Engine, LeaseLostError
from tenants.channels import api_key_ref

log = logging.getLogger(__name__)

_RETRY_S = (1.0, 2.0, 4.0, 8.0, 15.0)
_TYPING_S_PER_CHAR = 0.03
_TYPING_MIN_S = 0.4
_ACCEPTED = {"accepted", "sent", "delivered", "read"}

_PARTS = text(
    """
    select p.id, p.part_no, p.state, p.client_message_id, p.wa_id, p.attempts, p.idempotent,
           extract(epoch from now() - p.started_at)::float8 as started_s,
           m.body, s.address, s.channel_id, s.conversation_id,
           c.session, c.api_url, c.api_key, c.engine, c.engine_version,
           extract(epoch from now() - t.first_at)::float8 as age_s,
           coalesce(b.answer_max_age_s, :answer_max_age_s) as answer_max_age_s
    from sends s
    join send_parts p on p.tenant_id = s.tenant_id and p.send_id = s.id
    join messages m on m.tenant_id = p.tenant_id and m.id = p.message_id
    join channels c on c.tenant_id = s.tenant_id and c.id = s.channel_id
    join tenants b on b.id = s.tenant_id
    join turns t on t.tenant_id = s.tenant_id and t.id = s.turn_id
    where s.tenant_id = :tenant_id and s.turn_id = :turn_id
    order by p.part_no
    """
)
# The attempt and its part change together, and only for the holder of the lease.
_ATTEMPT = text(
    """
    with turn as (
        update turns set state = 'sending', lease_until = now() + make_interval(secs => :lease_s)
        where tenant_id = :tenant_id and id = :turn_id and lease_epoch = :epoch
          and lease_owner = :owner and state in ('generated', 'sending')
        returning id
    ), part as (
        update send_parts p
        set state = 'sending', started_at = coalesce(p.started_at, now()),
            attempts = p.attempts + 1, idempotent = :idempotent
        from turn
        where p.tenant_id = :tenant_id and p.id = :id and p.state in ('queued', 'sending')
        returning p.id, p.attempts
    )
    insert into send_attempts (tenant_id, id, part_id, attempt_no)
    select :tenant_id, gen_random_uuid(), id, attempts from part
    returning attempt_no
    """
)
_NOT_SENT = text(
    """
    with part as (
        update send_parts set state = 'queued', started_at = null, error = :error
        where tenant_id = :tenant_id and id = :id and state = 'sending' and wa_id is null
        returning id, attempts
    )
    update send_attempts a set finished_at = now(), outcome = 'not_sent', status_code = :status
    from part p where a.tenant_id = :tenant_id and a.part_id = p.id and a.attempt_no = p.attempts
    """
)


async def deliver(engine: Engine, turn: ClaimedTurn) -> None:
    """Send the parts of a turn's reply that are not sent yet; returns when done or parked."""
    async with engine.database.tenant(turn.tenant_id) as connection:
        parts = (
            await connection.execute(
                _PARTS,
                {
                    "tenant_id": turn.tenant_id,
                    "turn_id": turn.id,
                    "answer_max_age_s": engine.settings.timings.answer_max_age_s,
                },
            )
        ).all()
    for part in parts:
        if part.state in _ACCEPTED:
            continue
        if not await _deliver_part(engine, turn, part):
            return


async def _deliver_part(engine: Engine, turn: ClaimedTurn, part: Any) -> bool:
    """Send one part; False when the rest has to wait or will not be sent."""
    access = _access(engine, part)
    if part.state == PartState.SENDING:
        if part.wa_id is not None:  # an echo or ack came before us
            return await _accept(engine, turn, part, None, "evidence")
        if not (part.idempotent and engine.sender.honours_client_id(access)):
            return await _await_evidence(engine, turn, part)
    elif await _admit(engine, turn, part):
        await _gestures(engine, access, part)
    else:
        return False
    if not await _begin_attempt(engine, turn, part, access):
        return False
    try:
        wa_id = await _call(engine, access, part)
    except ProviderError as error:
        return await _after_failure(engine, turn, part, access, error)
    return await _accept(engine, turn, part, wa_id, "response")


async def _call(engine: Engine, access: ChannelAccess, part: Any) -> str | None:
    """Send the text; return its bare WhatsApp id where that is known."""
    client_id = part.client_message_id if engine.sender.honours_client_id(access) else None
    began = time.perf_counter()
    try:
        told = await engine.sender.send_text(access, part.address, part.body, client_id)
    except FaultInjectedError:
        raise ProviderError("waha", "the answer was lost", ambiguous=True) from None
    finally:
        SEND.labels("waha").observe(time.perf_counter() - began)
    return told or client_id


async def _admit(engine: Engine, turn: ClaimedTurn, part: Any) -> bool:
    """Ask the number's own limit: WhatsApp bans numbers that write too fast. Refused waits."""
    policy = for_plan(SEND_LIMIT, limit=turn.send_per_min, burst=turn.send_burst)
    verdict = await engine.limiter.decide([Check(policy, str(part.channel_id))])
    if not verdict.allowed:
        await park(engine, turn, max(verdict.retry_after_s, 0.05))
    return verdict.allowed


async def _gestures(engine: Engine, access: ChannelAccess, part: Any) -> None:
    """Seen, typing, a human-like pause. None of it matters enough to fail a reply for."""
    maximum_s = engine.settings.timings.typing_max_s
    pause_s = min(max(len(part.body) * _TYPING_S_PER_CHAR, _TYPING_MIN_S), maximum_s)
    typing = False
    try:
        if part.part_no == 1:
            await engine.sender.mark_seen(access, part.address)
        await engine.sender.set_typing(access, part.address, on=True)
        typing = True
    except (ProviderError, FaultInjectedError) as error:
        log.info("a gesture failed", extra={"partId": part.id, "errorType": type(error).__name__})
    if typing and pause_s > 0:
        await asyncio.sleep(pause_s)
        try:
            await engine.sender.set_typing(access, part.address, on=False)
        except (ProviderError, FaultInjectedError):
            log.info("a gesture failed", extra={"partId": part.id})


async def _begin_attempt(
    engine: Engine, turn: ClaimedTurn, part: Any, access: ChannelAccess
) -> bool:
    """Commit the attempt before the call; False when people took over before the first one."""
    async with engine.database.tenant(turn.tenant_id) as connection:
        ownership = await conversations.lock(connection, turn.tenant_id, part.conversation_id)
        if ownership.taken_over and part.part_no == 1 and part.state == PartState.QUEUED:
            await end_turn(
                connection,
                engine.settings,
                turn.tenant_id,
                turn.id,
                TurnState.CANCELLED,
                disposition=Disposition.HUMAN_OWNED,
                reason=HandoverReason.HUMAN_TAKEOVER.value,
            )
            return False
        attempt = await connection.scalar(
            _ATTEMPT,
            {
                "tenant_id": turn.tenant_id,
                "turn_id": turn.id,
                "epoch": turn.epoch,
                "owner": engine.owner,
                "id": part.id,
                "idempotent": engine.sender.honours_client_id(access),
                "lease_s": max(
                    engine.settings.timings.lease_s, engine.settings.timings.send_timeout_s + 5
                ),
            },
        )
        if attempt is None:
            raise LeaseLostError
        fault_point("send.before_attempt_commit")
    fault_point("send.after_attempt_commit")
    return True


async def _accept(engine: Engine, turn: ClaimedTurn, part: Any, wa_id: str | None, by: str) -> bool:
    """Record an acceptance. It is a fact, so it counts even when the lease was lost."""
    async with engine.database.tenant(turn.tenant_id) as connection:
        await conversations.lock(connection, turn.tenant_id, part.conversation_id)
        await accept_part(
            connection, engine.settings, turn.tenant_id, part.id, wa_id=wa_id, resolved_by=by
        )
        fault_point("settle.before_commit")
    fault_point("settle.after_commit")
    return True


async def _after_failure(
    engine: Engine, turn: ClaimedTurn, part: Any, access: ChannelAccess, error: ProviderError
) -> bool:
    log.warning(
        "a send failed",
        extra={
            "partId": part.id,
            "provider": "waha",
            "status": error.status_code or 0,
            "outcome": "ambiguous" if error.ambiguous else "not_sent",
        },
    )
    too_old = (part.age_s or 0.0) > part.answer_max_age_s
    # An earlier attempt may have arrived, whatever became of this one.
    doubtful = error.ambiguous or part.state == PartState.SENDING
    retry_s = max(_RETRY_S[min(part.attempts, len(_RETRY_S) - 1)], error.retry_after_s or 0.0)
    SENDS.labels("waha", "retried").inc()
    if doubtful:
        if engine.sender.honours_client_id(access) and error.retryable and not too_old:
            await park(engine, turn, retry_s)
        else:
            await _await_evidence(engine, turn, part)
        return False
    if error.retryable and not too_old:
        async with engine.database.tenant(turn.tenant_id) as connection:
            values = {"error": f"status_{error.status_code or 0}", "status": error.status_code}
            await connection.execute(
                _NOT_SENT, {"tenant_id": turn.tenant_id, "id": part.id, **values}
            )
        await park(engine, turn, retry_s)
        return False
    async with engine.database.tenant(turn.tenant_id) as connection:
        await conversations.lock(connection, turn.tenant_id, part.conversation_id)
        await fail_part(
            connection,
            engine.settings,
            turn.tenant_id,
            part.id,
            error="too_old" if too_old else f"status_{error.status_code or 0}",
            status_code=error.status_code,
        )
    return False


async def _await_evidence(engine: Engine, turn: ClaimedTurn, part: Any) -> bool:
    """Wait for an echo or ack of a part whose fate is unknown; after 90 s give it up."""
    left_s = engine.settings.timings.unknown_after_s - (part.started_s or 0.0)
    if left_s > 0:
        await park(engine, turn, left_s)
        return False
    async with engine.database.tenant(turn.tenant_id) as connection:
        await conversations.lock(connection, turn.tenant_id, part.conversation_id)
        await give_up_part(connection, engine.settings, turn.tenant_id, part.id)
    return False


def _access(engine: Engine, part: Any) -> ChannelAccess:
    settings = engine.settings
    own = part.api_url is not None
    key = settings.waha_api_key
    if own:
        sealed = part.api_key
        key = engine.keyring.decrypt(bytes(sealed), api_key_ref(part.channel_id)) if sealed else ""
    return ChannelAccess(
        channel_id=part.channel_id,
        api_url=part.api_url or settings.waha_api_url,
        api_key=key,
        session=part.session,
        guarded=own,
        engine=part.engine,
        engine_version=part.engine_version,
    )
