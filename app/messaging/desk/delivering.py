"""Handing people's messages to WhatsApp: like replies, so that none is ever sent twice.

The crash table of ``app.messaging.sends.delivering`` holds here too. A claim is a lease with an
epoch (``desk_sends``); the messages of a conversation leave one after the other.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text

from app.channels.port import Attachment, ChannelAccess
from app.core.errors import FaultInjectedError, ProviderError
from app.core.limits.policies import SEND as SEND_LIMIT
from app.core.limits.policies import for_plan
from app.core.limits.types import Check
from app.core.observability.metrics import SENDS
from app.messaging import conversations
from app.messaging.access import channel_access
from app.messaging.sends.recording import take_back
from app.messaging.sends.settling import Acceptance, Refusal, accept_parts, fail_part, give_up_part
from app.messaging.states import ACCEPTED_PART_STATES, PartState
from app.messaging.turns.limiting import allow
from app.messaging.turns.model import Engine

log = logging.getLogger(__name__)

_RETRY_S = (1.0, 2.0, 4.0, 8.0, 15.0)
_EVIDENCE_LOOK_S = 3.0
_SENT = {state.value for state in ACCEPTED_PART_STATES}

_CLAIM = text(
    """
    with wanted as (
        select d.tenant_id, d.send_id from desk_sends d
        where d.open and d.due_at <= now()
          and not exists (
              select 1 from desk_sends e
              where e.tenant_id = d.tenant_id and e.conversation_id = d.conversation_id
                and e.open and e.send_id < d.send_id)
        order by d.due_at limit :sends_max
        for update of d skip locked
    )
    update desk_sends d
    set lease_owner = :owner, lease_epoch = d.lease_epoch + 1,
        due_at = now() + make_interval(secs => :lease_s)
    from wanted w where d.tenant_id = w.tenant_id and d.send_id = w.send_id
    returning d.tenant_id, d.send_id, d.lease_epoch as epoch
    """
)
_PART = text(
    """
    select p.id, p.state, p.client_message_id, p.wa_id, p.attempts, p.idempotent,
           extract(epoch from now() - p.started_at)::float8 as started_s,
           extract(epoch from now() - s.created_at)::float8 as age_s,
           m.body, s.address, s.channel_id, s.conversation_id,
           c.session, c.api_url, c.api_key, c.engine, c.engine_version,
           n.send_per_min, n.send_burst,
           f.id as media_id, f.kind as media_kind, f.content_type, f.name as media_name
    from sends s
    join send_parts p on p.tenant_id = s.tenant_id and p.send_id = s.id
    join messages m on m.tenant_id = p.tenant_id and m.id = p.message_id
    join channels c on c.tenant_id = s.tenant_id and c.id = s.channel_id
    join tenants b on b.id = s.tenant_id
    join plans n on n.code = b.plan_code
    left join message_media f on f.tenant_id = m.tenant_id and f.message_id = m.id
    where s.tenant_id = :tenant_id and s.id = :send_id
    """
)
_HELD = """
    select 1 from desk_sends d where d.tenant_id = :tenant_id and d.send_id = :send_id
      and d.open and d.lease_owner = :owner and d.lease_epoch = :epoch
"""
# The lease is locked, not only looked at: a claim of the same moment waits, or was before us.
_ATTEMPT = text(
    f"""
    with told as (
        select p.id from send_parts p
        where p.tenant_id = :tenant_id and p.id = :part_id and p.state in ('queued', 'sending')
        for no key update of p
    ), held as (
        {_HELD} and exists (select 1 from told) for no key update of d
    ), part as (
        update send_parts p
        set state = 'sending', started_at = coalesce(p.started_at, now()),
            attempts = p.attempts + 1, idempotent = :idempotent
        from told where p.tenant_id = :tenant_id and p.id = told.id and exists (select 1 from held)
        returning p.tenant_id, p.id, p.attempts
    ), attempt as (
        insert into send_attempts (tenant_id, id, part_id, attempt_no)
        select tenant_id, gen_random_uuid(), id, attempts from part
    ), lease as (
        update desk_sends d set due_at = now() + make_interval(secs => :lease_s)
        from part where d.tenant_id = part.tenant_id and d.send_id = :send_id
    )
    select attempts from part
    """  # noqa: S608
)
_PARK = text(
    f"""
    update desk_sends u set due_at = now() + make_interval(secs => :wait_s), lease_owner = null
    where u.tenant_id = :tenant_id and u.send_id = :send_id and exists ({_HELD})
    """  # noqa: S608
)
_RELEASE = text(
    """
    update desk_sends d set due_at = now(), lease_owner = null
    from unnest(cast(:tenants as uuid[]), cast(:sends as uuid[]), cast(:epochs as int[]))
        as h(tenant_id, send_id, epoch)
    where d.tenant_id = h.tenant_id and d.send_id = h.send_id and d.lease_epoch = h.epoch
      and d.lease_owner = :owner and d.open
    """
)
# Not while its part is under way: a worker that froze in a call may hear a "no", which is void,
# of a message that another has sent again since. Whoever has the lease goes on with that.
_CLOSE = text(
    """
    update desk_sends set open = false, lease_owner = null
    where tenant_id = :tenant_id and send_id = :send_id
      and not exists (select 1 from send_parts p where p.tenant_id = :tenant_id
                        and p.send_id = :send_id and p.state in ('queued', 'sending'))
    """
)


@dataclass(frozen=True, slots=True)
class ClaimedSend:
    """A person's message under our lease."""

    tenant_id: UUID
    send_id: UUID
    epoch: int


