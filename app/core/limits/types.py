"""What a rate limit decision is made of: policies, checks, verdicts, and the limiter's contract."""

import enum
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from app.core.errors import UnavailableError

NEVER = -1.0
"""``Verdict.retry_after_s`` when waiting cannot help: the cost is above the burst."""

_US_PER_S = 1_000_000
# No dot, colon, plus or at-sign and not digits alone: an IP, a phone number or a WhatsApp
# address cannot become part of a key by mistake.
_SUBJECT = re.compile(r"(?!\d+\Z)[A-Za-z0-9_-]{1,80}")


class LimitStoreError(UnavailableError):
    """The shared limit store gave no usable answer (network, time-out, protocol)."""

    code = "limit_store"


class LimitStoreTimeoutError(LimitStoreError):
    """The call budget was spent before an answer came; the decision may have been counted."""

    code = "limit_store_timeout"


class LimitStoreAuthError(LimitStoreError):
    """The store refused our credentials."""

    code = "limit_store_auth"


class LimitStoreQuotaError(LimitStoreError):
    """The store's own plan is used up (requests, request size, capacity)."""

    code = "limit_store_quota"


class ScriptMissingError(LimitStoreError):
    """NOSCRIPT: the store does not know the script's hash (restarted or flushed)."""

    code = "limit_store_noscript"


class Fallback(enum.Enum):
    """What decides while the shared store is away; chosen by each call site."""

    LOCAL = "local"
    """In-process buckets at 1.25 × the limit over all instances: nobody is turned away."""
    CLOSED_QUARTER = "closed_quarter"
    """In-process buckets at a quarter of the limit: sign-in, one-time codes, top-ups, keys."""


@dataclass(frozen=True)
class Policy:
    """A named limit: on average ``limit`` units every ``per_s`` seconds, ``burst`` at once.

    In any window of W seconds at most ``burst + W × limit / per_s`` units are admitted.
    """

    name: str
    limit: int
    per_s: float
    burst: int

    def __post_init__(self) -> None:
        if self.limit < 1 or self.burst < 1 or self.per_s <= 0:
            raise ValueError(f"policy {self.name}: limit, per_s and burst must be positive")

    @cached_property
    def unit_us(self) -> int:
        """Microseconds until one unit comes back; rounded up, so never above the limit."""
        return max(1, math.ceil(self.per_s * _US_PER_S / self.limit))


@dataclass(frozen=True, slots=True)
class Check:
    """One policy applied to one subject.

    Attributes:
        key: who is limited: a tenant or channel id, or ``hash_subject(…)``; never an address.
        cost: units; 0 only looks, a negative cost gives units back.
    """

    policy: Policy
    key: str
    cost: int = 1

    def __post_init__(self) -> None:
        if not _SUBJECT.fullmatch(self.key):
            raise ValueError("a limit's subject is an id or a hash, never an address")

    @property
    def bucket(self) -> str:
        """The Redis key; the braces keep one subject's buckets in one cluster slot."""
        return f"rl:{{{self.key}}}:{self.policy.name}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer to one decision; tells of the refusing policy, else of the fullest bucket.

    Attributes:
        policy: name of the policy the figures belong to.
        retry_after_s: 0 when allowed, ``NEVER`` when the cost exceeds the burst.
        remaining: units that could be taken at once now.
        reset_s: seconds until the bucket is whole again.
        limit: the policy's units per period.
    """

    allowed: bool
    policy: str
    retry_after_s: float
    remaining: int
    reset_s: float
    limit: int

    @property
    def never(self) -> bool:
        """True when no waiting helps."""
        return self.retry_after_s == NEVER

    def headers(self) -> dict[str, str]:
        """Return ``RateLimit-*`` and, on a refusal that passes, ``Retry-After`` (whole seconds)."""
        headers = {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(math.ceil(self.reset_s)),
        }
        if not self.allowed and not self.never:
            headers["Retry-After"] = str(max(1, math.ceil(self.retry_after_s)))
        return headers


class Limiter(Protocol):
    """Decides within 250 ms, always: a store that is away is replaced, never waited for."""

    async def decide(
        self, checks: Sequence[Check], *, fallback: Fallback = Fallback.LOCAL
    ) -> Verdict:
        """Admit the checks together or none of them; a refusal takes nothing."""
        ...

    async def decide_many(
        self, decisions: Sequence[Sequence[Check]], *, fallback: Fallback = Fallback.LOCAL
    ) -> list[Verdict]:
        """Answer independent decisions in order, in one round trip to the store."""
        ...

    async def close(self) -> None:
        """Close the store's connections."""
        ...


def verify_decision(checks: Sequence[Check]) -> None:
    """Raise ValueError for an empty decision or one that names a bucket twice."""
    if not checks:
        raise ValueError("a decision needs at least one check")
    if len(checks) > 1 and len({(c.key, c.policy.name) for c in checks}) < len(checks):
        raise ValueError("a decision names the same bucket twice")
