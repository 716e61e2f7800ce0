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


def arguments(decisions: Sequence[Sequence[Check]]) -> list[str | int]:
    """Return what follows the script in EVALSHA: number of keys, keys, and ``gcra.lua``'s ARGV."""
    keys: list[str | int] = []
    tail: list[str | int] = [len(decisions)]
    for checks in decisions:
        tail.append(len(checks))
        for check in checks:
            policy = check.policy
            keys.append(check.bucket)
            tail += (check.cost, policy.unit_us, policy.burst)
    return [len(keys), *keys, *tail]


def verdicts(decisions: Sequence[Sequence[Check]], reply: object) -> list[Verdict]:
    """Read the script's answer; raise LimitStoreError when it has another shape."""
    if not isinstance(reply, str | bytes):
        raise LimitStoreError("the limit store's answer is not a text")
    try:
        numbers = [int(field) for field in reply.split()]
    except ValueError:
        raise LimitStoreError("the limit store's answer is not made of integers") from None
    if len(numbers) != sum(_HEAD_FIELDS + 2 * len(checks) for checks in decisions):
        raise LimitStoreError("the limit store's answer has another length")
    found: list[Verdict] = []
    start = 0
    for checks in decisions:
        end = start + _HEAD_FIELDS + 2 * len(checks)
        found.append(_verdict(checks, numbers[start:end]))
        start = end
    return found


def _verdict(checks: Sequence[Check], numbers: Sequence[int]) -> Verdict:
    allowed, violated, retry_ms = numbers[:_HEAD_FIELDS]
    remaining, reset_ms = numbers[_HEAD_FIELDS::2], numbers[_HEAD_FIELDS + 1 :: 2]
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
