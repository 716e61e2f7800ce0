"""When the demo model uses tools: to look up what it was not told, and to keep what it is told."""

import re
from typing import Any

import msgspec

from simulator.model.demo import answer, understood
from simulator.model.intents import read_asks
from simulator.model.prompts import asked, content_text
from simulator.model.result import HANDOVER, Result
from simulator.model.words import language

_QUERY_CHARS_MAX = 300
_TOLD = (
    (
        "name",
        re.compile(
            r"\b(?:my name is|me llamo|meu nome é|chamo-me)\s+(?P<value>[^\W\d_]{2,30})",
            re.IGNORECASE,
        ),
    ),
    (
        "allergy",
        re.compile(
            r"\b(?:allergic to|alérgic[oa] (?:a|al|ao))\s+(?P<value>[^\W\d_]{3,30})", re.IGNORECASE
        ),
    ),
)
_RESULT = re.compile(r"<tool_result\b[^>]*>\n?(.*?)\n?</tool_result>", re.DOTALL)
_PASSAGE = re.compile(r"\[[^\]\n]{1,80}\]\s[^\n]*\n(.+?)(?=\n\n\[|\Z)", re.DOTALL)
_OPENERS = {
    "en": "This is what I found:",
    "es": "Esto es lo que encontré:",
    "pt": "Foi isto que encontrei:",
    "de": "Das habe ich gefunden:",
    "id": "Ini yang saya temukan:",
    "ar": "هذا ما وجدته:",
}
_SENTENCE = re.compile(r"(?<=[.!?])\s+")


def wish(messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the one tool call that helps now, None when the answer can be given."""
    names = {str((tool.get("function") or {}).get("name")) for tool in tools}
    made = _made(messages)
    texts = "\n".join(asked(messages))
    if "remember" in names - made:
        for key, pattern in _TOLD:
            if match := pattern.search(texts):
                return _call("remember", key=key, value=match["value"])
    if "search_knowledge" in names - made and _is_missing(messages):
        return _call("search_knowledge", query=texts[-_QUERY_CHARS_MAX:])
    return None


def with_results(messages: list[dict[str, Any]]) -> Result:
    """Answer as the demo model does; what a search found fills in what it was not told."""
    result = answer(messages)
    if not (result.action == HANDOVER and result.reason_code == "missing_knowledge"):
        return result
    found = [m[1] for text in _results(messages) for m in _PASSAGE.finditer(text)]
    if not found:
        return result
    speech = language("\n".join(asked(messages)))
    told = " ".join(_SENTENCE.split(" ".join(found[0].split()))[:2])
    return Result(reply=f"{_OPENERS[speech]} {told[:400]}")


def _is_missing(messages: list[dict[str, Any]]) -> bool:
    if any(ask.wants_person for ask in read_asks(understood(asked(messages)))):
        return False
    result = answer(messages)
    return result.action == HANDOVER and result.reason_code == "missing_knowledge"


def _made(messages: list[dict[str, Any]]) -> set[str]:
    calls = [call for m in messages for call in m.get("tool_calls") or ()]
    return {str((call.get("function") or {}).get("name")) for call in calls}


def _results(messages: list[dict[str, Any]]) -> list[str]:
    told = [content_text(m.get("content")) for m in messages if m.get("role") == "tool"]
    return [match[1] for text in told for match in _RESULT.finditer(text)]


def _call(name: str, **arguments: str) -> dict[str, Any]:
    return {"name": name, "arguments": msgspec.json.encode(arguments).decode()}
