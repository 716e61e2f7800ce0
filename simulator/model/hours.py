"""Opening hours as businesses write them: which day says what."""

import re
from datetime import time

from simulator.model.lexicon import DAYS
from simulator.model.words import fold

_SHORT = (
    "monday mon lunes lun segunda-feira segunda seg",
    "tuesday tues tue martes mar terca-feira terca",
    "wednesday wed miercoles mie quarta-feira quarta qua",
    "thursday thurs thur thu jueves jue quinta-feira quinta qui",
    "friday fri viernes vie sexta-feira sexta sex",
    "saturday sat sabado sab",
    "sunday sun domingo dom",
)
_NUMBER = {name: number for number, names in enumerate(_SHORT) for name in names.split()}
_NUMBER |= {name: number for number, names in enumerate(DAYS) for name in names.split()}
_DAY = "|".join(sorted((re.escape(name) for name in _NUMBER), key=len, reverse=True))
_RANGE = re.compile(
    rf"\b({_DAY})\b\.?(?:\s*(?:-|–|—|to|through|until|till|a|al|ate|à)\s*\b({_DAY})\b\.?)?"
)
_EVERY_DAY = re.compile(
    r"\b(?:every ?day|daily|all week|7 days|todos los dias|cada dia|todos os dias|diariamente)\b"
)
_WEEKDAYS = re.compile(r"\b(?:weekdays|working days|entre semana|dias uteis)\b")
_WEEKEND = re.compile(r"\b(?:weekends?|fin de semana|fim de semana)\b")
_CLOSED = re.compile(r"\b(?:closed|cerrad[oa]s?|cerramos|fechad[oa]s?|fechamos|encerrad[oa]s?)\b")
_CLOCK = re.compile(r"\b(\d{1,2})(?:[:.h](\d{2}))?\s*([ap]\.?m\.?)?", re.IGNORECASE)
_SPAN = re.compile(
    r"\b\d{1,2}(?:[:.h]\d{2})?\s*(?:[ap]\.?m\.?)?h?\s*(?:-|–|—|to|until|till|a|às|as|ate|hasta)\s*"
    r"\d{1,2}(?:[:.h]\d{2})?\s*(?:[ap]\.?m\.?)?",
    re.IGNORECASE,
)
_OTHER_WORDS = re.compile(r"[a-z]{3,}")
_PIECES = re.compile(r"[;|\n•]|,(?!\d)|(?<=\w)\.\s|\band\b|\by\b(?=\s+\D)")
_HALF_DAY_H = 12
_DAY_H = 24
_MINUTES_H = 60

Schedule = dict[int, str]
CLOSED = "closed"


def parse_schedule(text: str) -> Schedule:
    """The hours of each day named in a text (Monday is 0): spans as written, or `closed`."""
    schedule: dict[int, list[str]] = {}
    waiting: set[int] = set()
    current: set[int] = set()
    for piece in _PIECES.split(fold(text)):
        days = _days(piece)
        closed = bool(_CLOSED.search(piece))
        spans = [CLOSED] if closed else [span.group().strip() for span in _SPAN.finditer(piece)]
        if days:
            current = waiting | days if spans else current
            waiting = set() if spans else waiting | days
        elif waiting and spans:
            current, waiting = waiting, set()
        elif closed or _OTHER_WORDS.search(_SPAN.sub("", piece)):
            # It speaks of something else, such as a holiday.
            current = set()
        for day in current if spans else ():
            schedule.setdefault(day, []).extend(spans)
    return {day: ", ".join(spans) for day, spans in schedule.items()}


def open_at(spans: str, moment: time) -> bool:
    """Whether a day's hours include a moment; a span past midnight ends at midnight."""
    at = moment.hour * _MINUTES_H + moment.minute
    for span in spans.split(", "):
        clocks = _CLOCK.findall(span)
        if len(clocks) > 1:
            start, end = _minutes(*clocks[0]), _minutes(*clocks[1])
            end = end if end > start else _DAY_H * _MINUTES_H
            if start <= at < end:
                return True
    return False


def _days(piece: str) -> set[int]:
    days: set[int] = set()
    if _EVERY_DAY.search(piece):
        days |= set(range(7))
    if _WEEKDAYS.search(piece):
        days |= set(range(5))
    if _WEEKEND.search(piece):
        days |= {5, 6}
    for match in _RANGE.finditer(piece):
        first = _NUMBER[match.group(1)]
        last = _NUMBER[match.group(2)] if match.group(2) else first
        days |= {(first + step) % 7 for step in range((last - first) % 7 + 1)}
    return days


def _minutes(hour: str, minute: str, half: str) -> int:
    hours = int(hour)
    if half:
        hours = hours % _HALF_DAY_H + (_HALF_DAY_H if half.lower().startswith("p") else 0)
    return hours * _MINUTES_H + int(minute or 0)
