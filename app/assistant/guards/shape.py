"""Whether a draft is a message at all: not empty, not data, not a wall of text or noise."""

import re

from app.assistant.guards.verdicts import Finding, Ruling
from app.assistant.letters import visible

REPLY_CHARS_MAX = 4_000
_DATA = re.compile(
    r"^\s*[\[{].*[\]}]\s*$|```|\"(?:reply|action|tool_calls|arguments|role|content)\"\s*:"
    r"|<\/?(?:html|body|div|p|passage|persona|system|now|opening|answer|question|think)\b"
    r"|\b(?:search_knowledge|hand_to_person|resolve_date|check_hours|verify_customer)\b"
    r"|\{\{\s*\w+",
    re.DOTALL | re.IGNORECASE,
)
_TRACE = re.compile(
    r"\bTraceback \(most recent|\b\w+(?:Error|Exception)\b\s*[:(]|\bat 0x[0-9a-f]{6,}|\bHTTP/1\.[01] \d{3}"
    r"|\bundefined\b|\bNaN\b|\[object Object\]"
)
_RUN = re.compile(r"(.)\1{30,}|(\b\w+\b)(?:\W+\2){8,}", re.IGNORECASE)


def inspect_shape(draft: str) -> list[Finding]:
    """Return findings for a draft that no customer should see as it is."""
    code = _fault(draft)
    return [Finding("shape", code, Ruling.REPAIR)] if code else []


def _fault(draft: str) -> str:  # noqa: PLR0911 - one return for each kind
    if not draft.strip():
        return "empty"
    if len(visible(draft)) > REPLY_CHARS_MAX:  # one sign can stand for eighteen
        return "too_long"
    if _DATA.search(draft):
        return "data"
    if _TRACE.search(draft):
        return "error_text"
    if _RUN.search(draft):
        return "noise"
    if not any(c.isalnum() for c in draft) and len(draft) > 12:  # noqa: PLR2004 - more than an emoji
        return "noise"
    return ""
