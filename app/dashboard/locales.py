"""Languages: which one a visitor gets, and the catalogues (gettext, compiled at build).

The order is the person's own choice, the cookie of the switch, then ``Accept-Language``.
English is the source and needs no catalogue.
"""

import gettext
from functools import cache
from pathlib import Path

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


@cache
def locale(language: str) -> Locale:
    """Return Babel's locale of a language: how it writes numbers and dates."""
    return Locale.parse("pt_BR" if language == "pt" else language)


def missing_catalogues() -> list[str]:
    """Return the languages whose catalogue has not been compiled."""
    return [
        language
        for language in NAMES
        if language != DEFAULT
        and not (DIRECTORY / language / "LC_MESSAGES" / "messages.mo").is_file()
    ]
