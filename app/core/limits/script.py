"""The GCRA script as the store wants it: its text, its hash, its arguments and its answer."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from app.core.limits.types import NEVER, Check, LimitStoreError, Verdict

# Upstash otherwise takes a lock on the whole database while a script runs. Redis refuses the
# line ("Unexpected flag in script shebang" from 7.0, a syntax error before).
_UPSTASH_SHEBANG = "#!lua flags=allow-key-locking\n"
_HEAD_FIELDS = 3


@dataclass(frozen=True, slots=True)
class Script:
    """A Lua script and the SHA-1 (40 hex digits) by which EVALSHA names it."""

    text: str
    sha: str


@cache
def gcra_script(*, upstash: bool = False) -> Script:
    """Return the script, for Upstash with the line that lets it lock only its own keys."""
    text = files("app.core.limits").joinpath("gcra.lua").read_text(encoding="utf-8")
    if upstash:
        text = _UPSTASH_SHEBANG + text
    return Script(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


def arguments(checks: Sequence[Check]) -> list[str | int]:
    """Return what follows the script in EVALSHA: number of keys, keys, n, cost T B for each."""
    tail: list[str | int] = [len(checks)]
    for check in checks:
        tail += (check.cost, check.policy.unit_us, check.policy.burst)
    return [len(checks), *(check.bucket for check in checks), *tail]


def verdict(checks: Sequence[Check], reply: object) -> Verdict:
    """Read the script's answer; raise LimitStoreError when it has another shape."""
    if not isinstance(reply, list) or len(reply) != _HEAD_FIELDS + 2 * len(checks):
        raise LimitStoreError("the limit store's answer has an unknown shape")
    try:
        numbers = [int(field) for field in reply]
    except (TypeError, ValueError):
        raise LimitStoreError("the limit store's answer is not made of integers") from None
    allowed, violated, retry_ms = numbers[:_HEAD_FIELDS]
    remaining, reset_ms = numbers[3::2], numbers[4::2]
    if not 0 <= violated <= len(checks):
        raise LimitStoreError("the limit store's answer names an unknown policy")
    index = violated - 1 if violated else remaining.index(min(remaining))
    policy = checks[index].policy
    return Verdict(
        allowed=bool(allowed),
        policy=policy.name,
        retry_after_s=NEVER if retry_ms < 0 else retry_ms / 1000,
        remaining=remaining[index],
        reset_s=reset_ms[index] / 1000,
        limit=policy.limit,
    )
