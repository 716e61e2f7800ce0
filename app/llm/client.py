"""What all calls of the OpenAI API share: the client, the deadline, and how failures are told.

The SDK retries silently twice and waits up to ten minutes by default, and it sends no
idempotency key; so retries are off and the deadline is ours: the caller decides when to ask
again. Its aiohttp transport costs about half the CPU of the default one.
"""

import asyncio
import importlib
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from typing import Any

from app.core.config import Settings
from app.core.errors import ProviderError

_DEFINITE = {400, 401, 403, 404, 413, 415, 422}
_CONNECTIONS_MAX = 512
# The SDK checks answers against nothing, and reads some of them itself.
_ODD_SHAPE = (AttributeError, LookupError, TypeError, ValueError)


class OpenAIClient:
    """The SDK's client, made when it is first needed. One an event loop; close it at the end."""

    def __init__(self, settings: Settings, *, timeout_s: float) -> None:
        """``timeout_s`` is the longest that a caller's own deadline lets a call take."""
        self._settings = settings
        self._timeout_s = timeout_s
        self._client: Any = None

    async def warm_up(self) -> Any:
        """Import the SDK off the loop: it takes a second that the loop must not stand still."""
        return await asyncio.to_thread(importlib.import_module, "openai")

    async def connect(self) -> Any:
        """Return the SDK's client."""
        if self._client is None:
            openai = await self.warm_up()
            self._client = self._client or openai.AsyncOpenAI(
                api_key=self._settings.openai_api_key or "missing",
                base_url=self._settings.openai_base_url,
                max_retries=0,
                timeout=self._timeout_s + 5,
                http_client=openai.DefaultAioHttpClient(limits=_pool_limits()),
            )
        return self._client

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.close()


async def asked(call: Awaitable[Any], timeout_s: float) -> Any:
    """Return what the API answers.

    Raises:
        ProviderError: no answer in time, a failure status, or an answer that cannot be read. Its
            text holds no part of what was sent or answered.
    """
    import openai

    try:
        async with asyncio.timeout(timeout_s):
            return await call
    except openai.APIStatusError as error:
        raise _status_error(error) from None
    except (TimeoutError, openai.APITimeoutError):
        raise ProviderError("llm", f"no answer within {timeout_s:g} s") from None
    except openai.APIConnectionError as error:
        raise ProviderError("llm", f"cannot be reached ({type(error).__name__})") from None
    except (openai.OpenAIError, *_ODD_SHAPE) as error:
        raise ProviderError("llm", f"unreadable answer ({type(error).__name__})") from None


@contextmanager
def reading() -> Iterator[None]:
    """Read an answer within this: it may be of any shape.

    Raises:
        ProviderError: the answer has another shape than the one that is read.
    """
    try:
        yield
    except _ODD_SHAPE as error:
        raise ProviderError("llm", f"unreadable answer ({type(error).__name__})") from None


def _pool_limits() -> Any:
    import httpx2

    return httpx2.Limits(
        max_connections=_CONNECTIONS_MAX, max_keepalive_connections=_CONNECTIONS_MAX
    )


def _status_error(error: Any) -> ProviderError:
    status = error.status_code
    after = error.response.headers.get("Retry-After", "")
    return ProviderError(
        "llm",
        f"answered {status}",
        status_code=status,
        retryable=status not in _DEFINITE,
        retry_after_s=float(after) if after.isdigit() else None,
    )
