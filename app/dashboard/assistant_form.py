"""The assistant's forms: fields to a profile or a tool, and back."""

import math
import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec

from app.assistant.profiles import FACTS_MAX, LANGUAGES, TONES, Fact, Profile
from app.assistant.tools import definitions
from app.assistant.tools.definitions import ToolDefinition
from app.core.errors import RefusedError, Word

EMPTY_ROWS = 3
"""Empty facts that the form ends with; a script adds more."""
_LINES = re.compile(r"\r?\n")
_ROW = re.compile(r"key-[0-9]{1,4}", re.ASCII)


def profile_of(form: Mapping[str, str]) -> Profile:
    """Read the form of the draft."""
    tone = form.get("tone", "")
    first = form.get("first_language", "")
    languages = [code for code in LANGUAGES if form.get(f"language-{code}")]
    if first in languages:
        languages = [first, *(code for code in languages if code != first)]
    rows = sorted(int(name.removeprefix("key-")) for name in form if _ROW.fullmatch(name))
    return Profile(
        tone=next((each for each in TONES if each == tone), "warm"),
        persona=form.get("persona", ""),
        languages=languages,
        rules=_lines(form.get("rules", "")),
        greeting=form.get("greeting", ""),
        disclosure=form.get("disclosure", ""),
        facts=[
            Fact(form.get(f"key-{row}", ""), form.get(f"value-{row}", ""))
            for row in rows[: 2 * FACTS_MAX]
        ],
        links=_lines(form.get("links", "")),
        model=form.get("model", ""),
    )


def tool_of(form: Mapping[str, str], tool_id: UUID) -> ToolDefinition:
    """Read the form of a tool; RefusedError says what cannot be read."""
    return ToolDefinition(
        id=tool_id,
        name=form.get("name", ""),
        description=form.get("description", ""),
        parameters=definitions.read_schema(form.get("parameters", "")),
        method=form.get("method", ""),
        url=form.get("url", ""),
        headers=_headers(form),
        timeout_s=_number(form.get("timeout_s", "8"), Word("the timeout")),
        response_bytes_max=int(
            _number(form.get("response_bytes_max", "8192"), Word("the size limit"))
        ),
        needs_verified=bool(form.get("needs_verified")),
    )


def tool_fields(tool: ToolDefinition) -> dict[str, str]:
    """Return a tool as its form shows it."""
    schema = {k: v for k, v in tool.parameters.items() if k != "additionalProperties"}
    return {
        "name": tool.name,
        "description": tool.description,
        "parameters": msgspec.json.format(msgspec.json.encode(schema), indent=2).decode(),
        "method": tool.method,
        "url": tool.url,
        "timeout_s": f"{tool.timeout_s:g}",
        "response_bytes_max": str(tool.response_bytes_max),
        "needs_verified": "yes" if tool.needs_verified else "",
    }


def arguments_of(raw: str) -> dict[str, Any]:
    """Read the test values of a try: a JSON object."""
    try:
        value = msgspec.json.decode(raw or "{}")
    except (msgspec.DecodeError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise RefusedError('Give the test values as JSON, such as {"order_id": "1042"}.')
    return value


def kept_headers(form: Mapping[str, str]) -> list[str]:
    """Return the names of stored headers that stay as they are."""
    return [
        name.removeprefix("keep-") for name, on in form.items() if name.startswith("keep-") and on
    ]


def _headers(form: Mapping[str, str]) -> dict[str, str]:
    found = {}
    for row in range(definitions.HEADERS_MAX):
        name, value = form.get(f"header-{row}", ""), form.get(f"secret-{row}", "")
        if name and value:
            found[name] = value
        elif name or value:
            raise RefusedError("Each header needs a name and a value.")
    return found


def _lines(raw: str) -> list[str]:
    return [line.strip() for line in _LINES.split(raw) if line.strip()]


def _number(raw: str, what: Word) -> float:
    try:
        found = float(raw)
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise RefusedError("This is not a number: %(what)s.", what=what)
    return found
