"""Group commit: concurrent webhook requests share one limiter call, one statement, one commit.

A request is answered 200 only after its row is durable. While batches are being committed the
next one gathers, so batches grow with the load and the commit's cost is shared. A few batches
may be under way at once: else the process would idle through each commit.

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
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID

from app.core.config import Limits
from app.core.db.away import is_away
from app.core.db.engine import Database
from app.core.db.standing import StandingConnection, StatementRefusedError
from app.core.errors import UnavailableError
from app.core.faults import fault_point
from app.core.limits.policies import for_plan, hook
from app.core.limits.types import Check, Limiter, Policy, Verdict
from app.core.logging import Line, write_lines
from app.core.observability.metrics import INGEST_BATCH, INGEST_COMMIT
from app.core.ports import Doorbell
from app.messaging.ingest.storing import COMMIT_TIMEOUT_S, Delivery, store_on

log = logging.getLogger(__name__)

BATCH_MAX = 256
WAITING_MAX = 4_096
# Bodies have up to 1 MiB: their number alone bounds neither the memory nor a statement's time.
WAITING_BYTES_MAX = 128 << 20
BATCH_BYTES_MAX = 8 << 20
# A second batch sets out beside another only when it is worth a statement of its own; what is
# less waits for the one before, as it would if there was one lane.
LANES = 3
COMPANY_MIN = 24


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a delivery: refused by the limiter, or durable (new or known)."""

    fresh: bool
    refusal: Verdict | None = None


_FRESH, _KNOWN = Receipt(fresh=True), Receipt(fresh=False)


# Called once, from the loop's own turn, with what became of a delivery.
Settle = Callable[[Receipt | Exception], None]


@dataclass(slots=True)
class _Waiting:
    delivery: Delivery
    settle: Settle
    settled: bool = False


