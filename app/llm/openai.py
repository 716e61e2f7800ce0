"""The model over the OpenAI API (or any server that speaks it), through the ``openai`` SDK.

The SDK retries silently twice and waits up to ten minutes by default, and it sends no
idempotency key; so retries are off and the deadline is ours: the turn decides when to ask
again. Its aiohttp transport costs about half the CPU of the default one.
"""

import asyncio
import importlib
from typing import Any

import msgspec

from app.core.config import Settings
from app.core.errors import ProviderError
from app.core.faults import fault_point
from app.llm.port import ChatAnswer, ChatRequest, Usage

_DEFINITE = {400, 401, 403, 404, 422}
_CONNECTIONS_MAX = 512


class OpenAIModel:
    """Structured chat completions. One instance an event loop; close it at the end."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client: Any = None

    async def complete(self, request: ChatRequest) -> ChatAnswer:
        """Ask for a completion that fits the request's schema.

        Raises:
            ProviderError: no answer, a failure status, a refusal, or an answer that is not
                the JSON object asked for. Its text holds no part of prompt or answer.
        """
        fault_point("model.before_call")
        completion = await self._create(request)
        fault_point("model.after_answer")
        choice = completion.choices[0] if completion.choices else None
        content = choice.message.content if choice else None
        usage = completion.usage
        if content is None or usage is None:
            raise ProviderError("llm", "the model answered without content or usage")
        return ChatAnswer(
            content=_decode(content, truncated=bool(choice and choice.finish_reason == "length")),
            model=completion.model,
            usage=Usage(usage.prompt_tokens, usage.completion_tokens),
        )

    async def warm_up(self) -> None:
        """Import the SDK off the loop: it takes a second that the loop must not stand still."""
        await asyncio.to_thread(importlib.import_module, "openai")

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.close()

    async def _create(self, request: ChatRequest) -> Any:
        import openai

        try:
            async with asyncio.timeout(request.timeout_s):
                # The SDK's typed method walks through its parameters a key at a time, which
                # costs as much as a transaction; the body below needs no such help.
                return await self._connect().post(
                    "/chat/completions",
                    body=_body(request),
                    cast_to=openai.types.chat.ChatCompletion,
                )
        except openai.APIStatusError as error:
            raise _status_error(error) from None
        except (TimeoutError, openai.APITimeoutError):
            raise ProviderError("llm", f"no answer within {request.timeout_s:g} s") from None
        except openai.APIConnectionError as error:
            raise ProviderError("llm", f"cannot be reached ({type(error).__name__})") from None
        except openai.OpenAIError as error:
            raise ProviderError("llm", f"unreadable answer ({type(error).__name__})") from None

    def _connect(self) -> Any:
        if self._client is None:
            import openai

            self._client = openai.AsyncOpenAI(
                api_key=self._settings.openai_api_key or "missing",
                base_url=self._settings.openai_base_url,
                max_retries=0,
                timeout=self._settings.timings.model_timeout_s + 5,
                http_client=openai.DefaultAioHttpClient(limits=_pool_limits()),
            )
        return self._client


def _body(request: ChatRequest) -> dict[str, Any]:
    schema = {"name": request.schema_name, "strict": True, "schema": request.schema}
    return {
        "model": request.model,
        "messages": [{"role": t.role, "content": t.content} for t in request.turns],
        "max_completion_tokens": request.output_tokens_max,
        "response_format": {"type": "json_schema", "json_schema": schema},
    }


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


def _decode(content: str, *, truncated: bool) -> dict[str, Any]:
    try:
        value = msgspec.json.decode(content)
    except (msgspec.DecodeError, RecursionError):
        reason = "cut off at its token limit" if truncated else "not JSON"
        raise ProviderError("llm", f"the answer is {reason}") from None
    if not isinstance(value, dict):
        raise ProviderError("llm", "the answer is JSON, but not an object")
    return value
