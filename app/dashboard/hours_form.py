"""The form of hours and manners: what stands in its fields, and what it means when it is sent.

Times of day are ``HH:MM``; a close at or before its opening is on the next day. Fields are
``open-<day>-<n>`` and ``close-<day>-<n>`` for the week (0 is Monday), ``special-day-<n>``,
``special-name-<n>``, ``special-open-<n>-<m>`` and ``special-close-<n>-<m>`` for special days.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import date

from app.core.errors import RefusedError
from tenants.conduct import NAME_CHARS_MAX, Conduct
from tenants.hours import (
    DAY_MIN,
    INTERVALS_A_DAY_MAX,
    SPECIAL_DAYS_MAX,
    Interval,
    SpecialDay,
    WeeklyHours,
)

SPECIAL_INTERVALS = 2
_DAYS = 7
_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)", re.ASCII)


def fields_of(conduct: Conduct) -> dict[str, str]:
    """Return the fields of settings as they are stored."""
    form = {
        "mode": conduct.mode,
        "closed_text": conduct.closed_text,
        "handover_text": conduct.handover_text,
        "bubbles": "yes" if conduct.bubbles else "",
        "letters_with_summary": "yes" if conduct.letters_with_summary else "",
        "idle_s": f"{conduct.idle_s:g}",
        "cap_s": f"{conduct.cap_s:g}",
    }
    for day, intervals in conduct.hours.week.items():
        form |= _clocks(f"{day}", intervals)
    for n, (at, special) in enumerate(sorted(conduct.hours.special.items())):
        form |= {f"special-day-{n}": at.isoformat(), f"special-name-{n}": special.name}
        form |= {f"special-{k}": v for k, v in _clocks(f"{n}", special.intervals).items()}
    return form


def special_rows(form: Mapping[str, str]) -> list[int]:
    """Return the numbers of the special days that a form has, and one for a new day."""
    filled = [n for n in range(SPECIAL_DAYS_MAX) if form.get(f"special-day-{n}")]
    return [*filled, max(filled, default=-1) + 1]


def conduct_of(form: Mapping[str, str], now: Conduct) -> Conduct:
    """Read a form that was sent; RefusedError names the field that cannot be read.

    Args:
        form: its text fields.
        now: the settings of before, whose zone the hours are in.
    """
    return Conduct(
        mode=form.get("mode", ""),
        hours=WeeklyHours(now.hours.zone, _week(form), _special(form)),
        closed_text=form.get("closed_text", ""),
        handover_text=form.get("handover_text", ""),
        bubbles=form.get("bubbles") == "yes",
        idle_s=_seconds(form.get("idle_s", "")),
        cap_s=_seconds(form.get("cap_s", "")),
        letters_with_summary=form.get("letters_with_summary") == "yes",
    )


def _clocks(key: str, intervals: Sequence[Interval]) -> dict[str, str]:
    form = {}
    for n, interval in enumerate(intervals):
        form[f"open-{key}-{n}"] = _clock(interval.opens_min)
        form[f"close-{key}-{n}"] = _clock(interval.closes_min)
    return form


def _clock(minute: int) -> str:
    return f"{minute // 60 % 24:02}:{minute % 60:02}"


def _week(form: Mapping[str, str]) -> dict[int, tuple[Interval, ...]]:
    week = {}
    for day in range(_DAYS):
        if intervals := _intervals(form, "", str(day), INTERVALS_A_DAY_MAX):
            week[day] = intervals
    return week


def _special(form: Mapping[str, str]) -> dict[date, SpecialDay]:
    special = {}
    for n in range(SPECIAL_DAYS_MAX + 1):
        raw = form.get(f"special-day-{n}", "")
        if not raw:
            continue
        try:
            day = date.fromisoformat(raw)
        except ValueError:
            raise RefusedError("Give special days as dates, such as 2026-12-25.") from None
        if day in special:
            raise RefusedError("Two special days have the same date. Make one of them.")
        name = form.get(f"special-name-{n}", "")[:NAME_CHARS_MAX]
        special[day] = SpecialDay(
            day, name, _intervals(form, "special-", str(n), SPECIAL_INTERVALS)
        )
    return special


def _intervals(form: Mapping[str, str], prefix: str, key: str, most: int) -> tuple[Interval, ...]:
    found = []
    for n in range(most):
        opens, closes = (form.get(f"{prefix}{w}-{key}-{n}", "") for w in ("open", "close"))
        if not opens and not closes:
            continue
        if not opens or not closes:
            raise RefusedError("An opening time needs both: from when, and until when.")
        opens_min, closes_min = _minute(opens), _minute(closes)
        found.append(Interval(opens_min, closes_min + (DAY_MIN if closes_min <= opens_min else 0)))
    return tuple(sorted(found))


def _minute(raw: str) -> int:
    found = _CLOCK.fullmatch(raw[:5])
    if found is None:
        raise RefusedError("Give times of day such as 09:00.")
    return int(found[1]) * 60 + int(found[2])


def _seconds(raw: str) -> float:
    try:
        return float(raw)
    except ValueError:
        raise RefusedError("Give the waits in seconds, such as 8.") from None
