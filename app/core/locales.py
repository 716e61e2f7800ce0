"""Languages: which one a visitor gets, and the catalogues (gettext, compiled at build).

The order is the person's own choice, the cookie of the switch, then ``Accept-Language``.
English is the source and needs no catalogue. Letters are written in the reader's language.
"""

from __future__ import annotations

import gettext
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from babel.core import Locale

DIRECTORY = Path(__file__).parent / "locale"
COOKIE = "lang"
DEFAULT = "en"
NAMES = {"en": "English", "es": "Español", "pt": "Português"}


def choose(*, person: str | None, cookie: str | None, accept_language: str) -> str:
    """Return the language of a visitor: a key of ``NAMES``."""
    for wanted in (person, cookie, *_accepted(accept_language)):
        language = (wanted or "").replace("_", "-").partition("-")[0].lower()
        if language in NAMES:
            return language
    return DEFAULT


def _accepted(header: str) -> list[str]:
    """Return the languages of an Accept-Language header, the most wanted first."""
    weighed: list[tuple[float, int, str]] = []
    for place, part in enumerate(header[:400].split(",")):
        tag, _, parameters = part.strip().partition(";")
        quality = parameters.strip().removeprefix("q=") if parameters else "1"
        try:
            weight = float(quality)
        except ValueError:
            continue
        if tag and weight > 0:
            weighed.append((-weight, place, tag))
    return [tag for _, _, tag in sorted(weighed)]


@cache
def translations(language: str) -> gettext.NullTranslations:
    """Return a language's catalogue; English, and one that is not compiled, translate nothing."""
    return gettext.translation("messages", DIRECTORY, languages=[language], fallback=True)


class Translator:
    """Says sentences of the catalogue in one language."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._catalogue = translations(language)

    def __call__(self, message: str, /, **values: object) -> str:
        """Translate a message and put values into its ``%(name)s`` places."""
        text = self._catalogue.gettext(message) if message else ""
        return text % values if values else text

    def ngettext(self, one: str, many: str, number: int, /, **values: object) -> str:
        """Translate a message about ``number`` things; ``%(number)s`` is filled by itself."""
        return self._catalogue.ngettext(one, many, number) % {"number": number, **values}


@cache
def translator(wanted: str) -> Translator:
    """Return who speaks a language given as ``pt`` or ``pt-BR``; English for one we lack."""
    return Translator(choose(person=wanted, cookie=None, accept_language=""))


@cache
def locale(language: str) -> Locale:
    """Return Babel's locale of a language: how it writes numbers and dates."""
    from babel.core import Locale

    return Locale.parse("pt_BR" if language == "pt" else language)
