"""Hours in words, in the language of those who read them."""

from datetime import datetime, time

_DAYS = 7
# In the languages of the hand-over sentence; others read English.
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
