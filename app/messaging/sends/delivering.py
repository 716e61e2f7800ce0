"""Handing a queued reply to WhatsApp, part by part, so that no part is ever sent twice.

| crash or fault between | found | what follows |
|---|---|---|
| queued → attempt committed | queued | sent as if for the first time |
| attempt committed → call | sending | id ours: same id again; else: evidence, then unknown |
| call → answer lost, 5xx | sending | as above, after a short wait |
| answer → accepted committed | sending | as above: WhatsApp shows one message for one id |
| accepted → next part | accepted | the next part |
| stale worker wakes | epoch differs | its attempt is not recorded, so it does not call |
| any of these → the next worker comes after the business's limit of age | queued, sending | \
nothing is called any more: too old; of what was tried: evidence, then unknown |

An attempt is committed before its call, under the lease's epoch. Where WAHA honours our id
(NOWEB, GOWS, ≥ 2026.4.3) a repeat is harmless; elsewhere a part whose fate is unknown is
never sent again by the machine.
"""

import asyncio
import logging
import time
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from app.channels.port import ChannelAccess
from app.core.errors import FaultInjectedError, ProviderError
from app.core.limits.policies import SEND as SEND_LIMIT
from app.core.limits.policies import for_plan
from app.core.limits.types import Check
from app.core.observability.metrics import SEND, SENDS
from app.messaging import conversations
from app.messaging.access import channel_access
from app.messaging.sends.parts import Parts, read_parts
from app.messaging.sends.recording import record_acceptance, record_attempt, take_back
from app.messaging.sends.settling import Refusal, fail_part, give_up_part
from app.messaging.states import Disposition, PartState, TurnState
from app.messaging.turns import queries
from app.messaging.turns.ending import Ending, end_turn
from app.messaging.turns.generating import park
from app.messaging.turns.limiting import allow
from app.messaging.turns.model import ClaimedTurn, Engine, LeaseLostError

log = logging.getLogger(__name__)

_RETRY_S = (1.0, 2.0, 4.0, 8.0, 15.0)
_TYPING_S_PER_CHAR = 0.03
_TYPING_MIN_S = 0.4
# An ack may call a part failed that WAHA had taken: what follows it is sent all the same.
_BEHIND = {"accepted", "sent", "delivered", "read", "failed"}


async def deliver(engine: Engine, turn: ClaimedTurn, parts: Parts | None = None) -> None:
    """Send the parts of a turn's reply that are not sent yet; returns when done or parked.

    ``parts`` are those of a reply that was queued just now; else they are read.
    """
    for part in await _read(engine, turn) if parts is None else parts:
        if part.state in _BEHIND:
            continue
        if not await _deliver_part(engine, turn, part):
            return


async def _read(engine: Engine, turn: ClaimedTurn) -> Parts:
    async with engine.database.tenant(turn.tenant_id) as connection:
        found = await read_parts(
            connection,
            turn.tenant_id,
            [turn.id],
            answer_max_age_s=engine.settings.timings.answer_max_age_s,
        )
    return found.get(turn.id, ())


async def _deliver_part(engine: Engine, turn: ClaimedTurn, part: Any) -> bool:
    """Send one part; False when the rest has to wait or will not be sent."""
    tried = part.state == PartState.SENDING
    if tried and part.wa_id is not None:  # an echo or ack came before us
        return await record_acceptance(engine, turn, part, None, "evidence")
    # Before the number's key is read: what cannot be sent at all comes to its end here, too.
    if _is_too_old(part):
        return await (_await_evidence if tried else _expire)(engine, turn, part)
    access = _access(engine, part)
    if tried:
        if not (part.idempotent and engine.sender.honours_client_id(access)):
            return await _await_evidence(engine, turn, part)
    elif await _admit(engine, turn, part):
        await _gestures(engine, access, part)
    else:
        return False
    return await _try(engine, turn, part, access)


