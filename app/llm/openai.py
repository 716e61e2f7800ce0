"""The model over the OpenAI API (or any server that speaks it), through the ``openai`` SDK."""

from typing import Any

import msgspec

from app.core.config import Settings
from app.core.errors import ProviderError
from app.core.faults import fault_point
from app.llm.client import OpenAIClient, asked, reading
from app.llm.port import ChatAnswer, ChatRequest, ChatTurn, ToolCall, ToolSpec, Usage


class OpenAIModel:
    """Structured chat completions. One instance an event loop; close it at the end."""

    def __init__(self, settings: Settings) -> None:
        self._client = OpenAIClient(settings, timeout_s=settings.timings.model_timeout_s)

    async def complete(self, request: ChatRequest) -> ChatAnswer:
        """Ask for a completion that fits the request's schema.

        Raises:
            ProviderError: no answer, a failure status, a refusal, or an answer that is not
                the JSON object asked for. Its text holds no part of prompt or answer.
        """
        fault_point("model.before_call")
        completion = await self._create(request)
        fault_point("model.after_answer")
        with reading():
            return _answer(completion, tools=bool(request.tools))

    async def warm_up(self) -> None:
        """Do at the start what the first call would wait for."""
        await self._client.warm_up()

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _create(self, request: ChatRequest) -> Any:
        client = await self._client.connect()
        from openai.types.chat import ChatCompletion

        # The SDK's typed method walks through its parameters a key at a time, which costs as
        # much as a transaction; the body below needs no such help.
        call = client.post("/chat/completions", body=_body(request), cast_to=ChatCompletion)
        return await asked(call, request.timeout_s)


def _answer(completion: Any, *, tools: bool) -> ChatAnswer:
    choice = completion.choices[0] if completion.choices else None
    usage = completion.usage
    if choice is None or usage is None:
        raise ProviderError("llm", "the model answered without content or usage")
    used = Usage(max(int(usage.prompt_tokens), 0), max(int(usage.completion_tokens), 0))
    calls = _tool_calls(choice.message.tool_calls) if tools else ()
    if calls:
        return ChatAnswer({}, str(completion.model), used, calls)
    content = choice.message.content
    if content is None:
        raise ProviderError("llm", "the model answered without content or usage")
    truncated = choice.finish_reason == "length"
    return ChatAnswer(_decode(content, truncated=truncated), str(completion.model), used)


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


def _decode(content: str, *, truncated: bool) -> dict[str, Any]:
    try:
        value = msgspec.json.decode(content)
    except (msgspec.DecodeError, RecursionError):
        reason = "cut off at its token limit" if truncated else "not JSON"
        raise ProviderError("llm", f"the answer is {reason}") from None
    if not isinstance(value, dict):
        raise ProviderError("llm", "the answer is JSON, but not an object")
    return value
