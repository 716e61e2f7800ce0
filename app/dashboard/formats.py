"""Numbers, credits, money and times as a person of one language and time zone reads them."""

from datetime import datetime, timedelta, tzinfo
from decimal import Decimal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import dates, numbers

from app.core.money import UCR_PER_CREDIT
from app.dashboard import locales

_RELATIVE_BELOW = timedelta(days=7)
_NOW_BELOW_S = 45
_JUST_NOW = {"en": "just now", "es": "ahora mismo", "pt": "agora mesmo"}


class Formats:
    """Formats for one language and one zone. All moments must carry their zone."""

    def __init__(self, language: str, zone: str = "UTC") -> None:
        self.language = language
        self._locale = locales.locale(language)
        self.zone = zone_of(zone)

    def number(self, value: float | Decimal) -> str:
        """Write a number with the language's separators: ``12,345.5``."""
        return numbers.format_decimal(value, locale=self._locale)

    def percent(self, share: float) -> str:
        """Write a share of 1 as a percentage without decimals: ``42%``."""
        return numbers.format_percent(share, locale=self._locale)

    def credits(self, amount_ucr: int) -> str:
        """Write micro-credits as credits: exact, at most 6 decimals, none that are zero."""
        exact = Decimal(amount_ucr) / UCR_PER_CREDIT
        return numbers.format_decimal(exact, format="#,##0.######", locale=self._locale)

    def money(self, amount_minor: int, currency: str) -> str:
        """Write minor units of an ISO currency: ``€29`` where nothing is behind the point."""
        digits = numbers.get_currency_precision(currency)
        amount = Decimal(amount_minor).scaleb(-digits)
        text = numbers.format_currency(amount, currency, locale=self._locale, currency_digits=True)
        if amount == amount.to_integral_value() and digits:
            zeros = numbers.get_decimal_symbol(self._locale) + "0" * digits
            text = text.replace(zeros, "")
        return text

    def date(self, moment: datetime) -> str:
        """Write a day: ``Nov 3, 2026``."""
        return dates.format_date(moment.astimezone(self.zone), "medium", locale=self._locale)

    def time(self, moment: datetime) -> str:
        """Write a moment whole, in the zone: ``Nov 3, 2026, 9:41 AM``."""
        day = dates.format_date(moment.astimezone(self.zone), "medium", locale=self._locale)
        clock = dates.format_time(moment, "short", tzinfo=self.zone, locale=self._locale)
        return f"{day}, {clock}"

    def ago(self, moment: datetime, now: datetime) -> str:
        """Write how long ago a moment is, or how far ahead; after a week, the day itself."""
        distance = moment - now
        if abs(distance) >= _RELATIVE_BELOW:
            return self.date(moment)
        if abs(distance.total_seconds()) < _NOW_BELOW_S:
            return _JUST_NOW[self.language]
        return dates.format_timedelta(distance, add_direction=True, locale=self._locale)


def zone_of(name: str) -> tzinfo:
    """Return a time zone by its IANA name; UTC where there is none of that name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")
