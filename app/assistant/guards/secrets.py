"""Things in a draft that look like secrets or ways to be paid, and that the business never gave."""

import re

from app.assistant.guards.verdicts import Finding, Ruling
from app.assistant.letters import visible

_SHAPES = {
    "api_key": re.compile(
        r"\b(?:sk|pk|rk|whsec|ghp|gho|xox[abprs]|glpat|AKIA|AIza|ya29)[-_.]?[A-Za-z0-9_-]{16,}"
    ),
    "token": re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.?[A-Za-z0-9_-]*"),
    "private_key": re.compile(r"-----BEGIN [A-Z ]+-----"),
    "bearer": re.compile(r"\b[Bb]earer\s+[A-Za-z0-9._~+/=-]{16,}"),
    "password": re.compile(
        r"\b(?:password|passwd|contraseña|senha|passwort)\s*[:=]\s*\S{4,}", re.IGNORECASE
    ),
    "random": re.compile(r"\b[A-Za-z0-9_-]{36,}\b"),
}
_DIGIT_AND_LETTER = re.compile(r"(?=[A-Za-z_]*\d)(?=[0-9_]*[A-Za-z])")
_PAYMENT = {
    "iban": re.compile(r"\b[A-Z]{2}\d{2}(?:[ ]?[A-Z0-9]{4}){2,7}[ ]?[A-Z0-9]{0,4}\b"),
    "card": re.compile(r"\b(?:\d[ -]?){13,19}\b"),
    "crypto": re.compile(
        r"\b(?:bc1[a-z0-9]{20,60}|[13][a-km-zA-HJ-NP-Z1-9]{25,34}|0x[0-9a-fA-F]{40})\b"
    ),
}


def inspect_secrets(draft: str, *, given: str) -> list[Finding]:
    """Return what looks like a secret or payment detail and stands nowhere in what was given.

    Args:
        draft: what the model wrote.
        given: what the owner alone decides: facts, approved answers, single values of tools.
    """
    text = visible(draft)
    source = re.sub(r"[\s-]", "", given)
    found = []
    for code, shape in {**_SHAPES, **_PAYMENT}.items():
        found_here = {re.sub(r"[\s-]", "", m[0]) for m in shape.finditer(text)}
        if code == "random":  # a long word or a line of dashes is none
            found_here = {each for each in found_here if _DIGIT_AND_LETTER.match(each)}
        if any(each not in source for each in found_here):
            found.append(Finding("secret", code, Ruling.BLOCK))
    return found
