"""What the assistant asks of a language model, whoever makes it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool that the model wants called. ``arguments`` is its JSON as it wrote it: unchecked."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ChatTurn:
    """One message of the prompt.

    Attributes:
        role: ``system``, ``user``, ``assistant`` or ``tool``.
        tool_calls: what an assistant's turn asked for.
        tool_call_id: which of those calls a tool's turn answers.
    """

    role: str
    content: str
    tool_calls: Sequence[ToolCall] = ()
    tool_call_id: str | None = None


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool as the model is told of it. ``parameters`` is a JSON schema of an object."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A bounded, structured completion.

    Attributes:
        schema: JSON schema of the answer; the model must fit it.
        output_tokens_max: sent to the provider, so that no answer costs more than was held.
        tools: what the model may call instead of answering.
        must_answer: tools are told, but may not be called any more.
    """

    model: str
    turns: Sequence[ChatTurn]
    schema_name: str
    schema: Mapping[str, Any]
    output_tokens_max: int
    timeout_s: float
    tools: Sequence[ToolSpec] = ()
    must_answer: bool = False


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that the provider counted."""

    input_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True)
class ChatAnswer:
    """The structured answer, decoded, with what it used; or the tools it wants called first."""

    content: Mapping[str, Any]
    model: str
    usage: Usage
    tool_calls: Sequence[ToolCall] = ()


class ChatModel(Protocol):
    """Completes chats. Failures are ProviderError("llm", …)."""

    async def complete(self, request: ChatRequest) -> ChatAnswer:
        """Return the model's structured answer."""
        ...
