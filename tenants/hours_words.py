"""Hours in words, in the language of those who read them."""

from collections.abc import Sequence
from datetime import datetime, time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tenants.hours import Interval, WeeklyHours

_DAYS = 7
# In the languages of the hand-over sentence; others read English.
_CLOSED = {
    "ar": "مغلق",
    "de": "geschlossen",
    "en": "closed",
    "es": "cerrado",
    "fr": "fermé",
    "id": "tutup",
    "it": "chiuso",
    "pt": "fechado",
}
_BACK = {
    "ar": "سيكون فريقنا متاحًا {when}.",
    "de": "Unser Team ist {when} wieder da.",
    "en": "Our team is back {when}.",
    "es": "Nuestro equipo vuelve {when}.",
    "fr": "Notre équipe est de retour {when}.",
    "id": "Tim kami kembali {when}.",
    "it": "Il nostro team torna {when}.",
    "pt": "Nossa equipe volta {when}.",
}
_TODAY = {
    "ar": "اليوم الساعة {time}",
    "de": "heute um {time}",
    "en": "today at {time}",
    "es": "hoy a las {time}",
    "fr": "aujourd’hui à {time}",
    "id": "hari ini pukul {time}",
    "it": "oggi alle {time}",
    "pt": "hoje às {time}",
}
_TOMORROW = {
    "ar": "غدًا الساعة {time}",
    "de": "morgen um {time}",
    "en": "tomorrow at {time}",
    "es": "mañana a las {time}",
    "fr": "demain à {time}",
    "id": "besok pukul {time}",
    "it": "domani alle {time}",
    "pt": "amanhã às {time}",
}
_ON_DAY = {
    "ar": "{day} الساعة {time}",
    "de": "am {day} um {time}",
    "en": "on {day} at {time}",
    "es": "el {day} a las {time}",
    "fr": "{day} à {time}",
    "id": "{day} pukul {time}",
    "it": "{day} alle {time}",
    "pt": "{day} às {time}",
}


def language_of(locale: str) -> str:
    """Return the language that these sentences have for a locale; English where there is none."""
    language = locale.replace("_", "-").partition("-")[0].lower()
    return language if language in _BACK else "en"


def back_sentence(opens: datetime, now: datetime, locale: str) -> str:
    """Return "Our team is back tomorrow at 09:00." in a language; both moments in one zone."""
    return _BACK[language_of(locale)].format(when=when(opens, now, locale))


def when(opens: datetime, now: datetime, locale: str) -> str:
    """Return "today at 14:00", "tomorrow at …" or "on Monday, 2 March at …"."""
    language = language_of(locale)
    local = now.astimezone(opens.tzinfo)
    at = _clock(opens.time(), locale)
    days = (opens.date() - local.date()).days
    if days <= 0:
        return _TODAY[language].format(time=at)
    if days == 1:
        return _TOMORROW[language].format(time=at)
    return _ON_DAY[language].format(day=_day(opens, locale, with_date=days >= _DAYS), time=at)


def describe_week(hours: "WeeklyHours", locale: str) -> str:
    """Return the week in lines such as "Mon–Fri: 09:00–13:00, 15:00–18:00"."""
    from babel.dates import get_day_names

    babel = _babel(locale)
    names = get_day_names("abbreviated", locale=babel)
    lines: list[tuple[int, int, str]] = []
    for day in range(_DAYS):
        told = interval_words(hours.week.get(day, ()), locale)
        if lines and lines[-1][2] == told:
            lines[-1] = (lines[-1][0], day, told)
        else:
            lines.append((day, day, told))
    return "\n".join(
        f"{names[first] if first == last else f'{names[first]}–{names[last]}'}: {told}"
        for first, last, told in lines
    )


def interval_words(intervals: Sequence["Interval"], locale: str) -> str:
    """Return "09:00–13:00, 15:00–18:00", or the word for closed."""
    if not intervals:
        return _CLOSED[language_of(locale)]
    return ", ".join(
        f"{_clock(_at(i.opens_min), locale)}–{_clock(_at(i.closes_min), locale)}" for i in intervals
    )


def _at(minute: int) -> time:
    return time(minute // 60 % 24, minute % 60)


def _clock(at: time, locale: str) -> str:
    from babel.dates import format_time

    return format_time(at, "short", locale=_babel(locale))


def _day(at: datetime, locale: str, *, with_date: bool) -> str:
    from babel.dates import format_date, format_skeleton

    babel = _babel(locale)
    day = format_date(at.date(), "EEEE", locale=babel)
    return f"{day}, {format_skeleton('MMMMd', at.date(), locale=babel)}" if with_date else day


def _babel(locale: str) -> str:
    """Return Babel's name of a locale: the region counts where Babel knows it."""
    from babel import Locale, UnknownLocaleError

    wanted = locale.replace("-", "_")
    for name in (wanted, language_of(locale)):
        try:
            return str(Locale.parse(name))
        except (UnknownLocaleError, ValueError):
            continue
    return "en"
