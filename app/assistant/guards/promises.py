"""Promises of later work, and claims of work that no tool did.

An assistant only answers now. "I'll get back to you" is a promise that nobody keeps, and "I have
cancelled it" is a lie unless a tool just cancelled it. The words are those of ``promise_words``.
"""

from app.assistant.guards.promise_words import DONE, LATER, PASSED_ON, compiled
from app.assistant.guards.verdicts import Finding, Ruling
from app.assistant.letters import fold

_LATER = compiled(LATER)
_DONE = compiled(DONE)
_PASSED_ON = compiled(PASSED_ON)
# Letters that Unicode does not take for another with a mark.
_UNDECOMPOSED = str.maketrans("ıłøđ", "ilod")


def inspect_promises(draft: str, *, acted: bool, hands_over: bool = False) -> list[Finding]:
    """Return findings for what a draft promises or claims.

    Args:
        draft: what the model wrote.
        acted: True when a tool of the business did something in this turn.
        hands_over: True when people take over with it: what they will do may be said then.
    """
    plain = fold(draft.replace("’", "'")).translate(_UNDECOMPOSED)
    found = []
    if not hands_over and _LATER.search(plain):
        found.append(Finding("promise", "later", Ruling.REPAIR))
    claims = _DONE.search(plain) or (not hands_over and _PASSED_ON.search(plain))
    if not acted and claims:
        found.append(Finding("promise", "claimed", Ruling.REPAIR))
    return found
