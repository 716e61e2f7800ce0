"""Sending what waits in the outbox: claimed by lease, tried again with growing pauses.

The attempt is committed before the call, and the call carries the mail's id as idempotency
key: a process that dies in between leaves a row that is sent again after the lease, and Resend
knows it. A writer that lost its lease matches nothing (its attempt number is old).
"""

import asyncio
import logging
import random
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.config import Settings
from app.core.crypto import DecryptionError
from app.core.db.engine import Database
from app.core.errors import ParleyError, ProviderError
from app.core.mail.blocks import ACCOUNT_BLOCK_DAYS, BLOCK_DAYS, BOUNCED, MailBlocks
from app.core.mail.outbox import Outbox
from app.core.mail.resend import ResendClient
from app.core.observability.context import bind
from app.core.observability.sentry import capture

log = logging.getLogger(__name__)

ATTEMPTS_MAX = 8
LEASE_S = 60.0
BATCH_MAX = 20
CONCURRENT_MAX = 5
_GROWTH = 3
_FIRST_PAUSES = 10  # of ``retry_base_s``: 20 s in production, six hours over eight attempts

_CLAIM = text(
    """
    update mails m set attempts = attempts + 1,
                       next_attempt_at = now() + make_interval(secs => :lease_s)
    where m.id in (
        select id from mails where state = 'queued' and next_attempt_at <= now()
        order by next_attempt_at, id limit :batch_max for update skip locked)
    returning m.id, m.tenant_id, m.recipient, m.content, m.attempts, m.request_id
    """
)
_SENT = text(
    """
    update mails set state = 'sent', provider_id = :provider_id, recipient = null, content = null,
                     failure = null, ended_at = now()
    where id = :id and state = 'queued' and attempts = :attempts
    """
)
_FAILED = text(
    """
    update mails set state = 'failed', failure = :failure, recipient = null, content = null,
                     ended_at = now()
    where id = :id and state = 'queued' and attempts = :attempts
    """
)
_AGAIN = text(
    """
    update mails set failure = :failure, next_attempt_at = now() + make_interval(secs => :pause_s)
    where id = :id and state = 'queued' and attempts = :attempts
    """
)

# Not while an attempt may be under way.
_SOONER = text(
    """
    update mails set next_attempt_at = now()
    where id = :id and state = 'queued' and next_attempt_at > now() + make_interval(secs => :s)
    """
)


class _EndlessError(ParleyError):
    """A mail whose attempts end without an end: each took its process with it."""


@dataclass(frozen=True, slots=True)
class Drained:
    """What one drain did."""

    sent: int = 0
    again: int = 0
    failed: int = 0


class MailDelivery:
    """Sends queued mails of one process. Use from one event loop."""

    def __init__(self, database: Database, settings: Settings, client: ResendClient) -> None:
        self._database = database
        self._client = client
        self._outbox = Outbox(settings.keyring())
        self._blocks = MailBlocks(settings.secret_keys)
        self._base_s = settings.timings.retry_base_s
        self._room = asyncio.Semaphore(CONCURRENT_MAX)

    async def drain_once(self) -> tuple[Drained, bool]:
        """Send one batch; returns what became of it, and whether more may wait."""
        if not self._client.configured:
            return Drained(), False
        async with self._database.system() as connection:
            values = {"lease_s": LEASE_S, "batch_max": BATCH_MAX}
            rows = (await connection.execute(_CLAIM, values)).all()
        ends = await asyncio.gather(*(self._send(row) for row in rows))
        drained = Drained(ends.count("sent"), ends.count("again"), ends.count("failed"))
        return drained, len(rows) == BATCH_MAX

    async def drain_batch(self) -> bool:
        """Send one batch; True when more may wait."""
        return (await self.drain_once())[1]

    async def _send(self, row: Any) -> str:
        async with self._room:
            with bind(tenant_id=row.tenant_id, request_id=row.request_id):
                if row.attempts > ATTEMPTS_MAX:
                    return await self._give_up(row, _EndlessError(), "tried too often")
                try:
                    to, mail = self._outbox.open(row.id, row.recipient, row.content)
                    if reason := await self._blocked(to, row.tenant_id):
                        await self._store(_FAILED, row, failure=f"not sent: {reason} before")
                        log.info("mail held back", extra={"attempt": row.attempts})
                        return "failed"
                    provider_id = await self._client.send(row.id, to, mail)
                except ProviderError as error:
                    return await self._not_sent(row, error)
                except DecryptionError as error:
                    return await self._give_up(row, error, "sealed with a key that is gone")
                await self._store(_SENT, row, provider_id=provider_id)
                log.info("mail sent", extra={"attempt": row.attempts})
                return "sent"

    async def _blocked(self, to: str, tenant_id: UUID | None) -> str | None:
        """Return why an address is not written to; None when it is."""
        days = ACCOUNT_BLOCK_DAYS if tenant_id is None else BLOCK_DAYS
        async with self._database.system_statement() as connection:
            reason = (await self._blocks.find(connection, [to], days=days)).get(to)
        # Who complained about notices still gets what their account needs.
        return None if reason != BOUNCED and tenant_id is None else reason

    async def _not_sent(self, row: Any, error: ProviderError) -> str:
        if not error.retryable or row.attempts >= ATTEMPTS_MAX:
            return await self._give_up(row, error, str(error))
        pause_s = pause(row.attempts, self._base_s)
        if error.retry_after_s is not None:
            pause_s = max(pause_s, error.retry_after_s)
        await self._store(_AGAIN, row, failure=str(error), pause_s=pause_s)
        log.info("mail not sent yet", extra={"attempt": row.attempts, "status": error.status_code})
        return "again"

    async def _give_up(self, row: Any, error: Exception, failure: str) -> str:
        await self._store(_FAILED, row, failure=failure)
        log.warning("mail given up", extra={"attempt": row.attempts})
        capture(error, tenant_id=row.tenant_id, request_id=row.request_id, final=True)
        return "failed"

    async def _store(self, statement: Any, row: Any, **values: Any) -> None:
        async with self._database.system() as connection:
            await connection.execute(statement, {"id": row.id, "attempts": row.attempts, **values})


async def send_sooner(connection: AsyncConnection, mail_id: UUID) -> bool:
    """Have a waiting mail tried now instead of after its pause (system scope).

    False when there is none, or it is tried within a minute anyway. One that was given up has
    no content any more.
    """
    done = await connection.execute(_SOONER, {"id": mail_id, "s": LEASE_S})
    return bool(done.rowcount)


def pause(attempt: int, base_s: float) -> float:
    """Seconds until the next attempt: anything up to a bound that grows threefold."""
    return random.uniform(0, base_s * _FIRST_PAUSES * _GROWTH ** (attempt - 1))  # noqa: S311
