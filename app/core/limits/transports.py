"""The two ways to the limit store: Redis over TCP, and Upstash's REST API.

Both run the same script, never retry, spend at most 250 ms, and fail only with
``LimitStoreError`` and its kinds: the one place where the clients' errors are translated.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol

from app.core.limits.script import gcra_script
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
    """Runs the script for each argument list, in order, in one round trip."""

    async def run(self, batch: Sequence[Arguments]) -> list[object]:
        """Return the script's answers; raise LimitStoreError when one of them is missing."""
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...


class RedisTransport:
    """EVALSHA over TCP; a store that lost the script gets its text once."""

    def __init__(self, url: str) -> None:
        self._redis = decision_client(url)
        self._script = gcra_script()

    async def run(self, batch: Sequence[Arguments]) -> list[object]:
        """See ``Transport.run``. Only calls answered with NOSCRIPT are sent again."""
        try:
            async with asyncio.timeout(DECISION_TIMEOUT_S):
                answers = await self._send(batch, "EVALSHA", self._script.sha)
                missing = [i for i, answer in enumerate(answers) if _is_noscript(answer)]
                if missing:
                    again = [batch[i] for i in missing]
                    texts = await self._send(again, "EVAL", self._script.text)
                    for i, answer in zip(missing, texts, strict=True):
                        answers[i] = answer
        except Exception as error:
            raise _typed(error) from error
        for answer in answers:
            if isinstance(answer, Exception):
                raise _typed(answer) from answer
        return answers

    async def _send(self, batch: Sequence[Arguments], command: str, script: str) -> list[object]:
        if len(batch) == 1:
            try:
                return [await self._redis.execute_command(command, script, *batch[0])]
            except Exception as error:
                if _is_noscript(error):
                    return [error]
                raise
        pipeline = self._redis.pipeline(transaction=False)
        for arguments in batch:
            pipeline.execute_command(command, script, *arguments)
        answers: list[object] = await pipeline.execute(raise_on_error=False)
        return answers

    async def close(self) -> None:
        """Close the pool."""
        await self._redis.aclose()


class UpstashTransport:
    """EVALSHA over REST with ``upstash-redis``.

    The client's own defaults are unsafe here: no time-out at all and a blind retry after 3 s,
    which could count a decision twice. A pipeline of it fails as a whole at its first error,
    so after NOSCRIPT the whole batch is sent again as EVAL; a decision that did run in the
    instant between would be counted once too often, never once too little.
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

    async def run(self, batch: Sequence[Arguments]) -> list[object]:
        """See ``Transport.run``."""
        try:
            async with asyncio.timeout(DECISION_TIMEOUT_S):
                try:
                    return await self._send(batch, "EVALSHA", self._script.sha)
                except Exception as error:
                    if not _is_noscript(error):
                        raise
                return await self._send(batch, "EVAL", self._script.text)
        except Exception as error:
            raise _typed(error) from error

    async def _send(self, batch: Sequence[Arguments], command: str, script: str) -> list[object]:
        if len(batch) == 1:
            return [await self._redis.execute([command, script, *batch[0]])]
        pipeline = self._redis.pipeline()
        for arguments in batch:
            pipeline.execute([command, script, *arguments])
        answers: list[object] = await pipeline.exec()
        if len(answers) != len(batch):
            raise LimitStoreError("the limit store answered another number of commands")
        return answers

    async def close(self) -> None:
        """Close the HTTP connections."""
        await self._redis.close()


def _is_noscript(answer: object) -> bool:
    if not isinstance(answer, Exception):
        return False
    return type(answer).__name__ == "NoScriptError" or str(answer).startswith("NOSCRIPT")


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
