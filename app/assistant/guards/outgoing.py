"""All checks on a final draft, in one place: what may be sent, and what follows if not.

A guard takes a link out or refuses a draft; it never writes. What is refused goes to the model
once for another try, and then to people, with the business's own hand-over text.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from app.assistant.guards.contacts import inspect_contacts
from app.assistant.guards.languages import sure_language
from app.assistant.guards.leaks import inspect_leak
from app.assistant.guards.links import remove_links
from app.assistant.guards.promises import inspect_promises
from app.assistant.guards.secrets import inspect_secrets
from app.assistant.guards.shape import REPLY_CHARS_MAX, inspect_shape
from app.assistant.guards.verdicts import Finding, Ruling
from app.assistant.letters import visible

_STRICTNESS = (Ruling.NOTE, Ruling.REMOVE, Ruling.ADVISE, Ruling.REPAIR, Ruling.BLOCK)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a draft is judged against.

    Attributes:
        given: facts, passages and results of the business's own tools.
        owned: of these what the owner alone decides: facts, approved answers, single values.
        said: the customer's words in this conversation.
        asked: the customer's latest words, whose language the reply should have.
        house: the business's persona and rules.
        hosts: where links may lead.
        languages: the only languages the business answers in; empty for any.
        acted: True when a tool changed something for the customer in this turn.
        reported: what the business's own systems told in this turn.
    """

    canary: str = field(repr=False)
    fence: str = field(repr=False)
    given: str = field(repr=False)
    owned: str = field(repr=False)
    said: str = field(repr=False)
    asked: str = field(repr=False)
    house: Sequence[str] = field(repr=False)
    hosts: Collection[str] = ()
    languages: Sequence[str] = ()
    acted: bool = False
    reported: str = field(default="", repr=False)

    def language(self) -> str | None:
        """Return the language that a reply should be in, when that is sure."""
        theirs = sure_language(self.asked) or sure_language(self.said)
        if theirs is None or not self.languages or theirs in self.languages:
            return theirs
        return self.languages[0]


@dataclass(frozen=True, slots=True)
class Inspection:
    """What the guards say: the text that may be sent, and the strictest ruling."""

    text: str = field(repr=False)
    findings: Sequence[Finding]

    @property
    def ruling(self) -> Ruling | None:
        """The strictest ruling, None when nothing was found."""
        rulings = {finding.ruling for finding in self.findings}
        return next((r for r in reversed(_STRICTNESS) if r in rulings), None)

    @property
    def sendable(self) -> bool:
        """Tell whether the text may be sent as it is."""
        return self.ruling not in {Ruling.REPAIR, Ruling.ADVISE, Ruling.BLOCK}


def inspect_outgoing(draft: str, around: Surroundings, *, hands_over: bool) -> Inspection:
    """Judge a draft; a hand-over's words may speak of what people will do."""
    findings = inspect_shape(draft)
    if len(visible(draft)) > REPLY_CHARS_MAX:
        return Inspection("", findings)
    findings += inspect_leak(draft, canary=around.canary, fence=around.fence, house=around.house)
    findings += inspect_secrets(draft, given=around.owned)
    given = f"{around.given}\n{around.said}"
    findings += inspect_contacts(draft, given=given, hosts=around.hosts)
    text, about_links = remove_links(draft, hosts=around.hosts)
    findings += about_links
    findings += inspect_promises(
        draft,
        acted=around.acted,
        hands_over=hands_over,
        reported=around.reported,
        owned=around.owned,
    )
    findings += _inspect_language(draft, around)
    return Inspection(text, findings)


def _inspect_language(draft: str, around: Surroundings) -> list[Finding]:
    wanted, written = around.language(), sure_language(draft)
    if wanted is None or written is None or wanted == written:
        return []
    return [Finding("language", f"{wanted}:{written}", Ruling.ADVISE)]
