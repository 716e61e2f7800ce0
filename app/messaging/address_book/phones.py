"""Phone numbers as people type and read them; as stored they are digits with the country code."""

import re
from functools import lru_cache

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat

_DIGITS = re.compile(r"[0-9]+", re.ASCII)
_PREFIX_DIGITS_MIN = 3
# The digit after; a letter sorts behind every digit in any collation.
_AFTER = dict(zip("0123456789", "123456789a", strict=True))


def parse(raw: str, country: str | None) -> str | None:
    """Return a number as E.164 digits without the plus; None when there is no such number.

    Args:
        raw: as typed: ``+49 151 …``, ``0049 151 …``, ``0151 …``, ``49151…``.
        country: where numbers without a country code are from, as two letters.
    """
    words = raw.strip()
    guesses = [words]
    digits = re.sub(r"\D", "", words)
    if not words.startswith("+") and digits:
        guesses.append(f"+{digits.removeprefix('00')}")
    for guess in guesses:
        try:
            number = phonenumbers.parse(guess, country)
        except NumberParseException:
            continue
        if phonenumbers.is_valid_number(number):
            return phonenumbers.format_number(number, PhoneNumberFormat.E164).removeprefix("+")
    return None


@lru_cache(maxsize=4096)
def shown(digits: str) -> str:
    """Return stored digits as people read them: ``+49 1515 5501234``."""
    try:
        number = phonenumbers.parse(f"+{digits}", None)
    except NumberParseException:
        return f"+{digits}"
    return phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL)


def ranges(words: str, country: str | None) -> list[tuple[str, str]]:
    """Return what addresses lie between that begin with a typed number, or a part of one.

    Pairs of first (inclusive) and last (exclusive); empty when the words are no number.
    """
    compact = re.sub(r"[\s()./+-]", "", words)
    if len(compact) < _PREFIX_DIGITS_MIN or not _DIGITS.fullmatch(compact):
        return []
    prefixes = {compact.removeprefix("00")}
    try:
        number = phonenumbers.parse(words, country)
    except NumberParseException:
        pass
    else:
        prefixes.add(f"{number.country_code}{number.national_number}")
    return [(p, p[:-1] + _AFTER[p[-1]]) for p in sorted(prefixes) if p]
