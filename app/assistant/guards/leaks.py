"""Whether a draft gives away the platform's policy, or the house's own instructions.

Compared are letters alone, look-alikes made one, so that case, accents, spacing, other alphabets
and marks hide nothing. A leak is asked for in disguise, so a draft is read in several ways:

| disguise | undone by |
|---|---|
| backwards, each word backwards | turning it round |
| base64 (once, twice, reversed), hex, character codes, escapes of HTML, URLs and JSON | decoding |
| letters moved along the alphabet (rot13 and all others), the alphabet turned round | steps between letters instead of letters |
| vowels left out or swapped | consonants alone |
| a letter or sign between all letters | every second and third letter; all but the most frequent |
| words counted, shuffled, with others between them | how much of its vocabulary is the policy's |
"""

import base64
import binascii
import html
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from urllib.parse import unquote

from app.assistant.guards.verdicts import Finding, Ruling
from app.assistant.letters import bare, fold, skeleton
from app.assistant.policy import POLICY

_WINDOW = 32
_CONSONANTS_WINDOW = 24
_HOUSE_WINDOW = 44
_SHARED_WORDS_MIN = 12
_SHARED_PART_MIN = 0.5
_FILLER_PART_MIN = 0.3
_LONG_WORD = re.compile(r"[^\W\d_]{5,}")
_VOWELS = str.maketrans("", "", "aeiou")
_DECODED_MAX = 12
"""Encoded pieces that are looked into: a draft is short."""
_ENCODED = re.compile(r"[A-Za-z0-9+/=_-]{24,}")
_HEX = re.compile(r"(?:[0-9a-fA-F]{2}[\s:]?){16,}")
_CODES = re.compile(r"(?:\b\d{2,3}\b[\s,;]*){16,}")
_ESCAPES = re.compile(r"(?:\\u[0-9a-fA-F]{4}|\\x[0-9a-fA-F]{2}){4,}")
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
    readings = list(_readings(draft))
    for text in readings:
        letters = bare(text)
        if canary in letters or fence in letters:
            return [Finding("leak", "mark", Ruling.REPAIR)]
        if _is_policy(text):
            return [Finding("leak", "policy", Ruling.REPAIR)]
    letters = skeleton(draft)
    if len(letters) >= _WINDOW and _is_shifted_policy(letters, _steps(_letters(draft))):
        return [Finding("leak", "policy", Ruling.REPAIR)]
    # What a rule puts in quotes is meant to be said.
    instructions = _QUOTED.sub(" ", "\n".join(house))
    told = skeleton(instructions)
    # Each business has other words: nothing of theirs is worth keeping.
    if any(_overlaps(skeleton(text), told, _HOUSE_WINDOW, seeds=told) for text in readings):
        return [Finding("leak", "house", Ruling.REPAIR)]
    return []


def _is_policy(text: str) -> bool:
    letters, policy = skeleton(text), _policy()
    if _overlaps(letters, policy, _WINDOW):
        return True
    if _overlaps(letters.translate(_VOWELS), policy.translate(_VOWELS), _CONSONANTS_WINDOW):
        return True
    words = set(_LONG_WORD.findall(fold(text)))
    shared = len(words & _vocabulary())
    return shared >= _SHARED_WORDS_MIN and shared >= _SHARED_PART_MIN * len(words)


def _is_shifted_policy(letters: str, steps: str) -> bool:
    policy = _policy()
    thinned = (letters[start::step] for step in (2, 3) for start in range(step))
    if any(_overlaps(each, policy, _WINDOW) for each in thinned):
        return True
    filler, count = max(((c, letters.count(c)) for c in set(letters)), key=lambda c: c[1])
    if count > _FILLER_PART_MIN * len(letters) and _overlaps(
        letters.replace(filler, ""), policy.replace(filler, ""), _WINDOW
    ):
        return True
    wanted = _policy_steps()
    backwards = "".join(chr(ord("a") + (26 - (ord(c) - ord("a"))) % 26) for c in steps)
    return _overlaps(steps, wanted, _WINDOW) or _overlaps(backwards, wanted, _WINDOW)


@lru_cache(maxsize=1)
def _policy() -> str:
    return skeleton(POLICY)


@lru_cache(maxsize=1)
def _policy_steps() -> str:
    return _steps(_letters(POLICY))


@lru_cache(maxsize=64)
def _windows(letters: str, size: int) -> frozenset[str]:
    return frozenset(letters[n : n + size] for n in range(len(letters) - size + 1))


@lru_cache(maxsize=1)
def _vocabulary() -> frozenset[str]:
    return frozenset(_LONG_WORD.findall(fold(POLICY)))


def _overlaps(
    letters: str, told: str, size: int, *, seeds: str | frozenset[str] | None = None
) -> bool:
    """Tell whether two texts share a run of ``size`` letters.

    Such a run holds a piece of half its size at one of every so many places: only where one of
    those is known, the whole run is looked for.
    """
    step = size // 2
    seeds = _windows(told, step + 1) if seeds is None else seeds
    for n in range(0, len(letters) - step, step):
        if letters[n : n + step + 1] in seeds:
            runs = (letters[m : m + size] for m in range(max(0, n - step), n + 1))
            if any(len(run) == size and run in told for run in runs):
                return True
    return False


def _letters(text: str) -> str:
    return "".join(c for c in fold(text) if "a" <= c <= "z")


def _steps(letters: str) -> str:
    """Return the distances between letters, which stay when all move along the alphabet."""
    return "".join(chr(ord("a") + (ord(b) - ord(a)) % 26) for a, b in pairwise(letters))


def _readings(draft: str) -> Iterator[str]:
    yield draft
    yield draft[::-1]
    yield " ".join(word[::-1] for word in draft.split())
    if "&#" in draft or "%" in draft:
        yield unquote(html.unescape(draft))
    for match in _ESCAPES.finditer(draft):
        yield match[0].encode().decode("unicode_escape", "ignore")
    for match in _HEX.finditer(draft):
        digits = re.sub(r"[\s:]", "", match[0])
        yield bytes.fromhex(digits[: len(digits) // 2 * 2]).decode("utf-8", "ignore")
    for match in _CODES.finditer(draft):
        yield "".join(chr(int(code)) for code in re.findall(r"\d+", match[0]))
    joined = re.sub(r"\s+", "", draft)
    for match in list(_ENCODED.finditer(joined))[:_DECODED_MAX]:
        yield from _unpacked(match[0], twice=True)


def _unpacked(packed: str, *, twice: bool) -> Iterator[str]:
    plain = packed.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        text = base64.b64decode(plain + "=" * (-len(plain) % 4)).decode("utf-8", "ignore")
    except (binascii.Error, ValueError):
        return
    yield text
    yield text[::-1]
    if twice and _ENCODED.fullmatch(text):
        yield from _unpacked(text, twice=False)
