"""Stripe's events: stored before they are answered, processed by lease, each as often as it takes.

The id of an event is its key: delivered five times it is one row. The change that it brings
and the row's end are one commit, so an event that dies half-way is simply processed again. One
that was given up is taken up again when it is sent again from Stripe's dashboard.
"""

import logging
import random
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.config import Settings
from app.core.db.away import is_away
from app.core.db.engine import Database
from app.core.errors import ExpectedError
from app.core.observability.context import bind
from app.core.observability.sentry import capture
from billing.payments.applying import READERS, Effects

log = logging.getLogger(__name__)

QUEUE = "webhook"
ATTEMPTS_MAX = 20
LEASE_S = 60.0
KEEP_DAYS = 90
_PRUNE_BATCH = 1_000
_BATCH = 20
_PAUSE_MAX_S = 3600.0

_STORE = text(
    """
    insert into stripe_events (id, kind, object_ref, state, ended_at, request_id)
    values (:id, :kind, :object_ref, :state, case when :state = 'ignored' then now() end,
            :request_id)
    on conflict do nothing
    """
)
# A statement of its own: a conflict that updates would lock the row while it is processed.
_TAKE_UP = text(
    """
    update stripe_events set state = 'pending', attempts = 0, next_attempt_at = now(),
                             ended_at = null
    where id = :id and state = 'failed'
    """
)
_RETRY = text(
    """
    update stripe_events set
        state = 'pending', next_attempt_at = now(), ended_at = null,
        attempts = case when state = 'failed' then 0 else attempts end
    where id = :id and (state = 'failed'
        or (state = 'pending' and next_attempt_at > now() + make_interval(secs => :lease_s)))
    """
)
_PRUNE = text(
    """
    delete from stripe_events where id in (
        select id from stripe_events
        where ended_at < now() - make_interval(days => :days) and state in ('done', 'ignored')
        limit :rows_max)
    """
)
_CLAIM = text(
    """
    update stripe_events set attempts = attempts + 1,
                             next_attempt_at = now() + make_interval(secs => :lease_s)
    where id in (
        select id from stripe_events where state = 'pending' and next_attempt_at <= now()
        order by next_attempt_at, id limit :batch_max for update skip locked)
    returning id, kind, object_ref, attempts, request_id
    """
)
_END = text(
    """
    update stripe_events set state = :state, outcome = :outcome, ended_at = now()
    where id = :id and state = 'pending'
    """
)
_AGAIN = text(
    """
    update stripe_events set next_attempt_at = now() + make_interval(secs => :pause_s),
                             outcome = :outcome
    where id = :id and state = 'pending' and attempts = :attempts
    """
)


async def store(
    database: Database, *, event_id: str, kind: str, object_ref: str, request_id: str
) -> str:
    """Store an event; returns accepted, ignored (a kind that means nothing here) or duplicate."""
    known = kind in READERS and bool(object_ref)
    async with database.system() as connection:
        result = await connection.execute(
            _STORE,
            {
                "id": event_id,
                "kind": kind,
                "object_ref": object_ref,
                "state": "pending" if known else "ignored",
                "request_id": request_id,
            },
        )
        if not result.rowcount:
            result = await connection.execute(_TAKE_UP, {"id": event_id})
    if not result.rowcount:
        return "duplicate"
    return "accepted" if known else "ignored"


async def retry(connection: AsyncConnection, event_id: str) -> bool:
    """Take an event up again that was given up, or that waits for its next try (system scope).

    False when there is none, or it is being processed. Its effects have keys: nothing is done
    twice.
    """
    done = await connection.execute(_RETRY, {"id": event_id, "lease_s": LEASE_S})
    return bool(done.rowcount)


async def prune(connection: AsyncConnection) -> int:
    """Delete events that ended long ago; those that were given up stay until somebody looks.

    Stripe sends an event again for three days at most: a key this old guards nothing.
    """
    values = {"days": KEEP_DAYS, "rows_max": _PRUNE_BATCH}
    return int((await connection.execute(_PRUNE, values)).rowcount)


class EventProcessor:
    """Processes stored events. Use from one event loop."""

    def __init__(self, database: Database, settings: Settings, effects: Effects) -> None:
        self._database = database
        self._effects = effects
        self._base_s = settings.timings.retry_base_s

    async def process_batch(self) -> bool:
        """Process one batch, one after the other; True when more may wait."""
        async with self._database.system() as connection:
            values = {"lease_s": LEASE_S, "batch_max": _BATCH}
            rows = (await connection.execute(_CLAIM, values)).all()
        for row in rows:
            with bind(request_id=row.request_id):
                await self._process(row)
        return len(rows) == _BATCH

    async def _process(self, row: Any) -> None:
        try:
            change = await self._effects.read(row.kind, row.object_ref)
            async with self._database.system() as connection:
                outcome = await change(connection) if change else "ignored"
                values = {"id": row.id, "state": "done", "outcome": outcome}
                await connection.execute(_END, values)
        except Exception as error:
            if is_away(error):
                raise
            await self._not_done(row, error)
        else:
            log.info("stripe event processed", extra={"event": "processed", "kind": row.kind})

    async def _not_done(self, row: Any, error: Exception) -> None:
        name = type(error).__name__
        final = row.attempts >= ATTEMPTS_MAX
        log.warning(
            "stripe event not processed",
            extra={"event": "failed", "kind": row.kind, "attempt": row.attempts, "errorType": name},
        )
        # An expected error is reported when it is final, another one when it is new.
        if final or (row.attempts == 1 and not isinstance(error, ExpectedError)):
            capture(error, request_id=row.request_id, final=final)
        async with self._database.system() as connection:
            if final:
                values = {"id": row.id, "state": "failed", "outcome": name}
                await connection.execute(_END, values)
                return
            bound_s = min(_PAUSE_MAX_S, self._base_s * 2**row.attempts)
            pause_s = random.uniform(0, bound_s)  # noqa: S311 - spreads retries
            values = {"id": row.id, "attempts": row.attempts, "outcome": name}
            await connection.execute(_AGAIN, {**values, "pause_s": pause_s})
