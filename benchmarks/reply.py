"""`parley bench reply`: what a reply costs one worker process, and how many run at once."""

import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from benchmarks.figures import Column, Report, median, process_cpu_s
from benchmarks.pipeline import Pipeline, pipeline
from benchmarks.servers import servers
from benchmarks.webhooks import WebhookMaker

_TIMEOUT_S = 120.0
_DONE = "select count(*) >= $1 from turns where state = 'done'"
_OTHERWISE = "select count(*) from turns where state in ('failed', 'cancelled', 'superseded')"
_LAST = "select extract(epoch from max(finished_at))::float8 from turns"


@dataclass(frozen=True, slots=True)
class Scale:
    """How many customers write at once, to how many businesses, and how slow the model is."""

    replies: int = 600
    businesses: int = 8
    delay_ms: int = 2_000


@dataclass(frozen=True, slots=True)
class _Run:
    cpu_ms: float
    in_flight_max: int
    replies_per_s: float


def run(runs: int) -> Report:
    """Measure on a machine of its own."""
    with servers() as machine, pipeline(machine) as bench:
        return measure(bench, runs, Scale())


def measure(bench: Pipeline, runs: int, scale: Scale) -> Report:
    """Answer a burst of customers, ``runs`` times.

    Raises:
        TimeoutError: replies are missing after two minutes.
        RuntimeError: a turn ended in another way than with a reply.
    """
    numbers = bench.open(scale.businesses)
    # The first replies import libraries, open connections and fill caches.
    _measure(bench, WebhookMaker(numbers, "f0"), min(32, scale.replies), scale.delay_ms)
    found = []
    for index in range(runs):
        maker = WebhookMaker(numbers, f"{index:x}", first_phone=(index + 1) * 100_000)
        found.append(_measure(bench, maker, scale.replies, scale.delay_ms))
    columns = [
        Column("worker's CPU per reply, ms", [r.cpu_ms for r in found], "≤ 15"),
        Column("model calls in flight, most", [r.in_flight_max for r in found], "≥ 300"),
        Column("replies/s", [r.replies_per_s for r in found], "≥ 40"),
    ]
    figures = {
        "cpu_ms_per_reply": median(r.cpu_ms for r in found),
        "in_flight_max": int(median(r.in_flight_max for r in found)),
        "replies_per_s": median(r.replies_per_s for r in found),
    }
    notes = [
        (
            f"{scale.replies} customers of {scale.businesses} businesses write at once;"
            f" the model takes {scale.delay_ms / 1000:g} s"
        ),
        "CPU includes reading the message, its echo and its acks",
    ]
    return Report("reply", figures, columns, notes)


def _measure(bench: Pipeline, maker: WebhookMaker, replies: int, delay_ms: int) -> _Run:
    return bench.run(lambda: _burst(bench, maker, replies, delay_ms))


async def _burst(bench: Pipeline, maker: WebhookMaker, replies: int, delay_ms: int) -> _Run:
    await bench.set_model(delay_ms)
    await bench.forget_calls()
    before = int(await bench.value("select count(*) from turns where state = 'done'"))
    pid = bench.worker.pid
    assert pid is not None
    with bench.worker_held():
        await bench.post_all(list(maker.take(replies)))
        cpu_s, began_s = process_cpu_s(pid), time.time()
    await bench.until(_DONE, before + replies, timeout_s=_TIMEOUT_S)
    ended_s = float(await bench.value(_LAST))
    await bench.settle()
    cpu_s = process_cpu_s(pid) - cpu_s
    if otherwise := await bench.value(_OTHERWISE):
        raise RuntimeError(f"{otherwise} turns ended without a reply")
    calls = await bench.model_calls()
    return _Run(
        cpu_ms=cpu_s * 1000 / replies,
        in_flight_max=most_at_once([int(c["at_ms"]) for c in calls], delay_ms),
        replies_per_s=replies / (ended_s - began_s),
    )


def most_at_once(arrivals_ms: Iterable[int], duration_ms: int) -> int:
    """How many calls ran at once, at most, when each took ``duration_ms`` (they take no less)."""
    running: deque[int] = deque()
    most = 0
    for at_ms in sorted(arrivals_ms):
        while running and running[0] <= at_ms - duration_ms:
            running.popleft()
        running.append(at_ms)
        most = max(most, len(running))
    return most
