"""The limiter: the shared store when it answers, this process's own buckets when it does not."""

import logging
from collections.abc import Sequence

from app.core.config import Settings
from app.core.limits import local
from app.core.limits.breaker import CircuitBreaker
from app.core.limits.refusals import RefusalCache
from app.core.limits.script import arguments, verdicts
from app.core.limits.transports import RedisTransport, Transport, UpstashTransport
from app.core.limits.types import (
    Check,
    Fallback,
    Limiter,
    LimitStoreError,
    Verdict,
    verify_decision,
)
from app.core.observability import metrics

_log = logging.getLogger(__name__)

# While the script runs Redis does nothing else: 250 decisions are about two milliseconds.
_DECISIONS_MAX = 250


class SharedLimiter:
    """Decisions by one script in Redis, shared by all processes.

    Before the store is asked: a cost above its burst is refused at once, and a refusal known
    to last is repeated from memory. While the store is away ``Fallback`` decides locally.
    """

    def __init__(self, transport: Transport | None, *, expected_instances: int = 1) -> None:
        self._transport = transport
        self._local = local.LocalLimiter(expected_instances)
        self._refusals = RefusalCache()
        self._breaker = CircuitBreaker(_tell_transition)

    async def decide(
        self, checks: Sequence[Check], *, fallback: Fallback = Fallback.LOCAL
    ) -> Verdict:
        """See ``Limiter.decide``."""
        return (await self.decide_many((checks,), fallback=fallback))[0]

    async def decide_many(
        self, decisions: Sequence[Sequence[Check]], *, fallback: Fallback = Fallback.LOCAL
    ) -> list[Verdict]:
        """See ``Limiter.decide_many``; above 250 decisions one round trip for each 250."""
        found: list[Verdict | None] = [self._known(checks) for checks in decisions]
        open_ = [i for i, known in enumerate(found) if known is None]
        for start in range(0, len(open_), _DECISIONS_MAX):
            chunk = open_[start : start + _DECISIONS_MAX]
            answers = await self._ask([decisions[i] for i in chunk], fallback)
            for i, answer in zip(chunk, answers, strict=True):
                found[i] = answer
        return [v for v in found if v is not None]

    def _known(self, checks: Sequence[Check]) -> Verdict | None:
        verify_decision(checks)
        for check in checks:
            if check.cost > check.policy.burst:
                return local.never(check)
        return self._refusals.find(checks)

    async def _ask(self, decisions: Sequence[Sequence[Check]], fallback: Fallback) -> list[Verdict]:
        if self._transport is None or not self._breaker.allows():
            return self._decide_locally(decisions, fallback)
        try:
            answers = verdicts(decisions, await self._transport.run(arguments(decisions)))
        except LimitStoreError as error:
            metrics.LIMITER_STORE_ERRORS.labels(error.code).inc()
            self._breaker.failed()
            return self._decide_locally(decisions, fallback)
        self._breaker.succeeded()
        for checks, answer in zip(decisions, answers, strict=True):
            if not answer.allowed:
                self._refusals.remember(checks, answer)
        return answers

    def _decide_locally(
        self, decisions: Sequence[Sequence[Check]], fallback: Fallback
    ) -> list[Verdict]:
        metrics.LIMITER_FALLBACKS.labels(fallback.value).inc(len(decisions))
        return [self._local.decide(checks, fallback) for checks in decisions]

    async def close(self) -> None:
        """Close the store's connections."""
        if self._transport is not None:
            await self._transport.close()


def build_limiter(settings: Settings) -> Limiter:
    """Return the limiter the settings ask for: Upstash REST when configured, else Redis.

    With neither configured it decides in memory alone: right for one process only.
    """
    transport: Transport | None = None
    if settings.upstash_redis_rest_url:
        transport = UpstashTransport(
            settings.upstash_redis_rest_url, settings.upstash_redis_rest_token
        )
    elif settings.redis_url:
        transport = RedisTransport(settings.redis_url)
    return SharedLimiter(transport, expected_instances=settings.expected_instances)


def _tell_transition(opened: bool) -> None:  # noqa: FBT001 - the breaker's callback
    metrics.LIMITER_CIRCUIT_OPEN.set(1 if opened else 0)
    if opened:
        _log.warning("limit store away, deciding locally", extra={"action": "rate_limit"})
    else:
        _log.info("limit store back", extra={"action": "rate_limit"})
