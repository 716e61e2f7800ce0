"""Numbers, credits, money and times as a person of one language and time zone reads them."""

from collections.abc import Iterable, Mapping
from datetime import date as calendar_day
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import dates, numbers

from app.core import locales
from app.core.money import UCR_PER_CREDIT, format_credits, parse_credits

_RELATIVE_BELOW = timedelta(days=7)
_NOW_BELOW_S = 45
_USD_MICRO_PER_CENT = 10_000
_MINUTE_S = 60
_STEP = 1000
_UCR_DIGITS = 6
_CENTS = 2
_ROUND_FROM = 100
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

    def credits(self, amount_ucr: int, decimals: int = 0) -> str:
        """Write micro-credits as credits: exact, at most 6 decimals, at least ``decimals``."""
        exact = Decimal(amount_ucr) / UCR_PER_CREDIT
        pattern = f"#,##0.{'0' * decimals}{'#' * (_UCR_DIGITS - decimals)}"
        return numbers.format_decimal(exact, format=pattern, locale=self._locale)

    def decimals(self, amounts_ucr: Iterable[int]) -> int:
        """Return how many decimals a column of these amounts needs, so that points stand in line.

        Two at least where there are any.
        """
        needed = max(
            (len(f"{abs(a) % UCR_PER_CREDIT:06d}".rstrip("0")) for a in amounts_ucr), default=0
        )
        return max(needed, _CENTS) if needed else 0

    def rate(self, amount_ucr: int) -> str:
        """Write micro-credits as credits with at most two decimals: for what is an average."""
        exact = Decimal(amount_ucr) / UCR_PER_CREDIT
        return numbers.format_decimal(exact, format="#,##0.##", locale=self._locale)

    def signed_credits(self, amount_ucr: int, decimals: int = 0) -> str:
        """Write credits with their sign: ``+100``, ``−1``."""
        sign = "+" if amount_ucr > 0 else "−" if amount_ucr < 0 else ""
        return sign + self.credits(abs(amount_ucr), decimals)

    def plain_credits(self, amount_ucr: int | None) -> str:
        """Write credits as a form takes them, without separators; nothing for None."""
        return "" if amount_ucr is None else format_credits(amount_ucr)

    def exact(self, amount: str) -> str:
        """Write credits that were kept as decimal text."""
        return self.credits(parse_credits(amount))

    def dollars(self, amount_usd_micro: int) -> str:
        """Write micro-dollars as dollars and cents."""
        return self.money(round(amount_usd_micro / _USD_MICRO_PER_CENT), "USD")

    def fine_dollars(self, amount_usd_micro: int) -> str:
        """Write micro-dollars with as many decimals as a small amount needs: ``$0.0014``."""
        return self._fine(Decimal(amount_usd_micro).scaleb(-6), "USD")

    def _fine(self, amount: Decimal, currency: str) -> str:
        """Write money with up to four decimals, two at least."""
        rounded = round(amount, 4)
        if rounded == round(amount, 2):
            rounded = round(amount, 2)
        return numbers.format_currency(
            rounded, currency, locale=self._locale, decimal_quantization=False
        )

    def month(self, month: str) -> str:
        """Write a month such as ``2026-11`` in words: ``November 2026``."""
        day = datetime.strptime(month, "%Y-%m").date()  # noqa: DTZ007 - a month has no zone
        text = dates.format_skeleton("yMMMM", day, locale=self._locale)
        return text[:1].upper() + text[1:]

    def money(self, amount_minor: int, currency: str) -> str:
        """Write minor units of an ISO currency: ``€29`` where nothing is behind the point."""
        digits = numbers.get_currency_precision(currency)
        amount = Decimal(amount_minor).scaleb(-digits)
        text = numbers.format_currency(amount, currency, locale=self._locale, currency_digits=True)
        if amount == amount.to_integral_value() and digits:
            zeros = numbers.get_decimal_symbol(self._locale) + "0" * digits
            text = text.replace(zeros, "")
        return text

    def unit_price(self, amount_minor: int, currency: str, credits_ucr: int) -> str:
        """Write what one credit of a package costs: ``€0.0316``, at most four decimals."""
        digits = numbers.get_currency_precision(currency)
        price = Decimal(amount_minor).scaleb(-digits) * UCR_PER_CREDIT / Decimal(credits_ucr)
        return self._fine(price, currency)

    def country(self, code: str) -> str:
        """Return a country's name by its ISO code; the code where there is none."""
        return str(self._locale.territories.get(code, code))

    def language_name(self, code: str) -> str:
        """Return a language's name by its code, such as ``pt`` or ``pt-BR``."""
        name = str(self._locale.languages.get(code.partition("-")[0], code))
        return name[:1].upper() + name[1:]

    def size(self, bytes_: int) -> str:
        """Write a file's size: ``3.4 MB``."""
        value, unit = float(bytes_), "B"
        for larger in ("kB", "MB", "GB"):
            if value < _STEP:
                break
            value, unit = value / _STEP, larger
        digits = 1 if value < _ROUND_FROM and unit != "B" else 0
        return f"{self.number(round(value, digits))} {unit}"

    def monies(self, amounts: Mapping[str, int]) -> str:
        """Write minor units by currency in one line; a dash for nothing."""
        shown = [self.money(int(minor), currency) for currency, minor in sorted(amounts.items())]
        return " + ".join(shown) or "–"

    def milliseconds(self, value: float | None) -> str:
        """Write a duration as people read it: ``840 ms``, ``2.4 s``, ``3 min``; a dash for none."""
        if value is None:
            return "–"
        if value < _STEP:
            return f"{self.number(round(value))} ms"
        seconds = value / _STEP
        if seconds < _MINUTE_S:
            return f"{self.number(round(seconds, 1))} s"
        return f"{self.number(round(seconds / _MINUTE_S))} min"

    def date(self, moment: datetime) -> str:
        """Write a day: ``Nov 3, 2026``."""
        return dates.format_date(moment.astimezone(self.zone), "medium", locale=self._locale)

    def day(self, day: calendar_day) -> str:
        """Write a calendar day without its year: ``Nov 3``."""
        return dates.format_skeleton("MMMd", day, locale=self._locale)

    def clock(self, moment: datetime) -> str:
        """Write the time of day: ``9:41 AM``."""
        return dates.format_time(moment, "short", tzinfo=self.zone, locale=self._locale)

    def short_date(self, moment: datetime) -> str:
        """Write a day without its year: ``Nov 3``."""
        return dates.format_skeleton("MMMd", moment, tzinfo=self.zone, locale=self._locale)

    def time(self, moment: datetime) -> str:
        """Write a moment whole, in the zone: ``Nov 3, 2026, 9:41 AM``."""
        day = dates.format_date(moment.astimezone(self.zone), "medium", locale=self._locale)
        clock = dates.format_time(moment, "short", tzinfo=self.zone, locale=self._locale)
        return f"{day}, {clock}"

    def duration(self, seconds: float) -> str:
        """Write a span of time in its largest unit: ``4 min``."""
        span = timedelta(seconds=seconds)
        return dates.format_timedelta(span, format="short", threshold=1.5, locale=self._locale)

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
