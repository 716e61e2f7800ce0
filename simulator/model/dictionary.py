"""Words of Spanish, Portuguese, German, Arabic and Indonesian in English: `dictionary.txt`.

A line has an English word or two, then each language's words for it. A word that ends in ``*``
stands for all that begin so; ``+`` joins the words of a phrase. Within a language the first line
that has a word wins. Words that are not there are tried without the endings and beginnings that
their language adds, as parts of a compound (German), and as a cousin of an English word.
"""

import json
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from simulator.model import cousins, minilm

LANGUAGES = ("es", "pt", "de", "ar", "id")
_FILE = Path(__file__).parent / "dictionary.txt"
_LETTERS_MIN = 3
_ENDING_MAX = 5
_ARABIC_LETTERS_MIN = 2
_SHORT_STEM = 3
# After a short beginning only an ending may follow: "com*" eats, "comunidad" does not.
_ENDING = re.compile(
    "(?:[aeiou]|[aeiou]?[smnrt]|[aei][dt]?[ao]s?|[aei]mos|[aei]ste|[aei]va[ms]?|[aei]ba[ns]?"
    "|[ae]ria[ms]?|[aei]ndo|aron|eron|aram|eram|iram|[ai]a[ns]?|en|st|et|te|ten|ung|ungen|eis|ais)?"
)
# Small words that carry nothing for a search.
_SMALL = {
    "es": (
        "el la los las lo un una unos unas de del al y o u a en se es son le les me te su sus "
        "este esta esto estos estas ese esa eso he ha han hemos fue ser estan estoy os que "
        "nos yo ella ellos usted ustedes por favor hola gracias pues tan tal estaba era"
    ),
    "pt": (
        "o a os as um uma de e do da dos das no na nos nas ao aos em se sao ser estou seu sua "
        "seus suas isso este esta esse essa foi voces voce vcs vc eu ele ela pelo pela que la "
        "ai estava era ola oi obrigado obrigada por favor tao fui vao vai vou"
    ),
    "de": (
        "der die das den dem des ein eine einen einem einer eines und oder ist sind ich wir "
        "ihr sie er es man bei im in am an auf zu zum zur von vom aus als noch so ob dass "
        "euch uns mir mich dir dich werden wird wurde war habe hat bin bitte mal denn "
        "eigentlich eure euer unsere unser unserem hallo danke sich sein hier nun doch"
    ),
    "ar": (
        "في من على الى عن ان هذا هذه ذلك التي الذي هو هي انا نحن انتم انت او و ثم قد كان كنت "
        "يا ما لي له لها مرحبا شكرا السلام عليكم فضلك"
    ),
    "id": (
        "di ke dari dan atau yang ini itu saya aku kami kita anda kamu nya pada oleh adalah "
        "kah lah ya sih untuk para halo tolong mohon dong deh kok nih pak bu min katanya akan"
    ),
}
_PREFIXES_DE = (
    "zuruck", "herunter", "weiter", "ab", "an", "auf", "aus", "bei", "ein", "fest", "her", "hin",
    "los", "mit", "nach", "um", "vor", "weg", "zu",
)  # fmt: skip
_PREFIXES_AR = (
    "وال", "وبال", "وب", "ول", "بال", "فال", "كال", "ولل", "ال", "لل", "و", "ب", "ل", "ف", "س",
    "ي", "ت", "ن", "ا",
)  # fmt: skip
_SUFFIXES_AR = (
    "تموني", "وني", "كم", "هم", "ها", "نا", "ني", "ات", "ين", "ان", "ون", "وا", "تي", "ته", "ي",
    "ه", "ك", "ت", "ا", "ن",
)  # fmt: skip
# What an Indonesian verb's beginning swallowed: "menulis" is "tulis", "memakai" is "pakai".
_PREFIXES_ID = (
    ("menge", ""), ("meng", ""), ("meng", "k"), ("meny", "s"), ("mem", ""), ("mem", "p"),
    ("men", ""), ("men", "t"), ("me", ""), ("peng", ""), ("peng", "k"), ("peny", "s"),
    ("pem", ""), ("pem", "p"), ("pen", ""), ("pen", "t"), ("per", ""), ("pe", ""), ("ber", ""),
    ("di", ""), ("ter", ""), ("ke", ""), ("se", ""),
)  # fmt: skip
_SUFFIXES_ID = ("kannya", "annya", "inya", "nya", "kan", "kah", "lah", "an", "i", "ku", "mu")


