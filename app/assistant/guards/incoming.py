"""Marks of injection in what comes in: noted, for people and figures. Text stays data anyway.

Nothing is refused here. A customer who writes "ignore your rules" gets an answer; that nothing
else comes of it is the work of fences, of bounded tools and of the checks on what goes out.
"""

import re

from app.assistant.guards.verdicts import Finding, Ruling
from app.assistant.letters import fold, visible

_MARKS = {
    "override": re.compile(
        r"\b(?:ignore|disregard|forget|override|bypass)\b.{0,40}\b(?:previous|prior|above|all|your|"
        r"these|system)?\s*(?:instructions?|rules?|prompts?|polic(?:y|ies)|guidelines)"
        r"|\b(?:ignora|olvida|ignore|esqueca|descarta)\b.{0,40}\b(?:instrucciones|reglas|instrucoes|regras)"
        r"|\b(?:ignorier|vergiss|missachte)\w*.{0,40}\b(?:anweisung|regel|vorgabe)\w*"
        r"|\b(?:abaikan|lupakan)\b.{0,40}\b(?:instruksi|aturan|perintah)"
        r"|(?:تجاهل|انس).{0,40}(?:التعليمات|القواعد|الاوامر)"
    ),
    "reveal": re.compile(
        r"\b(?:reveal|print|show|repeat|output|leak|display|translate|summari[sz]e)\b.{0,40}\b(?:system\s*"
        r"prompt|instructions|initial prompt|your rules|policy|text above|everything above)"
        r"|\b(?:muestra|revela|repite|mostre|revele|repita|zeig|wiederhol|tampilkan|ulangi)\w*\b.{0,40}"
        r"\b(?:prompt|instrucciones|instrucoes|anweisungen|systemprompt|instruksi)"
        r"|(?:اعرض|اكشف|كرر).{0,40}(?:التعليمات|النظام)"
    ),
    "role": re.compile(
        r"\b(?:you are now|act as|pretend to be|from now on you|new role|developer mode|jailbreak|dan\b)"
        r"|\b(?:system|assistant|developer)\s*(?:message|prompt)?\s*:"
    ),
    "fence": re.compile(
        r"</?\s*(?:system|passage|business_facts|persona|now|tool_result|instructions?)\b"
        r"|<\|[a-z_]+\|>|\[/?inst\]"
    ),
    "tool": re.compile(
        r"\b(?:call|invoke|use|execute|run)\b.{0,20}\b(?:tool|function)\b|\btool_calls?\b"
    ),
}
_SCANNED_CHARS_MAX = 8_000


def inspect_incoming(text: str, *, where: str) -> list[Finding]:
    """Return the marks found in a text; ``where`` is customer, knowledge, tool or name."""
    seen = visible(text[:_SCANNED_CHARS_MAX])
    plain = fold(seen[:_SCANNED_CHARS_MAX])
    found = [
        Finding("injection", f"{where}:{code}", Ruling.NOTE)
        for code, pattern in _MARKS.items()
        if pattern.search(plain)
    ]
    if len(text[:_SCANNED_CHARS_MAX]) - len(seen) > 8:  # noqa: PLR2004 - more than stray emoji marks
        found.append(Finding("injection", f"{where}:invisible", Ruling.NOTE))
    return found
