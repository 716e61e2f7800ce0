"""Dates that people say in words, counted by code: the model never counts days.

Understands English, Spanish, Portuguese, German, Indonesian and Arabic. What it is not sure of
it leaves out: the model then asks the customer for the date.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from app.assistant.date_words import (
    A_WEEK_LATER,
    AFTER_NEXT_WORDS,
    DAY_WORDS,
    GONE,
    IN_N,
    MONTHS,
    NEXT_WEEK,
    NUMBERS,
    OF_NEXT_WEEK,
    ORDINAL_DAY,
    RELATIVE,
    TODAY_TOO,
    UNITS,
    WEEKDAYS,
)
from app.assistant.letters import fold

PHRASES_MAX = 8
_DAYS_AHEAD_MAX = 366
_AROUND_CHARS = 36
_ISO = re.compile(r"\b(20\d\d)[-/](\d\d)[-/](\d\d)\b")
_NUMERIC = re.compile(r"(?<![\d./-])(\d{1,2})([./-])(\d{1,2})(?:\2(20\d\d)|\.)(?![\d/-])")
_YEAR = r"(?:,?\s+(?:de\s+|of\s+)?(20\d\d)\b)?"
_DAY_MONTH = re.compile(
    rf"\b(\d{{1,2}})(?:st|nd|rd|th|\.)?\s+(?:of\s+|de\s+)?({'|'.join(MONTHS)})\b\.?{_YEAR}"
)
_MONTH_DAY = re.compile(
    rf"\b({'|'.join(MONTHS)})\.?\s+(\d{{1,2}})(?:st|nd|rd|th)?\b(?!\s*(?:[:.]\d|%|€|euros?\b)){_YEAR}"
)
_NAMES = "|".join(sorted(WEEKDAYS, key=len, reverse=True))
_WEEKDAY = re.compile(
    rf"(?:\b({'|'.join(DAY_WORDS)})\s+)?\b({_NAMES})\b"
    rf"(?:[-\s]feira)?(?:\s+({'|'.join(AFTER_NEXT_WORDS)})(?!\w))?"
)
_ENGLISH_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True, slots=True)
class SaidDate:
    """A phrase and the date that it means."""

    phrase: str
    day: date

    def __str__(self) -> str:
        return f"“{self.phrase}” is {told(self.day)}"


def told(day: date) -> str:
    """Return a date with its weekday, in English whatever the process's locale is."""
    return f"{_ENGLISH_DAYS[day.weekday()]} {day:%Y-%m-%d}"


def find_dates(text: str, today: date) -> list[SaidDate]:
    """Return the dates that a text names in words, in their order, each phrase once."""
    plain = fold(text)
    found: dict[str, tuple[int, SaidDate]] = {}
    taken: list[tuple[int, int]] = []
    for start, end, day in _candidates(plain, today):
        if day is None or any(start < e and s < end for s, e in taken):
            continue
        taken.append((start, end))
        phrase = plain[start:end].strip()
        if abs((day - today).days) <= _DAYS_AHEAD_MAX and phrase not in found:
            found[phrase] = (start, SaidDate(phrase, day))
    ordered = sorted(found.values(), key=lambda item: item[0])
    return [said for _, said in ordered[:PHRASES_MAX]]


_Candidate = tuple[int, int, date | None]


def _candidates(plain: str, today: date) -> Iterator[_Candidate]:
    """Yield what may be a date, the surest first: later ones must not overlap."""
    yield from _named_dates(plain, today)
    weekdays = [(match, _weekday(plain, match, today)) for match in _WEEKDAY.finditer(plain)]
    for match, found in weekdays:
        if found[:2] != match.span():
            yield found
    yield from _distances(plain, today)
    for _, found in weekdays:
        yield found
    for pattern in ORDINAL_DAY:
        for match in pattern.finditer(plain):
            yield *match.span(), _day_of_month(today, int(match["day"]))


def _named_dates(plain: str, today: date) -> Iterator[_Candidate]:
    for match in _ISO.finditer(plain):
        yield *match.span(), _calendar(int(match[1]), int(match[2]), int(match[3]))
    for match in _DAY_MONTH.finditer(plain):
        yield *match.span(), _in_year(today, MONTHS[match[2]], int(match[1]), match[3])
    for match in _MONTH_DAY.finditer(plain):
        yield *match.span(), _in_year(today, MONTHS[match[1]], int(match[2]), match[3])
    for match in _NUMERIC.finditer(plain):
        one, sign, other = int(match[1]), match[2], int(match[3])
        if sign == "." or one > 12 >= other:  # noqa: PLR2004 - months
            yield *match.span(), _in_year(today, other, one, match[4])
        elif other > 12 >= one:  # noqa: PLR2004
            yield *match.span(), _in_year(today, one, other, match[4])


def _distances(plain: str, today: date) -> Iterator[_Candidate]:
    for pattern in IN_N:
        for match in pattern.finditer(plain):
            count = NUMBERS.get(match["n"]) or int(match["n"])
            yield *match.span(), today + timedelta(days=count * UNITS[match["unit"]])
    for phrase, days in RELATIVE:
        for match in phrase.finditer(plain):
            yield *match.span(), today + timedelta(days=days)


def _weekday(plain: str, match: re.Match[str], today: date) -> _Candidate:
    """Return where a weekday is named with what belongs to it, and which day is meant."""
    wanted, (start, end) = WEEKDAYS[match[2]], match.span()
    before, after = plain[max(0, start - _AROUND_CHARS) : start], plain[end : end + _AROUND_CHARS]
    coming = today + timedelta(days=(wanted - today.weekday()) % 7)
    monday = today + timedelta(days=7 - today.weekday())
    said = {match[1], match[3]} - {None}

    for (behind, in_front), day in (
        (OF_NEXT_WEEK, monday + timedelta(days=wanted)),
        (GONE, coming - timedelta(days=7)),
        (A_WEEK_LATER, coming + timedelta(days=7)),
    ):
        if found := behind.search(after):
            return start, end + found.end(), day
        if found := in_front.search(before):
            return start - len(before) + found.start(), end, day
    if match[2] == "minggu" and match[1] is None and match[3] is not None:
        return start, end, None  # "next week" far more often than "next Sunday"
    if said & NEXT_WEEK:
        return start, end, monday + timedelta(days=wanted)
    if said - TODAY_TOO and coming == today:  # "el próximo lunes", said on a Monday
        return start, end, coming + timedelta(days=7)
    return start, end, coming


def _calendar(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _in_year(today: date, month: int, day: int, year: str | None) -> date | None:
    if year is not None:
        return _calendar(int(year), month, day)
    found = _calendar(today.year, month, day)
    if found is not None and (today - found).days > 31:  # noqa: PLR2004 - a month ago is meant as such
        return _calendar(today.year + 1, month, day)
    return found


def _day_of_month(today: date, day: int) -> date | None:
    year, month = today.year, today.month
    for _ in range(3):
        found = _calendar(year, month, day)
        if found is not None and found >= today:
            return found
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)  # noqa: PLR2004
    return None
