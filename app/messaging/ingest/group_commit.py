"""Group commit: concurrent webhook requests share one limiter call, one statement, one commit.

A request is answered 200 only after its row is durable. While one batch is being committed
the next one gathers, so the batch grows with the load and the commit's cost is shared.

| fails between | what is there | what follows |
|---|---|---|
| request and commit | nothing | the caller gets 503, WAHA sends again |
| commit and answer | the rows | WAHA sends again, the key conflicts, 200 duplicate |
| answer and bell | the rows, pending | the sweep finds them within 5 s |
| a statement of the batch | nothing of the batch | each row alone: one bad row fails alone |
"""

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.core.config import Limits
from app.core.db.away import is_away
from app.core.db.engine import Database
from app.core.errors import UnavailableError
from app.core.faults import fault_point
from app.core.limits.policies import for_plan, hook
from app.core.limits.types import Check, Limiter, Verdict
from app.core.observability.metrics import INGEST_BATCH, INGEST_COMMIT
from app.core.ports import Doorbell

log = logging.getLogger(__name__)

BATCH_MAX = 256
WAITING_MAX = 4_096
_COMMIT_TIMEOUT_S = 5.0

_STORE = text(
    """
    with incoming as (
        select * from unnest(
            cast(:tenant_ids as uuid[]), cast(:channel_ids as uuid[]), cast(:keys as bytea[]),
            cast(:ids as uuid[]), cast(:events as text[]), cast(:bodies as bytea[]),
            cast(:request_ids as text[])
        ) as i(tenant_id, channel_id, key, id, event, body, request_id)
    ), fresh as (
        insert into inbox_keys (tenant_id, channel_id, key, event_day, inbox_id)
        select tenant_id, channel_id, key, current_date, id from incoming
        -- One order for all processes: two batches with the same keys cannot deadlock.
        order by tenant_id, channel_id, key, id
        on conflict do nothing
        returning inbox_id
    ), stored as (
        insert into inbox (tenant_id, id, received_day, channel_id, event, body, request_id)
        select i.tenant_id, i.id, current_date, i.channel_id, i.event, i.body, i.request_id
        from incoming i join fresh f on f.inbox_id = i.id
    )
    select inbox_id from fresh
    """
)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One verified event at the door. ``key`` is 16 bytes that name the event for ever."""

    tenant_id: UUID
    channel_id: UUID
    key: bytes
    inbox_id: UUID
    event: str
    body: bytes = field(repr=False)
    request_id: str
    hook_per_min: int | None = None
    hook_burst: int | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a delivery: refused by the limiter, or durable (new or known)."""

    fresh: bool
    refusal: Verdict | None = None


@dataclass(slots=True)
class _Waiting:
    delivery: Delivery
    receipt: "asyncio.Future[Receipt]"


