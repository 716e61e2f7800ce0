"""`parley bench latency`: from the webhook's first byte to the call of the model, at a low rate."""

import asyncio
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.figures import Column, Report, median, percentile
from benchmarks.pipeline import Pipeline, pipeline
from benchmarks.servers import servers
from benchmarks.webhooks import WebhookMaker

_TIMEOUT_S = 60.0
_DELAY_MS = 50
_SEED = 7


@dataclass(frozen=True, slots=True)
class Scale:
    """How many messages a run, and how many a second on average."""

    messages: int = 40
    per_s: float = 4.0
    businesses: int = 4


def run(runs: int) -> Report:
    """Measure on a machine of its own."""
    with servers() as machine, pipeline(machine) as bench:
        return measure(bench, runs, Scale())


def measure(bench: Pipeline, runs: int, scale: Scale) -> Report:
    """Send messages at random moments, ``runs`` times."""
    numbers = bench.open(scale.businesses)
    _measure(
        bench,
        WebhookMaker(numbers, "f0"),
        "warm",
        Scale(messages=min(8, scale.messages), per_s=scale.per_s),
    )
    found = [
        _measure(
            bench,
            WebhookMaker(numbers, f"{index:x}", first_phone=(index + 1) * 100_000),
            f"bench-{index}",
            scale,
        )
        for index in range(runs)
    ]
    p50, p95 = ([percentile(times, share) for times in found] for share in (0.5, 0.95))
    columns = [
        Column("p50, ms", p50, "≤ 100"),
        Column("p95, ms", p95),
        Column("longest, ms", [max(times) for times in found]),
    ]
    notes = [
        f"{scale.messages} messages a run, {scale.per_s:g} a second; no debounce, no typing pause"
    ]
    return Report("latency", {"p50_ms": median(p50), "p95_ms": median(p95)}, columns, notes)


def _measure(bench: Pipeline, maker: WebhookMaker, label: str, scale: Scale) -> list[float]:
    return bench.run(lambda: _trickle(bench, maker, label, scale))


async def _trickle(bench: Pipeline, maker: WebhookMaker, label: str, scale: Scale) -> list[float]:
    await bench.set_model(_DELAY_MS)
    await bench.forget_calls()
    before = int(await bench.value("select count(*) from turns where state = 'done'"))
    pauses = random.Random(_SEED)
    posted_ms: dict[str, float] = {}
    for serial in range(scale.messages):
        text = f"{label}-{serial:04d}"
        signed = maker.one(text)
        posted_ms[text] = time.time() * 1000
        await bench.post(signed)
        await asyncio.sleep(pauses.expovariate(scale.per_s))
    await bench.until(
        "select count(*) >= $1 from turns where state = 'done'",
        before + scale.messages,
        timeout_s=_TIMEOUT_S,
    )
    called_ms = {asked(call): float(call["at_ms"]) for call in await bench.model_calls()}
    return [called_ms[text] - at_ms for text, at_ms in posted_ms.items()]


def asked(call: Mapping[str, Any]) -> str:
    """The customer's words in a recorded call of the model."""
    return str(call["body"]["messages"][-1]["content"])
