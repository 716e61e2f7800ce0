"""What a business decides about its assistant: one ``Profile``, checked before it is kept.

A profile is the content of a version (``versions``). It is read on every reply, so reading it is
one ``convert``; checking it, with sentences for people, happens when somebody saves it.
"""

import re
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec

from app.core.errors import RefusedError, Word
from app.core.text import storable

FACTS_MAX = 100
FACT_KEY_CHARS_MAX = 80
FACT_VALUE_CHARS_MAX = 1_500
FACTS_CHARS_MAX = 16_000
RULES_MAX = 20
RULE_CHARS_MAX = 400
PERSONA_CHARS_MAX = 1_500
OPENING_CHARS_MAX = 300
LINKS_MAX = 50

Tone = Literal["warm", "formal", "brief", "playful"]
TONES: tuple[Tone, ...] = ("warm", "formal", "brief", "playful")
LANGUAGES = ("en", "es", "pt", "de", "fr", "it", "nl", "pl", "tr", "ar", "id", "hi", "ru", "zh")
"""Languages that a business may limit its assistant to."""

_HOST = re.compile(r"(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}")


class Fact(msgspec.Struct, frozen=True):
    """One thing that is so: ``parking``, ``free for 30 minutes in front of the shop``."""

    key: str
    value: str


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """How an assistant speaks, what it knows by heart, and what it keeps to.

    Attributes:
        persona: the voice in the owner's words, beside the tone.
        languages: the only ones it answers in, the first for all others; empty for any.
        greeting: opens the first reply, in front of the disclosure.
        links: hosts that replies may link to, beside those of the facts and pages.
        model: the model that answers; empty for the platform's.
    """

    tone: Tone = "warm"
    persona: str = ""
    languages: list[str] = []
    rules: list[str] = []
    greeting: str = ""
    disclosure: str = ""
    facts: list[Fact] = []
    links: list[str] = []
    model: str = ""

    @property
    def opening(self) -> str:
        """What leads the first reply; no bubble of its own."""
        return " ".join(part for part in (self.greeting, self.disclosure) if part)


def read(content: Any) -> Profile:
    """Read a stored version; what an older or newer release added is left out."""
    return msgspec.convert(content or {}, Profile, strict=False)


def stored(profile: Profile) -> dict[str, Any]:
    """Return a profile as it is stored."""
    return dict(msgspec.to_builtins(profile))


def checked(profile: Profile, *, models: tuple[str, ...]) -> Profile:
    """Return a profile tidied up; RefusedError says what is wrong with it.

    Args:
        profile: what somebody typed.
        models: the models that may be chosen.
    """
    facts = [
        Fact(_line(fact.key), storable(fact.value.strip(), chars_max=FACT_VALUE_CHARS_MAX + 1))
        for fact in profile.facts
        if fact.key.strip() or fact.value.strip()
    ]
    _check_facts(facts)
    rules = [_line(rule) for rule in profile.rules if rule.strip()]
    if len(rules) > RULES_MAX or any(len(rule) > RULE_CHARS_MAX for rule in rules):
        raise RefusedError(
            "Give at most %(rules)s rules of %(rule_chars)s characters each.",
            rules=RULES_MAX,
            rule_chars=RULE_CHARS_MAX,
        )
    unknown = [code for code in profile.languages if code not in LANGUAGES]
    if unknown:
        raise RefusedError("Choose the languages from the list.")
    if profile.model and profile.model not in models:
        raise RefusedError("Choose a model from the list.")
    return msgspec.structs.replace(
        profile,
        facts=facts,
        rules=rules,
        persona=_text(Word("the voice"), profile.persona, PERSONA_CHARS_MAX),
        greeting=_text(Word("the greeting"), profile.greeting, OPENING_CHARS_MAX),
        disclosure=_text(Word("the AI notice"), profile.disclosure, OPENING_CHARS_MAX),
        links=_hosts(profile.links),
    )


def host_of(link: str) -> str | None:
    """Return the host of a link or bare domain, without ``www.``; None when it is neither."""
    text = link.strip().lower()
    try:
        host = urlsplit(text if "://" in text else f"https://{text}").hostname or ""
    except ValueError:
        return None
    host = host.removeprefix("www.").rstrip(".")
    return host if _HOST.fullmatch(host) else None


def _check_facts(facts: list[Fact]) -> None:
    if len(facts) > FACTS_MAX:
        raise RefusedError(
            "Give at most %(most)s facts; longer knowledge belongs in files.", most=FACTS_MAX
        )
    for fact in facts:
        if not fact.key or not fact.value:
            raise RefusedError("Each fact needs a name and a value.")
        if len(fact.key) > FACT_KEY_CHARS_MAX or len(fact.value) > FACT_VALUE_CHARS_MAX:
            raise RefusedError(
                "A fact has at most %(fact_value_chars)s characters, its name"
                " %(fact_key_chars)s; longer knowledge belongs in files.",
                fact_value_chars=FACT_VALUE_CHARS_MAX,
                fact_key_chars=FACT_KEY_CHARS_MAX,
            )
    if sum(len(fact.key) + len(fact.value) for fact in facts) > FACTS_CHARS_MAX:
        raise RefusedError("The facts are too long together; move some of them into files.")


def _hosts(links: list[str]) -> list[str]:
    found: list[str] = []
    for link in filter(None, (each.strip() for each in links)):
        host = host_of(link)
        if host is None:
            raise RefusedError(
                "“%(link)s” is no link. Give one such as shop.example.com.", link=link[:80]
            )
        if host not in found:
            found.append(host)
    if len(found) > LINKS_MAX:
        raise RefusedError("Give at most %(most)s links.", most=LINKS_MAX)
    return found


def _text(what: Word, raw: str, chars_max: int) -> str:
    text = storable(raw.strip(), chars_max=chars_max + 1)
    if len(text) > chars_max:
        raise RefusedError(
            "Too long: %(what)s has at most %(most)s characters.", what=what, most=chars_max
        )
    return text


def _line(raw: str) -> str:
    return " ".join(storable(raw, chars_max=2_000).split())