class GroupCommit:
    """Collects deliveries of one process and commits them together.

    Args:
        limits: the door's default limit, where a channel has none of its own.
    """

    def __init__(
        self, database: Database, limiter: Limiter, doorbell: Doorbell, limits: Limits
    ) -> None:
        self._database = database
        self._limiter = limiter
        self._doorbell = doorbell
        self._hook = hook(limits)
        self._waiting: list[_Waiting] = []
        self._wake = asyncio.Event()
        self._closing = False
        self._task: asyncio.Task[None] | None = None

    async def submit(self, delivery: Delivery) -> Receipt:
        """Make a delivery durable, together with whatever else waits.

        Raises:
            UnavailableError: it is not durable: PostgreSQL is away or too much waits.
        """
        if self._closing:
            raise UnavailableError("the process is stopping", retry_after_s=1)
        if len(self._waiting) >= WAITING_MAX:
            raise UnavailableError("too many webhooks wait for the database", retry_after_s=1)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="ingest.group_commit")
        entry = _Waiting(delivery, asyncio.get_running_loop().create_future())
        self._waiting.append(entry)
        self._wake.set()
        return await entry.receipt

    async def close(self) -> None:
        """Commit what waits, then stop."""
        self._closing = True
        self._wake.set()
        if self._task is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._task, _COMMIT_TIMEOUT_S)

    async def _run(self) -> None:
        while self._waiting or not self._closing:
            if not self._waiting:
                self._wake.clear()
                await self._wake.wait()
                continue
            batch, self._waiting = self._waiting[:BATCH_MAX], self._waiting[BATCH_MAX:]
            try:
                await self._flush(batch)
            except BaseException as error:
                _fail(batch, error)
                if not isinstance(error, Exception):
                    raise

    async def _flush(self, batch: Sequence[_Waiting]) -> None:
        admitted = await self._admit([w for w in batch if not w.receipt.done()])
        if not admitted:
            return
        INGEST_BATCH.observe(len(admitted))
        began = time.perf_counter()
        try:
            fresh = await store(self._database, [w.delivery for w in admitted])
        except Exception as error:
            if is_away(error):
                raise UnavailableError("the database is away") from error
            if not isinstance(error, SQLAlchemyError):
                raise
            await self._store_one_by_one(admitted)
            return
        INGEST_COMMIT.observe(time.perf_counter() - began)
        fault_point("ingest.after_commit")
        for entry in admitted:
            _answer(entry, Receipt(fresh=entry.delivery.inbox_id in fresh))
        if fresh:
            fault_point("ingest.after_answer_before_bell")
            await self._doorbell.ring("ingest")

    async def _admit(self, batch: Sequence[_Waiting]) -> list[_Waiting]:
        """Ask the limiter once a channel; where the sum does not fit, ask for each request."""
        groups: dict[UUID, list[_Waiting]] = {}
        for entry in batch:
            groups.setdefault(entry.delivery.channel_id, []).append(entry)
        asked = list(groups.values())
        sums = await self._limiter.decide_many([[self._check(g[0], len(g))] for g in asked])
        admitted: list[_Waiting] = []
        doubtful: list[_Waiting] = []
        for group, verdict in zip(asked, sums, strict=True):
            (admitted if verdict.allowed else doubtful).extend(group)
        if doubtful:
            singles = await self._limiter.decide_many([[self._check(e, 1)] for e in doubtful])
            for entry, verdict in zip(doubtful, singles, strict=True):
                if verdict.allowed:
                    admitted.append(entry)
                else:
                    _answer(entry, Receipt(fresh=False, refusal=verdict))
        return admitted

    def _check(self, entry: _Waiting, cost: int) -> Check:
        delivery = entry.delivery
        policy = self._hook
        if delivery.hook_per_min:
            policy = for_plan(policy, limit=delivery.hook_per_min, burst=delivery.hook_burst)
        return Check(policy, str(delivery.channel_id), cost)

    async def _store_one_by_one(self, batch: Sequence[_Waiting]) -> None:
        outcomes: Counter[str] = Counter()
        for entry in batch:
            try:
                fresh = await store(self._database, [entry.delivery])
            except (SQLAlchemyError, OSError) as error:
                outcomes["failed"] += 1
                _refuse(entry, error)
            else:
                outcomes["stored"] += 1
                _answer(entry, Receipt(fresh=bool(fresh)))
        log.warning(
            "a webhook batch failed and was stored row by row",
            extra={"count": len(batch), "accepted": outcomes["stored"]},
        )
        if outcomes["stored"]:
            await self._doorbell.ring("ingest")


async def store(database: Database, deliveries: Sequence[Delivery]) -> set[UUID]:
    """Store events in one statement, its own transaction; return the inbox ids that are new."""
    fault_point("ingest.before_commit")
    async with asyncio.timeout(_COMMIT_TIMEOUT_S), database.system_statement() as connection:
        result = await connection.execute(
            _STORE,
            {
                "tenant_ids": [d.tenant_id for d in deliveries],
                "channel_ids": [d.channel_id for d in deliveries],
                "keys": [d.key for d in deliveries],
                "ids": [d.inbox_id for d in deliveries],
                "events": [d.event for d in deliveries],
                "bodies": [d.body for d in deliveries],
                "request_ids": [d.request_id for d in deliveries],
            },
        )
        return set(result.scalars())


def _answer(entry: _Waiting, receipt: Receipt) -> None:
    if not entry.receipt.done():
        entry.receipt.set_result(receipt)


def _refuse(entry: _Waiting, error: BaseException) -> None:
    if not entry.receipt.done():
        entry.receipt.set_exception(UnavailableError("the event could not be stored"))
        log.error("an event could not be stored", extra={"errorType": type(error).__name__})


def _fail(batch: Sequence[_Waiting], error: BaseException) -> None:
    known = error if isinstance(error, UnavailableError) else None
    for entry in batch:
        if not entry.receipt.done():
            entry.receipt.set_exception(
                known or UnavailableError("the event could not be made durable")
            )
    log.error(
        "a webhook batch was not committed",
        extra={"count": len(batch), "errorType": type(error).__name__},
    )