class GroupCommit:
    """Collects deliveries of one process and commits them together.

    Args:
        limits: the door's default limit, where a channel has none of its own.
    """

    def __init__(
        self, database: Database, limiter: Limiter, doorbell: Doorbell, limits: Limits
    ) -> None:
        self._limiter = limiter
        self._doorbell = doorbell
        self._hook = hook(limits)
        self._waiting: list[_Waiting] = []
        self._waiting_bytes = 0
        self._idle = [database.standing() for _ in range(LANES)]
        self._under_way: set[asyncio.Task[None]] = set()
        self._departing = False
        self._closing = False

    async def submit(self, delivery: Delivery) -> Receipt:
        """Make a delivery durable, together with whatever else waits.

        Raises:
            UnavailableError: it is not durable: PostgreSQL is away or too much waits.
        """
        receipt: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()

        def settle(found: Receipt | Exception) -> None:
            if receipt.done():  # whoever asked has gone; the row is durable all the same
                return
            if isinstance(found, Exception):
                receipt.set_exception(found)
            else:
                receipt.set_result(found)

        self.enqueue(delivery, settle)
        return await receipt

    def enqueue(self, delivery: Delivery, settle: Settle) -> None:
        """``submit`` for who cannot wait: ``settle`` is called once, later.

        Raises:
            UnavailableError: nothing more can wait; ``settle`` will not be called.
        """
        if self._closing:
            raise UnavailableError("the process is stopping", retry_after_s=1)
        size = self._waiting_bytes + len(delivery.body)
        if len(self._waiting) >= WAITING_MAX or size > WAITING_BYTES_MAX:
            raise UnavailableError("too many webhooks wait for the database", retry_after_s=1)
        self._waiting.append(_Waiting(delivery, settle))
        self._waiting_bytes = size
        if not self._departing:
            self._departing = True
            # Behind the requests that this turn of the loop has already read.
            asyncio.get_running_loop().call_soon(self._depart)

    async def close(self) -> None:
        """Commit what waits, then stop."""
        self._closing = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(COMMIT_TIMEOUT_S):
                # What is just departing is under way by the loop's next turn.
                while self._departing or self._under_way:
                    await (asyncio.wait(self._under_way) if self._under_way else asyncio.sleep(0))
        for connection in self._idle:
            await connection.close()

    def _depart(self) -> None:
        """Send batches off, as far as there are lanes and company."""
        self._departing = False
        while self._idle and self._waiting:
            if self._under_way and len(self._waiting) < COMPANY_MIN:
                return
            carried = self._carry(self._next_batch(), self._idle.pop())
            task = asyncio.create_task(carried, name="ingest.batch")
            self._under_way.add(task)
            task.add_done_callback(self._arrive)

    def _next_batch(self) -> list[_Waiting]:
        count = size = 0
        for entry in self._waiting[:BATCH_MAX]:
            more = size + len(entry.delivery.body)
            if count and more > BATCH_BYTES_MAX:
                break
            count, size = count + 1, more
        batch, self._waiting = self._waiting[:count], self._waiting[count:]
        self._waiting_bytes -= size
        return batch

    def _arrive(self, task: "asyncio.Task[None]") -> None:
        self._under_way.discard(task)
        self._depart()

    async def _carry(self, batch: Sequence[_Waiting], connection: StandingConnection) -> None:
        try:
            await self._flush(batch, connection)
        except BaseException as error:
            _fail(batch, error)
            if isinstance(error.__cause__ or error, TimeoutError):
                self._turn_away()
            if not isinstance(error, Exception):
                raise
        finally:
            self._idle.append(connection)

    def _turn_away(self) -> None:
        """Refuse what waits behind a database that does not answer: it would wait for as long."""
        waiting, self._waiting = self._waiting, []
        self._waiting_bytes = 0
        if waiting:
            _fail(waiting, UnavailableError("the database does not answer"))

    async def _flush(self, batch: Sequence[_Waiting], connection: StandingConnection) -> None:
        admitted = await self._admit(batch)
        if not admitted:
            return
        INGEST_BATCH.observe(len(admitted))
        began = time.perf_counter()
        try:
            fresh = await store_on(connection, [w.delivery for w in admitted])
        except StatementRefusedError:
            await self._store_one_by_one(admitted, connection)
            return
        except Exception as error:
            if is_away(error):
                raise UnavailableError("the database is away") from error
            raise
        INGEST_COMMIT.observe(time.perf_counter() - began)
        fault_point("ingest.after_commit")
        for n, entry in enumerate(admitted):
            _answer(entry, _FRESH if n in fresh else _KNOWN)
        _tell_stored(admitted, fresh)
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
        policy = _policy(self._hook, delivery.hook_per_min, delivery.hook_burst)
        return Check(policy, str(delivery.channel_id), cost)

    async def _store_one_by_one(
        self, batch: Sequence[_Waiting], connection: StandingConnection
    ) -> None:
        outcomes: Counter[str] = Counter()
        for entry in batch:
            try:
                fresh = await store_on(connection, [entry.delivery])
            except StatementRefusedError as error:
                outcomes["failed"] += 1
                _refuse(entry, error)
            else:
                outcomes["stored"] += 1
                _answer(entry, _FRESH if fresh else _KNOWN)
                _tell_stored([entry], fresh)
        log.warning(
            "a webhook batch failed and was stored row by row",
            extra={"count": len(batch), "accepted": outcomes["stored"]},
        )
        if outcomes["stored"]:
            await self._doorbell.ring("ingest")


@lru_cache(maxsize=1_024)
def _policy(default: Policy, per_min: int | None, burst: int | None) -> Policy:
    return for_plan(default, limit=per_min, burst=burst) if per_min else default


def _answer(entry: _Waiting, found: Receipt | Exception) -> None:
    if not entry.settled:
        entry.settled = True
        entry.settle(found)


def _tell_stored(batch: Sequence[_Waiting], fresh: set[int]) -> None:
    lines = [
        Line(
            entry.delivery.request_id,
            entry.delivery.tenant_id,
            (
                ("outcome", "accepted" if n in fresh else "duplicate"),
                ("channelId", entry.delivery.channel_id),
            ),
        )
        for n, entry in enumerate(batch)
    ]
    write_lines(log, "webhook stored", lines, extra={"webhook": "waha", "event": "received"})


def _refuse(entry: _Waiting, error: Exception) -> None:
    _answer(entry, UnavailableError("the event could not be stored"))
    kind = type(error.__cause__ or error).__name__
    log.error("an event could not be stored", extra={"errorType": kind})


def _fail(batch: Sequence[_Waiting], error: BaseException) -> None:
    known = error if isinstance(error, UnavailableError) else None
    for entry in batch:
        _answer(entry, known or UnavailableError("the event could not be made durable"))
    log.error(
        "a webhook batch was not committed",
        extra={"count": len(batch), "errorType": type(error).__name__},
    )
