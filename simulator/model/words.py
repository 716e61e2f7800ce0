"""What a text is about: its topics, days and things, and the language it is in."""

import re
import unicodedata

from simulator.model.lexicon import (
    DAYS,
    LANGUAGE_MARKERS,
    SPECIFIC,
    STOP,
    TOPICS,
    WEEKEND,
)

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
_ARABIC = re.compile("[\u0621-\u064a]{2}")
_MONEY = re.compile(
    r"(?:[€$£]|\b(?:eur|usd|gbp|brl|mxn|r\$))\s?\d|\d\s?(?:[€$£]|(?:eur|euros?|usd|reais)\b)",
    re.IGNORECASE,
)


def fold(text: str) -> str:
    """Lower case without accents."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in decomposed if not unicodedata.combining(c))


def _lexicon() -> dict[str, tuple[str, ...]]:
    table: dict[str, tuple[str, ...]] = {
        word: (topic,) for topic, words in TOPICS.items() for word in words.split()
    }
    table |= SPECIFIC
    for number, names in enumerate(DAYS):
        table |= dict.fromkeys(names.split(), (f"day{number}",))
    table |= dict.fromkeys(WEEKEND, ("day5", "day6"))
    return table


_LEXICON = _lexicon()
_FOLDED_STOP = frozenset(fold(word) for word in STOP)


def stem(word: str) -> str:
    """A word without its plural and its last vowel: joins bread and breads, vegano and vegan."""
    if len(word) > 3 and word.endswith("s") and not word.endswith("ss"):  # noqa: PLR2004
        word = word[:-1]
    if len(word) > 3 and word[-1] in "aeo":  # noqa: PLR2004
        word = word[:-1]
    return word


def words(text: str) -> list[str]:
    """The words of a text, folded."""
    return _WORD.findall(fold(text))


def tokens(text: str) -> set[str]:
    """What a text is about: topics, days (`day0` is Monday) and stems of other content words."""
    found: set[str] = set()
    for word in words(text):
        bare = word.partition("'")[0].partition("’")[0]
        if bare in _LEXICON:
            found.update(_LEXICON[bare])
        elif bare not in _FOLDED_STOP and (len(bare) > 1 or bare.isdigit()):
            found.add(stem(bare))
    if _MONEY.search(text):
        found.add("price")
    return found


def is_topic(token: str) -> bool:
    """Whether a token is a topic and not a thing."""
    return token in TOPICS


def is_day(token: str) -> bool:
    """Whether a token is a day of the week."""
    return len(token) == 4 and token.startswith("day") and token[3].isdigit()  # noqa: PLR2004


def weekdays(token_set: set[str]) -> list[int]:
    """The days among tokens, Monday is 0."""
    return sorted(int(token[3]) for token in token_set if is_day(token))


def language(text: str) -> str:
    """The likely language of a text: en, es, pt, de, id or ar."""
    if _ARABIC.search(text):
        return "ar"
    found = [word.casefold() for word in re.findall(r"[^\W\d_]+", text)]
    scores = {
        code: sum(word in markers for word in found) for code, markers in LANGUAGE_MARKERS.items()
    }
    best = max(scores, key=lambda code: (scores[code], code == "en"))
    return best if scores[best] else "en"
