"""Phone numbers and e-mail addresses in a draft: the business's or the customer's, no others."""

import re

from app.assistant.guards.verdicts import Finding, Ruling
from app.assistant.letters import visible

_EMAIL = re.compile(r"[\w.+-]+\s?(?:@|\(at\)|\[at\])\s?[\w-]+(?:\.[\w-]+)+", re.IGNORECASE)
_PHONE = re.compile(r"(?<![\w.,:/-])(?:\+|00)?\(?\d[\d\s().\-/]{6,22}\d(?![\w:])")
_DATE_OR_TIME = re.compile(r"\d{4}-\d\d-\d\d|\d{1,2}[./-]\d{1,2}[./-]\d{2,4}|\d{1,2}:\d\d")
_AMOUNT = re.compile(r"\d{1,3}(?:[.,\s]\d{3})+(?:[.,]\d{1,2})?")
_DIGITS_MIN, _DIGITS_MAX = 8, 16


def inspect_contacts(draft: str, *, given: str) -> list[Finding]:
    """Return findings for numbers and addresses that stand nowhere in what was given.

    Args:
        draft: what the model wrote.
        given: facts, passages, tools' results and the customer's own words.
    """
    text = visible(draft)
    findings = []
    told = given.casefold()
    if any(_plain_email(m[0]) not in told for m in _EMAIL.finditer(text)):
        findings.append(Finding("contact", "email", Ruling.BLOCK))
    known = re.sub(r"\D", "", given)
    if any(number not in known for number in _numbers(text)):
        findings.append(Finding("contact", "phone", Ruling.BLOCK))
    return findings


def _plain_email(raw: str) -> str:
    return re.sub(
        r"\s", "", re.sub(r"\s?(?:\(at\)|\[at\])\s?", "@", raw, flags=re.IGNORECASE)
    ).casefold()


def _numbers(text: str) -> list[str]:
    found = []
    for match in _PHONE.finditer(text):
        raw = match[0].strip()
        plain = _DATE_OR_TIME.sub(" ", raw)
        digits = re.sub(r"\D", "", plain)
        is_amount = bool(_AMOUNT.fullmatch(raw)) and not raw.startswith(("+", "00"))
        if _DIGITS_MIN <= len(digits) <= _DIGITS_MAX and not is_amount:
            found.append(digits.lstrip("0"))  # at home without the country's code
    return found
