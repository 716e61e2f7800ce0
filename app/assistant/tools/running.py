"""Running what the model asked for: validated, timed, and never an exception upwards."""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jsonschema
import msgspec

from app.assistant.tools.port import Tool, ToolContext, ToolResult, refused
from app.core.observability.sentry import capture
from app.llm.port import ToolCall

log = logging.getLogger(__name__)

SECONDS_MAX = 15.0
_ARGUMENTS_CHARS_MAX = 8_000


@dataclass(frozen=True, slots=True)
class Ran:
    """A call that was made, for the trace: no arguments and no texts."""

    name: str
    result: ToolResult
    duration_ms: int

    def told(self) -> dict[str, Any]:
        """Return what the trace keeps of it."""
        return {
            "name": self.name,
            "outcome": self.result.outcome,
            "ms": self.duration_ms,
            "bytes": len(self.result.text.encode()),
            "acted": self.result.acted,
        }


async def run_tool(
    tools: Mapping[str, Tool], call: ToolCall, context: ToolContext, known: frozenset[str]
) -> Ran:
    """Run one call; whatever goes wrong becomes a result that the model is told."""
    began = time.perf_counter()
    tool = tools.get(call.name)
    if tool is None:
        result, name = refused("There is no such tool."), "unknown"
    else:
        name = call.name
        try:
            async with asyncio.timeout(SECONDS_MAX):
                result = await _checked(tool, call, context, known)
        except TimeoutError:
            result = ToolResult("failed", "It took too long. Do not retry.")
        except Exception as error:  # noqa: BLE001 - a broken tool must not break the reply
            capture(error, tenant_id=context.tenant_id)
            log.warning("a tool failed", extra={"code": name, "error": type(error).__name__})
            result = ToolResult("failed", "It did not work. Do not retry.")
    return Ran(name, result, round((time.perf_counter() - began) * 1000))


async def _checked(
    tool: Tool, call: ToolCall, context: ToolContext, known: frozenset[str]
) -> ToolResult:
    if len(call.arguments) > _ARGUMENTS_CHARS_MAX:
        return refused("The arguments are too long.")
    try:
        arguments = msgspec.json.decode(call.arguments or "{}")
    except (msgspec.DecodeError, RecursionError):
        return refused("The arguments are not JSON.")
    schema = tool.spec.parameters
    problem = next(_validator(msgspec.json.encode(schema)).iter_errors(arguments), None)
    if problem is not None or not isinstance(arguments, dict):
        where = ".".join(str(p) for p in problem.absolute_path) if problem else ""
        return refused(f"The arguments do not fit the tool{': ' + where if where else ''}.")
    return await tool.run(context, arguments, known)


@lru_cache(maxsize=512)
def _validator(schema: bytes) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(msgspec.json.decode(schema))


def by_name(tools: Sequence[Tool]) -> dict[str, Tool]:
    """Return tools by the name that the model calls them."""
    return {tool.spec.name: tool for tool in tools}
