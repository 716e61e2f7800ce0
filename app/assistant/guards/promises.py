"""Promises of later work, and claims of work that no tool did.

An assistant only answers now. "I'll get back to you" is a promise that nobody keeps, and "I have
cancelled it" is a lie unless a tool just cancelled it. The words are those of ``promise_words``.
"""

import re

from app.assistant.guards.promise_words import (
    DONE,
    LATER,
    ON_CONDITION,
    PASSED_ON,
    STANDS,
    UNDONE,
    compiled,
)
from app.assistant.guards.verdicts import Finding, Ruling
from app.assistant.letters import fold

_LATER = compiled(LATER)
_DONE = compiled(DONE)
_STANDS = compiled(STANDS)
_UNDONE = compiled(UNDONE)
_ON_CONDITION = compiled(ON_CONDITION)
_PASSED_ON = compiled(PASSED_ON)
_QUOTED_CHARS_MIN = 16
_SENTENCE_CHARS = 120
# Letters that Unicode does not take for another with a mark.
_UNDECOMPOSED = str.maketrans("ıłøđ", "ilod")


def inspect_promises(
    draft: str, *, acted: bool, hands_over: bool = False, reported: str = "", owned: str = ""
) -> list[Finding]:
    """Return findings for what a draft promises or claims.

    The business's own words may be told: "you will receive a link" is no promise of ours where
    its facts say so. And how a booking stands may be told when its own system was just asked.

    Args:
        draft: what the model wrote.
        acted: True when a tool of the business did something in this turn.
        hands_over: True when people take over with it: what they will do may be said then.
        reported: what the business's own systems told in this turn.
        owned: what the owner alone decides; a page can hold a stranger's promise.
    """
    plain = _plain(draft)
    found = []
    if not hands_over:
        promises = [m[0] for m in _LATER.finditer(plain)]
        if promises and not _said_by(_plain(owned), promises):
            found.append(Finding("promise", "later", Ruling.REPAIR))
    if not acted and _is_claimed(plain, _plain(reported), hands_over=hands_over):
        found.append(Finding("promise", "claimed", Ruling.REPAIR))
    return found


def _plain(text: str) -> str:
    return fold(text.replace("’", "'")).translate(_UNDECOMPOSED)


def _said_by(owned: str, promises: list[str]) -> bool:
    """Tell whether the business itself says all of it; a word or two prove nothing."""
    return all(len(p) >= _QUOTED_CHARS_MIN and p.strip() in owned for p in promises)


def _is_claimed(plain: str, reported: str, *, hands_over: bool) -> bool:
    if _DONE.search(plain) or (not hands_over and _PASSED_ON.search(plain)):
        return True
    return any(
        not _ON_CONDITION.search(_before(plain, match.start()))
        and not (reported and (not _UNDONE.search(match[0]) or _UNDONE.search(reported)))
        for match in _STANDS.finditer(plain)
    )


def _before(plain: str, end: int) -> str:
    """Return what stands in front, in the same sentence."""
    return re.split(r"[.?!\n]", plain[max(0, end - _SENTENCE_CHARS) : end])[-1]
