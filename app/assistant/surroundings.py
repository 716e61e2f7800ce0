"""What a business gave its assistant: the texts and hosts that a reply may take from."""

from collections.abc import Sequence
from functools import lru_cache

from app.assistant.guards.links import links_in
from app.assistant.profiles import host_of
from app.assistant.prompt import Known, Situation
from app.assistant.tools.port import Tool
from app.assistant.tools.running import Ran

_OWN_KINDS = frozenset({"qa", "fact"})


def given_text(situation: Situation, passages: Sequence[Known], ran: Sequence[Ran]) -> str:
    """Return all that the business itself gave: numbers and addresses in it may be told."""
    parts = [_own_words(situation), situation.opening, *(p.text for p in passages)]
    parts += [each.result.text for each in ran if each.result.outcome == "ok"]
    return "\n".join(parts)


def owner_text(situation: Situation, ran: Sequence[Ran]) -> str:
    """Return what the owner alone decides: payment details may be told from here only.

    Pages, files and longer texts in a tool's answer can carry other people's words.
    """
    scalars = [value for each in ran for value in sorted(each.result.scalars)]
    return "\n".join([_own_words(situation), *scalars])


def hosts_of(
    situation: Situation, passages: Sequence[Known], tools: Sequence[Tool]
) -> frozenset[str]:
    """Return where links may lead: the allow list, and hosts that the owner wrote or connected.

    Links inside pages and files count for nothing: others may have written them. A page's own
    host counts, because the owner named the site.
    """
    hosts = set(situation.profile.links) | _hosts_in(_own_words(situation))
    hosts |= {host for p in passages if p.url and (host := host_of(p.url))}
    for passage in passages:
        if passage.kind in _OWN_KINDS:
            hosts |= _hosts_in(passage.text)
    hosts |= {tool.trusted_host for tool in tools if tool.trusted_host}
    return frozenset(hosts)


def _own_words(situation: Situation) -> str:
    """The owner's own words: facts, approved answers, rules."""
    profile = situation.profile
    parts = [situation.business, profile.persona, profile.greeting, profile.disclosure]
    parts += [*profile.rules, *(f"{fact.key}: {fact.value}" for fact in profile.facts)]
    parts += [known.text for known in situation.inline]
    return "\n".join(parts)


@lru_cache(maxsize=512)
def _hosts_in(text: str) -> frozenset[str]:
    return frozenset(host for link in links_in(text) if (host := host_of(link)))
