"""The limiter's contract, the same over TCP and over REST."""

import asyncio
import time
from typing import Any

import pytest

from app.core.limits.limiter import SharedLimiter
from app.core.limits.transports import RedisTransport
from app.core.limits.types import NEVER, Check, Policy
from app.core.observability import metrics
from tests.core.limits.conftest import LimiterFactory

pytestmark = pytest.mark.anyio

SLOW = Policy("slow", limit=6, per_s=60, burst=3)
WIDE = Policy("wide", limit=600, per_s=60, burst=100)


async def test_a_burst_is_admitted_then_refused_with_the_time_to_wait(
    limiter: SharedLimiter, subject: str
) -> None:
    verdicts = [await limiter.decide([Check(SLOW, subject)]) for _ in range(4)]

    assert [v.allowed for v in verdicts] == [True, True, True, False]
    assert [v.remaining for v in verdicts] == [2, 1, 0, 0]
    refusal = verdicts[-1]
    assert refusal.policy == "slow"
    assert 9 < refusal.retry_after_s <= 10
    assert 29 < refusal.reset_s <= 30
    assert refusal.headers() == {
        "RateLimit-Limit": "6",
        "RateLimit-Remaining": "0",
        "RateLimit-Reset": "30",
        "Retry-After": "10",
    }
    assert "Retry-After" not in verdicts[0].headers()


async def test_units_come_back_with_time(limiter: SharedLimiter, subject: str) -> None:
    quick = Policy("quick", limit=20, per_s=1, burst=1)
    assert (await limiter.decide([Check(quick, subject)])).allowed
    refusal = await limiter.decide([Check(quick, subject)])
    assert not refusal.allowed

    deadline = time.monotonic() + 30
    while not (await limiter.decide([Check(quick, subject)])).allowed:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)


async def test_all_policies_or_none(limiter: SharedLimiter, subject: str) -> None:
    await limiter.decide([Check(SLOW, subject, cost=3)])
    before = await limiter.decide([Check(WIDE, subject, cost=0)])

    verdict = await limiter.decide([Check(WIDE, subject, cost=50), Check(SLOW, subject)])

    assert (verdict.allowed, verdict.policy) == (False, "slow")
    after = await limiter.decide([Check(WIDE, subject, cost=0)])
    assert after.remaining == before.remaining == 100


@pytest.mark.parametrize("turned", [False, True])
async def test_a_refusal_by_two_policies_tells_the_longer_wait(
    limiter: SharedLimiter, subject: str, turned: bool
) -> None:
    slower = Policy("slower", limit=3, per_s=60, burst=3)
    both = [Check(SLOW, subject, cost=3), Check(slower, subject, cost=3)]
    await limiter.decide(both)

    ones = [Check(SLOW, subject), Check(slower, subject)]
    verdict = await limiter.decide(ones[::-1] if turned else ones)

    assert verdict.policy == "slower"
    assert 19 < verdict.retry_after_s <= 20


async def test_an_allowed_decision_tells_of_the_fullest_bucket(
    limiter: SharedLimiter, subject: str
) -> None:
    verdict = await limiter.decide([Check(WIDE, subject), Check(SLOW, subject)])
    assert (verdict.allowed, verdict.policy, verdict.remaining) == (True, "slow", 2)


async def test_a_refusal_takes_nothing(new_limiter: LimiterFactory, subject: str) -> None:
    await new_limiter().decide([Check(SLOW, subject, cost=2)])
    refusals = [await new_limiter().decide([Check(SLOW, subject, cost=2)]) for _ in range(5)]
    assert not any(v.allowed for v in refusals)
    assert (await new_limiter().decide([Check(SLOW, subject)])).allowed


async def test_cost_zero_looks_and_takes_nothing(
    limiter: SharedLimiter, subject: str, raw_redis: Any
) -> None:
    verdict = await limiter.decide([Check(SLOW, subject, cost=0)])
    assert (verdict.allowed, verdict.remaining, verdict.reset_s) == (True, 3, 0)
    assert await raw_redis.keys(f"rl:*{subject}*") == []