@dataclass(slots=True)
class Column:
    """One language's words: whole ones, phrases by ``+``, and beginnings."""

    language: str
    exact: dict[str, str] = field(default_factory=dict)
    stems: dict[str, str] = field(default_factory=dict)
    small: frozenset[str] = frozenset()

    def known(self, word: str) -> str | None:
        """A word as it stands: its English, "" for a small word, None when it is not here."""
        if word in self.small:
            return ""
        if word in self.exact:
            return self.exact[word]
        for length in range(len(word), _LETTERS_MIN - 2, -1):
            found = self.stems.get(word[:length])
            if found is not None and (length > _SHORT_STEM or _ENDING.fullmatch(word[length:])):
                return found
        return None

    def english(self, word: str) -> str | None:
        """A word's English, whatever its endings; "" for a small word, None for an unknown one."""
        found = self.known(word)
        if found and self.language == "de" and not self._ends(word):
            found = self._compound(word) or found
        if found is not None:
            return found
        for form in _forms(self.language, word):
            found = self.known(form)
            if found:
                return found
        found = self._compound(word) if self.language == "de" else None
        return found or cousins.english(self.language, word, vocabulary())

    def _ends(self, word: str) -> bool:
        """Whether only an ending follows the longest beginning that a word has here."""
        lengths = (n for n in range(len(word), 0, -1) if word[:n] in self.stems)
        return word in self.exact or len(word) - next(lengths, 0) <= _ENDING_MAX

    def _compound(self, word: str) -> str | None:
        """A German compound by its parts, the longest first part that leaves a known rest."""
        for cut in range(len(word) - _LETTERS_MIN, _LETTERS_MIN - 1, -1):
            first, rest = word[:cut], word[cut:]
            for head in (first, first.removesuffix("s"), first + "en", first + "e"):
                left, right = self.known(head), self.known(rest)
                if left and right:
                    return f"{left} {right}"
        return None


@cache
def columns() -> dict[str, Column]:
    """The dictionary by language."""
    found = {
        code: Column(code, small=frozenset(map(folded, _SMALL[code].split()))) for code in LANGUAGES
    }
    for line in _FILE.read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        english, *texts = (part.strip() for part in line.split("|"))
        for code, text in zip(LANGUAGES, texts, strict=True):
            for word in text.split():
                if word != "-":
                    _add(found[code], folded(word), english)
    return found


@cache
def vocabulary() -> frozenset[str]:
    """English words: those that the embedding model has a token for. Empty where it is missing."""
    try:
        tokenizer = json.loads((minilm.folder() / "tokenizer.json").read_text(encoding="utf-8"))
    except (minilm.MissingModelError, OSError):
        return frozenset()
    return frozenset(word for word in tokenizer["model"]["vocab"] if word.isalpha())


def folded(word: str) -> str:
    """Lower case without accents; Arabic letters that are written in several ways as one."""
    parts = unicodedata.normalize("NFKD", word.lower())
    bare = "".join(c for c in parts if not unicodedata.combining(c))
    return bare.replace("ß", "ss").replace("ة", "ه").replace("ى", "ي").replace("ـ", "")


def _add(column: Column, word: str, english: str) -> None:
    if word.endswith("*"):
        column.stems.setdefault(word[:-1], english)
    else:
        column.exact.setdefault(word, english)


def _forms(language: str, word: str) -> Iterator[str]:
    if language == "ar":
        yield from _arabic(word)
    elif language == "id":
        yield from _indonesian(word)
    elif language == "de":
        yield from _german(word)


def _german(word: str) -> Iterator[str]:
    """Participles and infinitives with "zu": "angekommen" and "anzukommen" are "ankommen"."""
    for prefix in _PREFIXES_DE:
        for between in ("ge", "zu"):
            if word.startswith(prefix + between):
                yield prefix + word[len(prefix + between) :]
    if word.startswith("ge"):
        yield word.removeprefix("ge")
    for prefix in _PREFIXES_DE:
        if word.startswith(prefix) and len(word) - len(prefix) > _LETTERS_MIN:
            yield word.removeprefix(prefix).removeprefix("ge")


def _arabic(word: str) -> Iterator[str]:
    for prefix in ("", *_PREFIXES_AR):
        rest = word.removeprefix(prefix)
        if not word.startswith(prefix) or len(rest) < _ARABIC_LETTERS_MIN:
            continue
        if prefix:
            yield rest
        for suffix in _SUFFIXES_AR:
            if rest.endswith(suffix) and len(rest) - len(suffix) >= _ARABIC_LETTERS_MIN:
                bare = rest.removesuffix(suffix)
                yield bare
                yield bare + "ه"


def _indonesian(word: str) -> Iterator[str]:
    first, dash, second = word.partition("-")
    if dash:
        yield first
        yield from _indonesian(first)
        yield second
    bare = [word, *(word.removesuffix(s) for s in _SUFFIXES_ID if word.endswith(s))]
    for rest in bare:
        if len(rest) < _LETTERS_MIN:
            continue
        yield rest
        for prefix, swallowed in _PREFIXES_ID:
            if rest.startswith(prefix) and len(rest) - len(prefix) >= _LETTERS_MIN - 1:
                yield swallowed + rest.removeprefix(prefix)
