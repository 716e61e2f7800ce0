"""`parley bench fairness`: one business's wait, alone and beside one with 10 000 queued turns."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from app.core.db.engine import Database
from app.messaging.ingest.normalise import drain_once
from benchmarks.figures import Column, Report, median, percentile
from benchmarks.pipeline import Pipeline, pipeline
from benchmarks.servers import servers
from benchmarks.webhooks import Number, WebhookMaker

_TIMEOUT_S = 120.0
_AWAY = (
    "update turns set due_at = now() + interval '1 day'"
    " where tenant_id = $1 and state in ('waiting', 'due')"
)
_BACK = "update turns set due_at = now() where tenant_id = $1 and state in ('waiting', 'due')"
_QUEUED = "select count(*) from turns where tenant_id = $1 and state in ('waiting', 'due')"
_IDLE = (
    "select not exists (select 1 from turns where tenant_id = $1"
    " and state in ('claimed', 'held', 'generated', 'sending'))"
)
_WAITS = (
    "select extract(epoch from claimed_at - first_at)::float8 * 1000 from turns"
    " where tenant_id = $1 and claimed_at is not null and first_at > $2"
)
_CLAIMED = (
    "select count(*) >= $3 from turns"
    " where tenant_id = $1 and claimed_at is not null and first_at > $2"
)


@dataclass(frozen=True, slots=True)
class Scale:
    """The other tenant's backlog, and the trickle that is measured."""

    backlog: int = 10_000
    messages: int = 60
    per_s: float = 6.0
    max_inflight: int = 64
    delay_ms: int = 2_000


def run(runs: int) -> Report:
    """Measure on a machine of its own."""
    with servers() as machine, pipeline(machine) as bench:
        return measure(bench, runs, Scale())


def measure(bench: Pipeline, runs: int, scale: Scale) -> Report:
    """Measure the trickle's wait from due to claimed, alone and beside the backlog, in turns."""
    alone: list[list[float]] = []
    noisy: list[list[float]] = []
    bench.run(lambda: bench.set_model(scale.delay_ms))
    quiet, loud = bench.open(2, max_inflight=scale.max_inflight)
    trickle = WebhookMaker([quiet], "a")
    crowd = WebhookMaker([loud], "b", first_phone=10_000_000)
    bench.run(
        lambda: _wait_times(
            bench, quiet, trickle, Scale(messages=min(6, scale.messages), per_s=scale.per_s)
        )
    )
    for _ in range(runs):
        alone.append(bench.run(lambda: _wait_times(bench, quiet, trickle, scale)))
        noisy.append(bench.run(lambda: _beside(bench, (quiet, loud), (trickle, crowd), scale)))
    p95_alone = [percentile(times, 0.95) for times in alone]
    p95_noisy = [percentile(times, 0.95) for times in noisy]
    columns = [
        Column("p50 alone, ms", [percentile(times, 0.5) for times in alone]),
        Column("p50 beside the backlog, ms", [percentile(times, 0.5) for times in noisy]),
        Column("p95 alone, ms", p95_alone),
        Column("p95 beside the backlog, ms", p95_noisy, "≤ alone + 20 % + 250"),
    ]
    figures = {"p95_alone_ms": median(p95_alone), "p95_noisy_ms": median(p95_noisy)}
    notes = [
        (
            f"the other business has {scale.backlog:,} queued turns and up to"
            f" {scale.max_inflight} in work, without limits; the wait is from due to claimed"
        )
    ]
    return Report("fairness", figures, columns, notes)


async def _beside(
    bench: Pipeline,
    numbers: tuple[Number, Number],
    makers: tuple[WebhookMaker, WebhookMaker],
    scale: Scale,
) -> list[float]:
    """The wait while the other tenant's backlog is worked off; the rest is put away again."""
    (quiet, loud), (trickle, crowd) = numbers, makers
    tenant = UUID(loud.tenant_id)
    await _queue(bench, loud, crowd, scale.backlog)
    await bench.execute(_BACK, tenant)
    times = await _wait_times(bench, quiet, trickle, scale)
    await bench.execute(_AWAY, tenant)
    await bench.until(_IDLE, tenant, timeout_s=_TIMEOUT_S)
    await bench.settle()
    return times


async def _queue(bench: Pipeline, number: Number, maker: WebhookMaker, backlog: int) -> None:
    """Fill the other tenant's queue up to ``backlog``, through the door and the normaliser."""
    tenant = UUID(number.tenant_id)
    missing = backlog - int(await bench.value(_QUEUED, tenant))
    settings = bench.machine.settings
    database = Database.from_settings(settings, pool_size=2)
    with bench.worker_held():
        await bench.post_all(maker.take(missing))
        while (await drain_once(database, settings)).more:
            await bench.execute(_AWAY, tenant)
        await bench.execute(_AWAY, tenant)
    await database.close()


async def _wait_times(
    bench: Pipeline, number: Number, maker: WebhookMaker, scale: Scale
) -> list[float]:
    """Post a trickle; the milliseconds from due to claimed of each of its turns."""
    tenant = UUID(number.tenant_id)
    began = await bench.value("select clock_timestamp()")
    for signed in maker.take(scale.messages):
        await bench.post(signed)
        await asyncio.sleep(1 / scale.per_s)
    await bench.until(_CLAIMED, tenant, began, scale.messages, timeout_s=_TIMEOUT_S)
    rows: Sequence[tuple[float]] = await bench.rows(_WAITS, tenant, began)
    return [float(row[0]) for row in rows]
