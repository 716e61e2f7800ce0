"""Whether a draft gives away the platform's policy, or the house's own instructions.

Compared are letters and digits alone, so that case, accents, spacing and marks hide nothing; the
draft is also read backwards, rotated by 13 and out of base64 and hex, as leaks are asked for.
"""

import base64
import binascii
import codecs
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from app.assistant.guards.verdicts import Finding, Ruling
from app.assistant.letters import bare
from app.assistant.policy import POLICY

_WINDOW = 32
_HOUSE_WINDOW = 44
_ENCODED = re.compile(r"[A-Za-z0-9+/=_-]{24,}")
_HEX = re.compile(r"(?:[0-9a-fA-F]{2}[\s:]?){16,}")
_QUOTED = re.compile(r"[\"“«„][^\"”»“]{3,300}[\"”»“]")
# Words of the prompt's own form that no customer has a use for.
_FORM = re.compile(
    r"fence=|\bbusiness_facts\b|\btool_result\b|\breason_code\b|\bused_sources\b|\bfront_desk_answer\b"
)


def inspect_leak(draft: str, *, canary: str, fence: str, house: Sequence[str]) -> list[Finding]:
    """Return a finding when a draft shows internal text.

    Args:
        draft: what the model wrote.
        canary: the mark that stands in this prompt's policy alone.
        fence: the mark of this prompt's fences.
        house: the business's persona and rules: a sentence of them is a leak, a word is not.
    """
    if _FORM.search(draft):
        return [Finding("leak", "form", Ruling.REPAIR)]
    readings = [bare(each) for each in _readings(draft)]
    for text in readings:
        if canary in text or fence in text:
            return [Finding("leak", "mark", Ruling.REPAIR)]
        if _overlaps(text, _windows(POLICY, _WINDOW), _WINDOW):
            return [Finding("leak", "policy", Ruling.REPAIR)]
    # What a rule puts in quotes is meant to be said.
    instructions = _QUOTED.sub(" ", "\n".join(house))
    if _overlaps(readings[0], _windows(instructions, _HOUSE_WINDOW), _HOUSE_WINDOW):
        return [Finding("leak", "house", Ruling.REPAIR)]
    return []


@lru_cache(maxsize=256)
def _windows(text: str, size: int) -> frozenset[str]:
    letters = bare(text)
    return frozenset(letters[n : n + size] for n in range(len(letters) - size + 1))


def _overlaps(letters: str, windows: frozenset[str], size: int) -> bool:
    if not windows:
        return False
    return any(letters[n : n + size] in windows for n in range(len(letters) - size + 1))


def _readings(draft: str) -> Iterator[str]:
    yield draft
    yield draft[::-1]
    yield codecs.encode(draft, "rot13")
    for match in _HEX.finditer(draft):
        digits = re.sub(r"[\s:]", "", match[0])
        yield bytes.fromhex(digits[: len(digits) // 2 * 2]).decode("utf-8", "ignore")
    joined = re.sub(r"\s+", "", draft)
    for match in _ENCODED.finditer(joined):
        packed = match[0].replace("-", "+").replace("_", "/").rstrip("=")
        try:
            raw = base64.b64decode(packed + "=" * (-len(packed) % 4))
        except (binascii.Error, ValueError):
            continue
        yield raw.decode("utf-8", "ignore")
