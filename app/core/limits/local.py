"""GCRA in this process's memory: what decides while the shared store is away."""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence

from app.core.limits.types import NEVER, Check, Fallback, Verdict

_HEADROOM = 1.25
_CLOSED_SHARE = 0.25
_BUCKETS_MAX = 50_000


def never(check: Check) -> Verdict:
    """Return the refusal of a cost that no waiting would admit."""
    policy = check.policy
    return Verdict(
        allowed=False,
        policy=policy.name,
        retry_after_s=NEVER,
        remaining=policy.burst,
        reset_s=0.0,
        limit=policy.limit,
    )


class LocalLimiter:
    """Buckets of one process, each with its share of the whole service's limit.

    All instances together stay at or below 1.25 × the limit (``Fallback.LOCAL``) or a quarter
    of it (``Fallback.CLOSED_QUARTER``). At least one unit fits in a bucket, else a low limit
    shared by many instances would shut everyone out.
    """

    def __init__(
        self, expected_instances: int = 1, clock: Callable[[], float] = time.monotonic
    ) -> None:
        if expected_instances < 1:
            raise ValueError("expected_instances must be at least 1")
        self._instances = expected_instances
        self._clock = clock
        self._tats: OrderedDict[tuple[str, Fallback], float] = OrderedDict()

    def decide(self, checks: Sequence[Check], fallback: Fallback) -> Verdict:
        """Admit the checks together or none of them."""
        now_s = self._clock()
        steps = [self._step(check, fallback, now_s) for check in checks]
        refusals = [step for step in steps if not step.verdict.allowed]
        if refusals:
            return max(refusals, key=_wait_s).verdict
        for step in steps:
            self._store(step, now_s)
        return min((step.verdict for step in steps), key=lambda v: v.remaining)

    def _step(self, check: Check, fallback: Fallback, now_s: float) -> "_Step":
        policy = check.policy
        bucket = (check.bucket, fallback)
        if check.cost > policy.burst:
            return _Step(bucket, now_s, never(check))
        factor = _HEADROOM if fallback is Fallback.LOCAL else _CLOSED_SHARE
        share = factor / self._instances
        unit_s = policy.per_s / policy.limit / share
        # A cost the whole service would admit must fit its share too, if only after a wait.
        burst = max(1, check.cost, int(policy.burst * share))
        tat_s = max(self._tats.get(bucket, now_s), now_s)
        new_s = max(tat_s + check.cost * unit_s, now_s)
        wait_s = new_s - now_s - burst * unit_s if check.cost > 0 else 0.0
        # Floats: the last unit of a bucket must not be refused for a rounding error.
        allowed = wait_s <= unit_s * 1e-9
        ahead_s = (new_s if allowed else tat_s) - now_s
        return _Step(
            bucket,
            new_s,
            Verdict(
                allowed=allowed,
                policy=policy.name,
                retry_after_s=0.0 if allowed else wait_s,
                remaining=max(0, int(burst - ahead_s / unit_s + 1e-9)),
                reset_s=ahead_s,
                limit=policy.limit,
            ),
        )

    def _store(self, step: "_Step", now_s: float) -> None:
        if step.tat_s <= now_s:
            self._tats.pop(step.bucket, None)
            return
        self._tats[step.bucket] = step.tat_s
        self._tats.move_to_end(step.bucket)
        if len(self._tats) > _BUCKETS_MAX:
            self._tats.popitem(last=False)


class _Step:
    __slots__ = ("bucket", "tat_s", "verdict")

    def __init__(self, bucket: tuple[str, Fallback], tat_s: float, verdict: Verdict) -> None:
        self.bucket = bucket
        self.tat_s = tat_s
        self.verdict = verdict


def _wait_s(step: _Step) -> float:
    return float("inf") if step.verdict.never else step.verdict.retry_after_s