async def test_a_negative_cost_gives_back_up_to_a_whole_bucket(
    limiter: SharedLimiter, subject: str, raw_redis: Any
) -> None:
    await limiter.decide([Check(SLOW, subject, cost=3)])
    assert not (await limiter.decide([Check(SLOW, subject)])).allowed

    given = await limiter.decide([Check(SLOW, subject, cost=-2)])
    assert (given.allowed, given.remaining) == (True, 2)
    assert (await limiter.decide([Check(SLOW, subject)])).allowed

    given = await limiter.decide([Check(SLOW, subject, cost=-50)])
    assert (given.allowed, given.remaining) == (True, 3)
    assert await raw_redis.keys(f"rl:*{subject}*") == []


async def test_a_cost_above_the_burst_is_never_admitted(
    limiter: SharedLimiter, subject: str
) -> None:
    verdict = await limiter.decide([Check(SLOW, subject, cost=4)])
    assert not verdict.allowed
    assert verdict.never
    assert verdict.retry_after_s == NEVER
    assert "Retry-After" not in verdict.headers()
    assert (await limiter.decide([Check(SLOW, subject, cost=3)])).allowed


async def test_many_decisions_are_answered_in_order_in_one_round_trip(
    limiter: SharedLimiter, subject: str
) -> None:
    decisions = [[Check(SLOW, f"{subject}-{i % 2}")] for i in range(10)]
    verdicts = await limiter.decide_many(decisions)
    assert [v.allowed for v in verdicts] == [True] * 6 + [False] * 4
    assert await limiter.decide_many([]) == []


async def test_decisions_of_several_policies_share_a_call(
    limiter: SharedLimiter, subject: str
) -> None:
    one = [Check(WIDE, subject, cost=10)]
    both = [Check(WIDE, subject), Check(SLOW, subject, cost=2)]
    verdicts = await limiter.decide_many([one, both, both, one])
    assert [(v.allowed, v.policy, v.remaining) for v in verdicts] == [
        (True, "wide", 90),
        (True, "slow", 1),
        (False, "slow", 1),
        (True, "wide", 79),
    ]


async def test_a_store_that_lost_the_script_gets_it_again(
    limiter: SharedLimiter, subject: str, raw_redis: Any
) -> None:
    calm = Policy("calm", limit=1, per_s=60, burst=100)  # no unit comes back meanwhile
    fallbacks = _fallbacks()
    await limiter.decide([Check(calm, subject)])
    await raw_redis.script_flush()
    assert (await limiter.decide([Check(calm, subject)])).remaining == 98
    await raw_redis.script_flush()
    verdicts = await limiter.decide_many([[Check(calm, subject)]] * 3)
    assert [v.remaining for v in verdicts] == [97, 96, 95]
    assert _fallbacks() == fallbacks


async def test_keys_expire_when_the_bucket_is_whole(
    limiter: SharedLimiter, subject: str, raw_redis: Any
) -> None:
    verdict = await limiter.decide([Check(SLOW, subject)])
    key = f"rl:{{{subject}}}:slow"
    assert 9_000 < await raw_redis.pttl(key) <= 10_000
    assert 9 < verdict.reset_s <= 10
    # 16 digits: microseconds survive, which tostring() would round away.
    assert len(await raw_redis.get(key)) == 16


async def test_a_stored_time_far_ahead_does_not_lock_the_bucket(
    limiter: SharedLimiter, subject: str, raw_redis: Any
) -> None:
    await raw_redis.set(f"rl:{{{subject}}}:slow", int((time.time() + 86_400) * 1e6))
    verdict = await limiter.decide([Check(SLOW, subject)])
    assert not verdict.allowed
    assert verdict.retry_after_s <= 10


async def test_a_crowd_waits_its_turn_for_a_connection(
    redis_server_url: str, subject: str, patient_calls: None
) -> None:
    limiter = SharedLimiter(RedisTransport(redis_server_url))
    fallbacks = _fallbacks()
    checks = [[Check(WIDE, f"{subject}-{i}")] for i in range(120)]
    verdicts = await asyncio.gather(*(limiter.decide(c) for c in checks))
    assert all(v.allowed for v in verdicts)
    assert _fallbacks() == fallbacks
    await limiter.close()


async def test_two_limiters_share_one_bucket(new_limiter: LimiterFactory, subject: str) -> None:
    one, other = new_limiter(), new_limiter()
    admitted = [
        (await limiter.decide([Check(SLOW, subject)])).allowed for limiter in (one, other) * 3
    ]
    assert sum(admitted) == 3


def _fallbacks() -> float:
    value = metrics.REGISTRY.get_sample_value(
        "parley_limiter_fallbacks_total", {"fallback": "local"}
    )
    return value or 0.0
