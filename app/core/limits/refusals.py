"""Refusals remembered in this process, so that a flood costs the store one call, not thousands."""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from app.core.limits.types import Check, Verdict

_ENTRIES_MAX = 10_000
_KEEP_MAX_S = 60.0


@dataclass(frozen=True, slots=True)
class _Refusal:
    verdict: Verdict
    cost: int
    at_s: float
    until_s: float


class RefusalCache:
    """Buckets known to refuse a cost until a time: at most 10 000, each for at most 60 s."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._refusals: OrderedDict[str, _Refusal] = OrderedDict()

    def find(self, checks: Sequence[Check]) -> Verdict | None:
        """Return the refusal a decision would meet, its times counted down; None if unknown."""
        if not self._refusals:
            return None
        for check in checks:
            refusal = self._refusals.get(check.bucket)
            if refusal is None:
                continue
            now_s = self._clock()
            if check.cost < 0 or now_s >= refusal.until_s:
                del self._refusals[check.bucket]
            elif check.cost >= refusal.cost:
                return _aged(refusal, now_s)
        return None

    def remember(self, checks: Sequence[Check], verdict: Verdict) -> None:
        """Keep a refusal that will pass, when the verdict's policy tells its bucket."""
        refusing = [c for c in checks if c.policy.name == verdict.policy]
        if verdict.never or verdict.retry_after_s <= 0 or len(refusing) != 1:
            return
        check = refusing[0]
        if check.cost <= 0:
            return
        now_s = self._clock()
        keep_s = min(verdict.retry_after_s, _KEEP_MAX_S)
        self._refusals[check.bucket] = _Refusal(verdict, check.cost, now_s, now_s + keep_s)
        self._refusals.move_to_end(check.bucket)
        if len(self._refusals) > _ENTRIES_MAX:
            self._refusals.popitem(last=False)

    def __len__(self) -> int:
        return len(self._refusals)


def _aged(refusal: _Refusal, now_s: float) -> Verdict:
    age_s = now_s - refusal.at_s
    verdict = refusal.verdict
    return replace(
        verdict,
        retry_after_s=max(verdict.retry_after_s - age_s, 0.001),
        reset_s=max(verdict.reset_s - age_s, 0.0),
    )
