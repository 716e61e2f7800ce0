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
from app.llm.port import ChatAnswer, ChatRequest, ChatTurn, ToolCall, ToolSpec, Usage

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
        usage = completion.usage
        if choice is None or usage is None:
            raise ProviderError("llm", "the model answered without content or usage")
        used = Usage(usage.prompt_tokens, usage.completion_tokens)
        calls = _tool_calls(choice.message.tool_calls) if request.tools else ()
        if calls:
            return ChatAnswer({}, completion.model, used, calls)
        content = choice.message.content
        if content is None:
            raise ProviderError("llm", "the model answered without content or usage")
        truncated = choice.finish_reason == "length"
        return ChatAnswer(_decode(content, truncated=truncated), completion.model, used)

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
    body: dict[str, Any] = {
        "model": request.model,
        "messages": [_message(turn) for turn in request.turns],
        "max_completion_tokens": request.output_tokens_max,
        "response_format": {"type": "json_schema", "json_schema": schema},
    }
    if request.tools:
        body["tools"] = [_tool(tool) for tool in request.tools]
        body["tool_choice"] = "none" if request.must_answer else "auto"
    return body


def _message(turn: ChatTurn) -> dict[str, Any]:
    if turn.tool_call_id is not None:
        return {"role": "tool", "tool_call_id": turn.tool_call_id, "content": turn.content}
    if not turn.tool_calls:
        return {"role": turn.role, "content": turn.content}
    calls = [
        {"id": c.id, "type": "function", "function": {"name": c.name, "arguments": c.arguments}}
        for c in turn.tool_calls
    ]
    return {"role": turn.role, "content": turn.content or None, "tool_calls": calls}


def _tool(tool: ToolSpec) -> dict[str, Any]:
    function = {
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
    }
    return {"type": "function", "function": function}


def _tool_calls(calls: Any) -> tuple[ToolCall, ...]:
    return tuple(
        ToolCall(str(call.id), str(call.function.name), str(call.function.arguments))
        for call in calls or ()
        if getattr(call, "function", None) is not None
    )


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