class DeskDelivery:
    """Sends what people wrote, on the worker's engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def claim(self, *, sends_max: int) -> list[ClaimedSend]:
        """Lease up to ``sends_max`` messages whose time has come, of any tenant."""
        values = {
            "owner": self._engine.owner,
            "lease_s": self._engine.settings.timings.lease_s,
            "sends_max": sends_max,
        }
        async with self._engine.database.system() as connection:
            rows = await connection.execute(_CLAIM, values)
            return [ClaimedSend(**row) for row in rows.mappings()]

    async def release(self, held: Sequence[ClaimedSend]) -> None:
        """Give leases back at a stop, so that another worker goes on within seconds."""
        if not held:
            return
        values = {
            "tenants": [c.tenant_id for c in held],
            "sends": [c.send_id for c in held],
            "epochs": [c.epoch for c in held],
            "owner": self._engine.owner,
        }
        async with self._engine.database.system() as connection:
            await connection.execute(_RELEASE, values)

    async def deliver(self, claimed: ClaimedSend) -> None:
        """Bring a claimed message as far as it gets now."""
        engine = self._engine
        part = await self._read(claimed)
        if part.state in _SENT or part.state in {PartState.FAILED, PartState.UNKNOWN}:
            await self._close(claimed)
        elif part.state == PartState.SENDING and part.wa_id is not None:
            await self._accept(claimed, part, None, "evidence")
        elif part.state == PartState.SENDING:
            await self._go_on(claimed, part)
        elif part.age_s > engine.settings.timings.answer_max_age_s:
            await self._refuse(claimed, Refusal(part.id, part.attempts, "too_old"), part, None)
        elif await self._admit(claimed, access := self._access(part), part):
            await self._send(claimed, access, part)

    async def _read(self, claimed: ClaimedSend) -> Any:
        key = {"tenant_id": claimed.tenant_id, "send_id": claimed.send_id}
        async with self._engine.database.tenant(claimed.tenant_id) as connection:
            return (await connection.execute(_PART, key)).one()

    async def _go_on(self, claimed: ClaimedSend, part: Any) -> None:
        """Go on with a message that may have arrived: the same id again, or wait for evidence."""
        young = part.age_s <= self._engine.settings.timings.answer_max_age_s
        if young and part.idempotent and self._honours(access := self._access(part), part):
            await self._send(claimed, access, part)
        else:
            await self._await_evidence(claimed, part)

    def _access(self, part: Any) -> ChannelAccess:
        """Read the number's key: not before its message's age, which ends what cannot be sent."""
        return channel_access(part, self._engine.settings, self._engine.keyring)

    def _honours(self, access: ChannelAccess, part: Any) -> bool:
        return part.media_id is None and self._engine.sender.honours_client_id(access)

    async def _admit(self, claimed: ClaimedSend, access: ChannelAccess, part: Any) -> bool:
        """Ask the number's own limit, then show that the customer's messages were read."""
        policy = for_plan(SEND_LIMIT, limit=part.send_per_min, burst=part.send_burst)
        verdict = await allow(self._engine, Check(policy, str(part.channel_id)))
        if not verdict.allowed:
            await self._park(claimed, max(verdict.retry_after_s, 0.05))
            return False
        try:
            await self._engine.sender.mark_seen(access, part.address)
        except (ProviderError, FaultInjectedError):
            log.info("a gesture failed", extra={"partId": part.id})
        return True

    async def _send(self, claimed: ClaimedSend, access: ChannelAccess, part: Any) -> None:
        attempt_no = await self._attempt(claimed, part, idempotent=self._honours(access, part))
        if attempt_no is None:
            return
        try:
            wa_id = await self._call(claimed, access, part)
        except FaultInjectedError:
            error = ProviderError("waha", "the answer was lost", ambiguous=True)
            await self._after_failure(claimed, access, part, error, attempt_no)
        except ProviderError as error:
            await self._after_failure(claimed, access, part, error, attempt_no)
        else:
            await self._accept(claimed, part, wa_id, "response")

    async def _attempt(self, claimed: ClaimedSend, part: Any, *, idempotent: bool) -> int | None:
        """Commit the attempt before the call; None when the lease was lost."""
        timings = self._engine.settings.timings
        values = {
            **self._key(claimed),
            "part_id": part.id,
            "idempotent": idempotent,
            "lease_s": max(timings.lease_s, timings.send_timeout_s + 5),
        }
        async with self._engine.database.tenant(claimed.tenant_id) as connection:
            number: int | None = await connection.scalar(_ATTEMPT, values)
        return number

    async def _call(self, claimed: ClaimedSend, access: ChannelAccess, part: Any) -> str | None:
        sender = self._engine.sender
        if part.media_id is None:
            client_id = part.client_message_id if sender.honours_client_id(access) else None
            told = await sender.send_text(access, part.address, part.body, client_id)
            return told or client_id
        try:
            data = await self._engine.store.read(claimed.tenant_id, part.media_id)
        except OSError as error:
            raise ProviderError("media", "the file cannot be read", retryable=True) from error
        attachment = Attachment(
            kind=part.media_kind,
            content_type=part.content_type or "application/octet-stream",
            name=part.media_name or "file",
            data=data,
        )
        return await sender.send_media(access, part.address, attachment, part.body)

    async def _after_failure(
        self,
        claimed: ClaimedSend,
        access: ChannelAccess,
        part: Any,
        error: ProviderError,
        attempt_no: int,
    ) -> None:
        outcome = "ambiguous" if error.ambiguous else "not_sent"
        log.warning(
            "a send failed",
            extra={"partId": part.id, "provider": "waha", "outcome": outcome},
        )
        SENDS.labels("waha", "retried").inc()
        retry_s = max(_RETRY_S[min(part.attempts, len(_RETRY_S) - 1)], error.retry_after_s or 0.0)
        # An earlier attempt may have arrived, whatever became of this one.
        if error.ambiguous or part.state == PartState.SENDING:
            if error.retryable and self._honours(access, part):
                await self._park(claimed, retry_s)
            else:  # as it stands now: with this attempt counted
                await self._await_evidence(claimed, await self._read(claimed))
        elif error.retryable:
            await take_back(self._engine, claimed.tenant_id, part.id, attempt_no, error)
            await self._park(claimed, retry_s)
        else:
            reason = f"status_{error.status_code or 0}"
            refusal = Refusal(part.id, attempt_no, reason)
            await self._refuse(claimed, refusal, part, error.status_code)

    async def _accept(self, claimed: ClaimedSend, part: Any, wa_id: str | None, by: str) -> None:
        async with self._engine.database.tenant(claimed.tenant_id) as connection:
            await conversations.lock(connection, claimed.tenant_id, part.conversation_id)
            told = [Acceptance(part.id, wa_id, by)]
            await accept_parts(connection, self._engine.settings, claimed.tenant_id, told)
            await connection.execute(_CLOSE, self._key(claimed))

    async def _refuse(
        self, claimed: ClaimedSend, refusal: Refusal, part: Any, status_code: int | None
    ) -> None:
        async with self._engine.database.tenant(claimed.tenant_id) as connection:
            await conversations.lock(connection, claimed.tenant_id, part.conversation_id)
            await fail_part(
                connection,
                self._engine.settings,
                claimed.tenant_id,
                refusal,
                status_code=status_code,
            )
            await connection.execute(_CLOSE, self._key(claimed))

    async def _await_evidence(self, claimed: ClaimedSend, part: Any) -> None:
        """Wait for an echo or ack; after 90 s the message is in doubt and people are told."""
        left_s = self._engine.settings.timings.unknown_after_s - (part.started_s or 0.0)
        if left_s > 0:
            await self._park(claimed, min(left_s, _EVIDENCE_LOOK_S))
            return
        async with self._engine.database.tenant(claimed.tenant_id) as connection:
            await conversations.lock(connection, claimed.tenant_id, part.conversation_id)
            doubt = Refusal(part.id, part.attempts, "no_evidence")
            if await give_up_part(connection, self._engine.settings, claimed.tenant_id, doubt):
                await connection.execute(_CLOSE, self._key(claimed))
            else:
                await connection.execute(_PARK, {**self._key(claimed), "wait_s": 0.0})

    async def _park(self, claimed: ClaimedSend, wait_s: float) -> None:
        async with self._engine.database.tenant(claimed.tenant_id) as connection:
            await connection.execute(_PARK, {**self._key(claimed), "wait_s": wait_s})

    async def _close(self, claimed: ClaimedSend) -> None:
        async with self._engine.database.tenant(claimed.tenant_id) as connection:
            await connection.execute(_CLOSE, self._key(claimed))

    def _key(self, claimed: ClaimedSend) -> dict[str, Any]:
        return {
            "tenant_id": claimed.tenant_id,
            "send_id": claimed.send_id,
            "epoch": claimed.epoch,
            "owner": self._engine.owner,
        }