async def _try(engine: Engine, turn: ClaimedTurn, part: Any, access: ChannelAccess) -> bool:
    idempotent = engine.sender.honours_client_id(access)
    attempt_no = await record_attempt(engine, turn, part, idempotent=idempotent)
    if not attempt_no:
        return False
    try:
        wa_id = await _call(engine, access, part)
    except ProviderError as error:
        return await _after_failure(engine, turn, part, error, attempt_no)
    return await record_acceptance(engine, turn, part, wa_id, "response")


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
    verdict = await allow(engine, Check(policy, str(part.channel_id)))
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


async def _after_failure(
    engine: Engine, turn: ClaimedTurn, part: Any, error: ProviderError, attempt_no: int
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
    retry_s = max(_RETRY_S[min(part.attempts, len(_RETRY_S) - 1)], error.retry_after_s or 0.0)
    SENDS.labels("waha", "retried").inc()
    # An earlier attempt may have arrived, whatever became of this one.
    if error.ambiguous or part.state == PartState.SENDING:
        if not (error.retryable and engine.sender.honours_client_id(_access(engine, part))):
            return await _doubt(engine, turn, part)
        await park(engine, turn, retry_s)
    elif error.retryable:
        await take_back(engine, turn.tenant_id, part.id, attempt_no, error)
        await park(engine, turn, retry_s)
    else:
        refusal = Refusal(part.id, attempt_no, f"status_{error.status_code or 0}")
        async with engine.database.tenant(turn.tenant_id) as connection:
            await conversations.lock(connection, turn.tenant_id, part.conversation_id)
            await fail_part(
                connection, engine.settings, turn.tenant_id, refusal, status_code=error.status_code
            )
    return False


def _is_too_old(part: Any) -> bool:
    return bool((part.age_s or 0.0) > part.answer_max_age_s)


async def _expire(engine: Engine, turn: ClaimedTurn, part: Any) -> bool:
    """End a reply that stood queued for longer than the business answers at all."""
    ending = Ending(turn.id, TurnState.CANCELLED, Disposition.TOO_OLD, Disposition.TOO_OLD.value)
    async with engine.database.tenant(turn.tenant_id) as connection:
        await conversations.lock(connection, turn.tenant_id, part.conversation_id)
        await _must_be_ours(engine, connection, turn)
        # Nothing was tried of an answer: as if the assistant had never come to it.
        if part.part_no == 1 and not part.attempts and part.hold_id is not None:
            await end_turn(connection, engine.settings, turn.tenant_id, ending)
        else:
            refusal = Refusal(part.id, part.attempts, ending.reason or "")
            await fail_part(connection, engine.settings, turn.tenant_id, refusal, status_code=None)
    return False


async def _must_be_ours(engine: Engine, connection: AsyncConnection, turn: ClaimedTurn) -> None:
    key = {"tenant_id": turn.tenant_id, "id": turn.id, "epoch": turn.epoch}
    leased = await connection.execute(queries.SENDING, {**key, "owner": engine.owner})
    if leased.one_or_none() is None:
        raise LeaseLostError


async def _doubt(engine: Engine, turn: ClaimedTurn, part: Any) -> bool:
    """Look at a part again whose call may have sent it: an echo may have come during the call."""
    found = {each.id: each for each in await _read(engine, turn)}
    tried = found.get(part.id, part)  # with this attempt counted, and since when it is tried
    if tried.wa_id is not None:
        return await record_acceptance(engine, turn, tried, None, "evidence")
    return await _await_evidence(engine, turn, tried)


async def _await_evidence(engine: Engine, turn: ClaimedTurn, part: Any) -> bool:
    """Wait for an echo or ack of a part whose fate is unknown; after 90 s give it up."""
    left_s = engine.settings.timings.unknown_after_s - (part.started_s or 0.0)
    if left_s > 0:
        await park(engine, turn, left_s)
        return False
    async with engine.database.tenant(turn.tenant_id) as connection:
        await conversations.lock(connection, turn.tenant_id, part.conversation_id)
        await _must_be_ours(engine, connection, turn)
        doubt = Refusal(part.id, part.attempts, "no_evidence")
        given_up = await give_up_part(connection, engine.settings, turn.tenant_id, doubt)
    if not given_up:
        await park(engine, turn, 0.0)
    return False


def _access(engine: Engine, part: Any) -> ChannelAccess:
    return channel_access(part, engine.settings, engine.keyring)
