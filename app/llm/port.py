"""What the assistant asks of a language model, whoever makes it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class ChatTurn:
    """One message of the prompt. ``role`` is ``system``, ``user`` or ``assistant``."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A bounded, structured completion.

    Attributes:
        schema: JSON schema of the answer; the model must fit it.
        output_tokens_max: sent to the provider, so that no answer costs more than was held.
    """

    model: str
    turns: Sequence[ChatTurn]
    schema_name: str
    schema: Mapping[str, Any]
    output_tokens_max: int
    timeout_s: float


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that the provider counted."""

    input_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True)
class ChatAnswer:
    """The structured answer, decoded, with what it used."""

    content: Mapping[str, Any]
    model: str
    usage: Usage


class ChatModel(Protocol):
    """Completes chats. Failures are ProviderError("llm", …)."""

    async def complete(self, request: ChatRequest) -> ChatAnswer:
        """Return the model's structured answer."""
        ...
