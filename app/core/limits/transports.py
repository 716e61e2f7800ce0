"""The two ways to the limit store: Redis over TCP, and Upstash's REST API.

Both run the same script, never retry, spend at most 250 ms, and fail only with
``LimitStoreError`` and its kinds: the one place where the clients' errors are translated.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from app.core.limits.script import Script, gcra_script
from app.core.limits.types import (
    LimitStoreAuthError,
    LimitStoreError,
    LimitStoreQuotaError,
    LimitStoreTimeoutError,
    ScriptMissingError,
)
from app.core.redis import DECISION_TIMEOUT_S, decision_client

Arguments = Sequence[str | int]


class Transport(Protocol):
    """Runs the script once, in one round trip."""

    async def run(self, arguments: Arguments) -> object:
        """Return the script's answer; raise LimitStoreError when there is none."""
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...


class RedisTransport:
    """EVALSHA over TCP; a store that lost the script gets its text."""

    def __init__(self, url: str) -> None:
        self._redis = decision_client(url)
        self._script = gcra_script()

    async def run(self, arguments: Arguments) -> object:
        """See ``Transport.run``."""
        return await _with_text(self._redis.execute_command, self._script, arguments)

    async def close(self) -> None:
        """Close the pool."""
        await self._redis.aclose()


class UpstashTransport:
    """EVALSHA over REST with ``upstash-redis``.

    The client's own defaults are unsafe here: no time-out at all and a blind retry after 3 s,
    which could count a decision twice.
    """

    def __init__(self, url: str, token: str) -> None:
        from upstash_redis.asyncio import Redis

        self._redis: Any = Redis(
            url=url.rstrip("/"),
            token=token,
            rest_retries=0,
            allow_telemetry=False,
            # Leader and replicas may differ by a moment; waiting for a sync token buys nothing
            # for a script, which always runs at the leader.
            read_your_writes=False,
        )
        self._script = gcra_script(upstash=True)

    async def run(self, arguments: Arguments) -> object:
        """See ``Transport.run``."""
        return await _with_text(self._execute, self._script, arguments)

    async def _execute(self, *command: str | int) -> object:
        return await self._redis.execute([*command])

    async def close(self) -> None:
        """Close the HTTP connections."""
        await self._redis.close()


async def _with_text(
    execute: Callable[..., Awaitable[object]], script: Script, arguments: Arguments
) -> object:
    """Run a script by its hash, and where the store does not know it, by its text."""
    try:
        async with asyncio.timeout(DECISION_TIMEOUT_S):
            try:
                return await execute("EVALSHA", script.sha, *arguments)
            except Exception as error:
                if not _is_noscript(error):
                    raise
            return await execute("EVAL", script.text, *arguments)
    except Exception as error:
        raise _typed(error) from error


def _is_noscript(error: BaseException) -> bool:
    return type(error).__name__ == "NoScriptError" or str(error).startswith("NOSCRIPT")


_QUOTA_MARKS = (
    "max requests limit exceeded",
    "max daily request limit exceeded",
    "max request size exceeded",
    "capacity quota exceeded",
)
_AUTH_MARKS = ("WRONGPASS", "NOAUTH", "NOPERM")


def _typed(error: BaseException) -> LimitStoreError:
    """Translate a client's error; its text stays in the chain and out of ours."""
    if isinstance(error, LimitStoreError):
        return error
    name, text = type(error).__name__, str(error)
    if isinstance(error, TimeoutError) or "Timeout" in name:
        return LimitStoreTimeoutError("the limit store did not answer within 250 ms")
    if _is_noscript(error):
        return ScriptMissingError("the limit store does not keep the script")
    if "Auth" in name or any(mark in text for mark in _AUTH_MARKS):
        return LimitStoreAuthError("the limit store refused our credentials")
    if any(mark in text for mark in _QUOTA_MARKS):
        return LimitStoreQuotaError("the limit store's plan is used up")
    return LimitStoreError(f"the limit store could not be used: {name}")
