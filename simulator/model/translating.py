"""Translating a question word by word: the stand-in for what a language model does well.

A real model translates sentences; this one knows the everyday words of shops, services and
offices (`dictionary.py`), takes the language that knows most of a question's words, and leaves
what it does not know as it stands.
"""

import re
from collections.abc import Sequence

from simulator.model.dictionary import Column, columns, folded

_WORD = re.compile(r"[^\W_]+(?:-[^\W_]+)*", re.UNICODE)
_ARABIC = re.compile("[\u0600-\u06ff]")
_PHRASE_WORDS_MAX = 3
# Between the words of a phrase: "fecha de nacimiento".
_LINKS = frozenset(
    [
        "de",
        "del",
        "da",
        "do",
        "das",
        "dos",
        "la",
        "el",
        "las",
        "los",
        "a",
        "o",
        "von",
        "der",
        "des",
        "zur",
        "zum",
    ]
)
_WHOLE, _SMALL, _GUESSED = 1.0, 0.9, 0.6


def translate(question: str) -> str:
    """The question in English words, in the order of its own; unknown words stay."""
    found = [folded(word) for word in _WORD.findall(question)]
    ranked = _ranked(found)
    out: list[str] = []
    place = 0
    while place < len(found):
        english, length = _phrase(ranked[0], found, place)
        if english is None:
            english, length = _word(ranked, found[place]), 1
        out.append(english)
        place += length
    words = [word for word in out if word]
    return " ".join(word for n, word in enumerate(words) if n == 0 or word != words[n - 1])


def _ranked(words: Sequence[str]) -> list[Column]:
    """The languages that know any of some words, the one that knows most of them first."""
    every = columns()
    if any(_ARABIC.search(word) for word in words):
        return [every["ar"]]
    scores = {code: sum(_told(column, w) for w in words) for code, column in every.items()}
    return sorted(every.values(), key=lambda column: -scores[column.language])


def _told(column: Column, word: str) -> float:
    if word in column.exact:
        return _WHOLE
    if word in column.small:
        return _SMALL
    return _GUESSED if column.known(word) else 0.0


def _phrase(column: Column, words: Sequence[str], place: int) -> tuple[str | None, int]:
    """The longest phrase that begins here, and how many words it takes."""
    best: tuple[str | None, int] = (None, 0)
    told, joined = words[place], 1
    for end in range(place + 1, len(words)):
        plain = f"{told}+{words[end]}"
        if plain in column.exact:
            best = (column.exact[plain], end - place + 1)
        if words[end] in _LINKS:
            continue
        told, joined = plain, joined + 1
        if joined == _PHRASE_WORDS_MAX:
            break
    return best


def _word(ranked: Sequence[Column], word: str) -> str:
    english = ranked[0].english(word)
    if english is not None:
        return english
    for column in ranked[1:]:
        if word in column.exact:
            return column.exact[word]
    return word
