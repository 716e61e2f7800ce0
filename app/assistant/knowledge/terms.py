"""Words of texts and questions: normal forms to compare, and codes such as part numbers.

A code is a word with a digit in it. People write ``AB-1234``, ``ab1234`` and ``AB 1234`` for one
part, so each stands in the index under one spelling, beside what the text search makes of it.
"""

import re
import unicodedata

CODE_MARK = "#"
"""Leads a code's lexeme, so that it cannot be taken for a word."""
_CODE = re.compile(r"[^\W_](?:[^\W_]|[-/._](?=[^\W_]))*", re.UNICODE)
_PARTED = re.compile(r"\b([^\W\d_]{1,5})[\s-]+(\d{2,8}[^\W\d_]{0,2})\b", re.UNICODE)
_SEPARATORS = re.compile(r"[-/._]")
_CODE_CHARS_MAX = 40
_CODES_MAX = 400
_WORD = re.compile(r"[^\W_]+", re.UNICODE)


def codes(text: str) -> list[str]:
    """Return the lexemes of a text's codes, each once, in the order of their first use."""
    found: dict[str, None] = {}
    for match in _CODE.finditer(text):
        word = match[0]
        if any(c.isdigit() for c in word) and len(word) <= _CODE_CHARS_MAX:
            found[CODE_MARK + _SEPARATORS.sub("", word).lower()] = None
    for match in _PARTED.finditer(text):
        found[CODE_MARK + (match[1] + match[2]).lower()] = None
    return list(found)[:_CODES_MAX]


def folded(text: str) -> str:
    """Return a text in lower case without accents, as people type on a phone."""
    parts = unicodedata.normalize("NFKD", text.lower())
    return "".join(c for c in parts if not unicodedata.combining(c))


def words(text: str) -> list[str]:
    """Return the folded words of a text."""
    return _WORD.findall(folded(text))


def normal(question: str) -> str:
    """Return what two spellings of one question have in common: folded words, single blanks."""
    return " ".join(words(question))
