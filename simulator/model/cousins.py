"""Cousins of English words: how other languages spell what came from Latin, Greek or English.

"Habitación" is no cousin, "información" is: an ending is exchanged, and what comes of it must be
an English word.
"""

from collections.abc import Iterator

_LETTERS_MIN = 5
_ROMANCE = (
    ("ciones", "tions"), ("cion", "tion"), ("siones", "sions"), ("sion", "sion"), ("cao", "tion"),
    ("coes", "tions"), ("sao", "sion"), ("soes", "sions"), ("dades", "ties"), ("idad", "ity"),
    ("idade", "ity"), ("dad", "ty"), ("dade", "ty"), ("amente", "ly"), ("mente", "ly"),
    ("encia", "ence"), ("ancia", "ance"), ("encia", "ency"), ("ario", "ary"), ("aria", "ary"),
    ("orio", "ory"), ("oria", "ory"), ("ico", "ic"), ("ica", "ic"), ("icos", "ics"),
    ("icas", "ics"), ("ico", "ical"), ("ica", "ical"), ("ivo", "ive"), ("iva", "ive"),
    ("oso", "ous"), ("osa", "ous"), ("ismo", "ism"), ("ista", "ist"), ("istas", "ists"),
    ("ante", "ant"), ("antes", "ants"), ("ente", "ent"), ("entes", "ents"), ("ible", "ible"),
    ("avel", "able"), ("ivel", "ible"), ("izar", "ize"), ("ificar", "ify"), ("ador", "ator"),
    ("adora", "ator"), ("tura", "ture"), ("logia", "logy"), ("grafia", "graphy"), ("ado", "ated"),
    ("ada", "ated"), ("ar", "ate"), ("ar", "e"), ("ar", ""), ("ir", "e"), ("ir", ""), ("ia", "y"),
    ("io", "y"), ("ia", "ia"), ("ao", "on"), ("oes", "ons"), ("o", ""), ("a", ""), ("e", ""),
    ("o", "e"), ("a", "e"), ("os", "s"), ("as", "s"), ("es", "s"), ("al", "al"), ("ais", "al"),
)  # fmt: skip
_GERMAN = (
    ("itat", "ity"), ("itaten", "ities"), ("ieren", "ate"), ("ieren", "e"), ("ieren", ""),
    ("iert", "ated"), ("iert", "ed"), ("ische", "ic"), ("ischen", "ic"), ("isch", "ic"),
    ("isch", "ical"), ("ation", "ation"), ("ationen", "ations"), ("enz", "ence"), ("anz", "ance"),
    ("iv", "ive"), ("ive", "ive"), ("ismus", "ism"), ("logie", "logy"), ("ie", "y"), ("ar", "ary"),
    ("en", ""), ("e", ""), ("er", "er"), ("n", ""), ("s", ""), ("k", "c"), ("kt", "ct"),
)  # fmt: skip
_INDONESIAN = (
    ("asi", "ation"), ("isi", "ition"), ("ksi", "ction"), ("si", "tion"), ("si", "sion"),
    ("itas", "ity"), ("tas", "ty"), ("is", "ic"), ("is", "ical"), ("ik", "ic"), ("ik", "ics"),
    ("if", "ive"), ("isme", "ism"), ("logi", "logy"), ("grafi", "graphy"), ("ansi", "ance"),
    ("ensi", "ence"), ("tur", "ture"), ("er", "re"), ("ium", "ium"), ("i", "y"), ("us", "us"),
    ("al", "al"), ("or", "or"), ("r", "re"), ("s", "ce"), ("t", "te"), ("", "s"), ("", "e"),
)  # fmt: skip
_ENDINGS = {"es": _ROMANCE, "pt": _ROMANCE, "de": _GERMAN, "id": _INDONESIAN}
_SPELLINGS = (("", ""), ("k", "c"), ("f", "ph"), ("z", "c"), ("kt", "ct"), ("ks", "x"), ("qu", "c"))


def english(language: str, word: str, vocabulary: frozenset[str]) -> str | None:
    """The English word that a word is a cousin of; None when there is none."""
    if len(word) < _LETTERS_MIN or language not in _ENDINGS:
        return None
    for form in _forms(_ENDINGS[language], word):
        if form in vocabulary and len(form) >= _LETTERS_MIN - 1:
            return form
    return None


def _forms(endings: tuple[tuple[str, str], ...], word: str) -> Iterator[str]:
    for old, new in _SPELLINGS:
        spelled = word.replace(old, new) if old else word
        if old and spelled == word:
            continue
        yield spelled
        for ending, exchange in endings:
            if spelled.endswith(ending):
                yield spelled.removesuffix(ending) + exchange
