"""Translating a question word by word: the stand-in for what a language model does well.

A real model translates sentences; this one knows the everyday words of shops and services in
Spanish, Portuguese, German, Arabic and Indonesian (`dictionary.txt`), takes off the usual endings,
takes German compounds apart, and leaves what it does not know as it stands.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from pathlib import Path

LANGUAGES = ("es", "pt", "de", "ar", "id")
_FILE = Path(__file__).parent / "dictionary.txt"
_WORD = re.compile(r"[^\W_]+(?:-[^\W_]+)*", re.UNICODE)
_PART_LETTERS_MIN = 3
_STEM_LETTERS_MIN = 3
_PHRASE_WORDS_MAX = 2
# Small words that carry nothing for a search.
_DROPPED = frozenset(
    """
    el la los las un una unos unas de del al y o a en se es son lo le les me te su sus este esta
    esto ese esa eso muy mas si ya he ha hemos fue ser esta estan estoy os as um uma e do da dos das
    no na nos nas ao aos sao ser estou seu sua seus suas isso este esta meu foi voces voce vcs
    der die das den dem des ein eine einen einem einer und oder ist sind ich wir ihr sie es man bei
    im in am an auf zu zum zur von vom aus als auch noch nur so wenn ob dass euch uns mir mich dir
    werden wird wurde war habe bin bitte mal denn eigentlich eure euer unsere
    في من على الى عن ان هذا هذه ذلك التي الذي هو هي انا نحن انتم او و ثم قد كان يا اذا ما
    di ke dari dan atau yang ini itu saya kami kita anda kamu nya pada oleh adalah juga sudah akan
    kah lah ya sih kalau jika untuk para
    """.split()  # noqa: SIM905 - one list a line of words is how people read it
)
_ARABIC_PREFIXES = ("وال", "بال", "لل", "فال", "كال", "ال", "و", "ب", "ل", "ف")
_ARABIC_SUFFIXES = ("كم", "هم", "ها", "نا", "ات", "ين", "ون", "تي", "ي", "ه", "ك")
_INDONESIAN_PREFIXES = (
    "menge", "meng", "meny", "mem", "men", "me", "di", "ber", "ter", "peng", "pem", "pen", "per",
    "pe",
)  # fmt: skip
_INDONESIAN_SUFFIXES = ("kannya", "annya", "nya", "kan", "kah", "lah", "an", "i", "ku", "mu")


def translate(question: str) -> str:
    """The question in English words, in the order of its own; unknown words stay."""
    found = [_folded(word) for word in _WORD.findall(question)]
    out: list[str] = []
    place = 0
    while place < len(found):
        for length in range(_PHRASE_WORDS_MAX, 0, -1):
            english = _english("+".join(found[place : place + length]))
            if english is not None or length == 1:
                out += [english if english is not None else found[place]]
                place += length
                break
    words = [word for word in out if word]
    return " ".join(word for n, word in enumerate(words) if n == 0 or word != words[n - 1])


def _english(word: str) -> str | None:
    """A word's translation; empty for one that says nothing, None for one that is unknown."""
    for form in _forms(word):
        found = _look_up(form)
        if found is not None:
            return found
    return _compound(word)


def _forms(word: str) -> Iterator[str]:
    yield word
    for prefix in _ARABIC_PREFIXES:
        if word.startswith(prefix) and len(word) - len(prefix) >= _STEM_LETTERS_MIN - 1:
            rest = word.removeprefix(prefix)
            yield rest
            yield from _without_endings(rest, _ARABIC_SUFFIXES)
    yield from _without_endings(word, _ARABIC_SUFFIXES)
    for rest in _without_endings(word, _INDONESIAN_SUFFIXES):
        yield rest
        yield from _without_beginnings(rest)
    yield from _without_beginnings(word)


def _without_endings(word: str, endings: tuple[str, ...]) -> Iterator[str]:
    for ending in endings:
        if word.endswith(ending) and len(word) - len(ending) >= _STEM_LETTERS_MIN:
            yield word.removesuffix(ending)


def _without_beginnings(word: str) -> Iterator[str]:
    for beginning in _INDONESIAN_PREFIXES:
        if word.startswith(beginning) and len(word) - len(beginning) >= _STEM_LETTERS_MIN:
            yield word.removeprefix(beginning)


def _look_up(word: str) -> str | None:
    exact, stems = _dictionary()
    if word in exact:
        return exact[word]
    if "+" in word:
        return None
    if word in _DROPPED:
        return ""
    for length in range(len(word), _STEM_LETTERS_MIN - 1, -1):
        if word[:length] in stems:
            return stems[word[:length]]
    return None


def _compound(word: str) -> str | None:
    """A German compound by its parts, the longest first part that leaves a known rest."""
    for cut in range(len(word) - _PART_LETTERS_MIN, _PART_LETTERS_MIN - 1, -1):
        first, rest = word[:cut], word[cut:]
        for head in (first, first.removesuffix("s"), first + "en", first + "e"):
            left, right = _look_up(head), _look_up(rest)
            if left and right:
                return f"{left} {right}"
    return None


@cache
def _dictionary() -> tuple[dict[str, str], dict[str, str]]:
    """Exact words and beginnings, with what they mean. The first line that has a word wins."""
    exact: dict[str, str] = {}
    stems: dict[str, str] = {}
    for line in _FILE.read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        english, *columns = (part.strip() for part in line.split("|"))
        for word in " ".join(columns).split():
            if word == "-":
                continue
            if word.endswith("*"):
                stems.setdefault(_folded(word[:-1]), english)
            else:
                exact.setdefault(_folded(word), english)
    return exact, stems


def _folded(word: str) -> str:
    """Lower case without accents; Arabic letters that are written in several ways as one."""
    parts = unicodedata.normalize("NFKD", word.lower())
    bare = "".join(c for c in parts if not unicodedata.combining(c))
    return bare.replace("ß", "ss").replace("ة", "ه").replace("ى", "ي").replace("ـ", "")
