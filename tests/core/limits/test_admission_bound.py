"""Never more than B + W/T units in any window W, whatever concurrent clients ask."""

import asyncio
import random
import time
import uuid
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.core.limits.limiter import SharedLimiter
from app.core.limits.local import LocalLimiter
from app.core.limits.types import Check, Fallback, Policy
from tests.core.limits.conftest import LimiterFactory

Admission = tuple[float, float, int]  # asked at, answered at, units


@pytest.mark.anyio
@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_the_bound_holds_with_concurrent_clients(
    new_limiter: LimiterFactory, seed: int
) -> None:
    rate_per_s, burst = 200, 20
    policy = Policy("bound", limit=rate_per_s, per_s=1, burst=burst)
    subject = f"t-{uuid.uuid4()}"
    limiters = [new_limiter() for _ in range(6)]
    # Connections first (a look costs nothing), or a busy machine spends the window on them.
    await asyncio.gather(*(one.decide([Check(policy, subject, 0)]) for one in limiters))
    end_s = time.monotonic() + 0.8
    admissions: list[Admission] = []

    def enough() -> bool:
        """A busy machine may need longer for the burst."""
        return time.monotonic() >= end_s and sum(units for _, _, units in admissions) >= burst

    clients = [
        _client(one, policy, subject, random.Random(seed * 100 + i), admissions, enough=enough)
        for i, one in enumerate(limiters)
    ]
    await asyncio.gather(*clients)

    assert sum(units for _, _, units in admissions) >= burst
    assert _worst_excess(admissions, rate_per_s, burst) <= 1e-6


async def _client(
    limiter: SharedLimiter,
    policy: Policy,
    subject: str,
    rng: random.Random,
    admissions: list[Admission],
    *,
    enough: Callable[[], bool],
) -> None:
    while not enough():
        asked, cost = time.monotonic(), rng.choice((1, 1, 1, 2, 5))
        verdict = await limiter.decide([Check(policy, subject, cost)])
        if verdict.allowed:
            admissions.append((asked, time.monotonic(), cost))
        await asyncio.sleep(rng.random() * 0.004)


def _worst_excess(admissions: list[Admission], rate_per_s: float, burst: int) -> float:
    """Return the most units above the bound in any window.

    The store admitted each between asking and answering, so what surely fell into a window
    [a, b] was asked after a and answered before b.
    """
    starts = sorted({asked for asked, _, _ in admissions})
    ends = sorted({answered for _, answered, _ in admissions})
    return max(
        sum(units for asked, answered, units in admissions if asked >= a and answered <= b)
        - burst
        - (b - a) * rate_per_s
        for a in starts[:: max(1, len(starts) // 60)]
        for b in ends[:: max(1, len(ends) // 60)]
        if b > a
    )


steps = st.lists(
    st.tuples(st.floats(0, 3, allow_nan=False), st.integers(1, 6)), min_size=1, max_size=80
)


@given(
    steps=steps,
    limit=st.integers(1, 50),
    per_s=st.floats(0.5, 30),
    burst=st.integers(1, 20),
    instances=st.integers(1, 4),
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_local_bound_is_an_instances_share(
    steps: list[tuple[float, int]], limit: int, per_s: float, burst: int, instances: int
) -> None:
    now = [0.0]
    limiter = LocalLimiter(instances, clock=lambda: now[0])
    policy = Policy("p", limit=limit, per_s=per_s, burst=burst)
    share = 1.25 / instances
    local_burst = max(1, int(burst * share), min(6, burst))
    admitted: list[tuple[float, int]] = []
    for wait_s, cost in steps:
        now[0] += wait_s
        verdict = limiter.decide([Check(policy, "t-1", cost)], Fallback.LOCAL)
        if verdict.allowed:
            admitted.append((now[0], cost))
        elif cost <= burst:
            assert verdict.retry_after_s > 0
    for i, (a, _) in enumerate(admitted):
        for j in range(i, len(admitted)):
            units = sum(c for _, c in admitted[i : j + 1])
            assert units <= local_burst + (admitted[j][0] - a) * share * limit / per_s + 1e-6
