"""Money in minor units, as Stripe counts them, and how people read it."""

import re
from decimal import Decimal

from app.core.errors import RefusedError

_AMOUNT = re.compile(r"[0-9]{1,9}(\.[0-9]{1,3})?", re.ASCII)
# docs.stripe.com/currencies: these have no minor unit, their amounts are whole …
ZERO_DECIMAL = frozenset(
    "BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF".split()  # noqa: SIM905
)
# … and these a thousandth. ISK and UGX have none either, but are counted in hundredths.
THREE_DECIMAL = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})


def minor_digits(currency: str) -> int:
    """Return how many digits of an amount in this currency are behind the point."""
    if currency in ZERO_DECIMAL:
        return 0
    return 3 if currency in THREE_DECIMAL else 2


def format_money(amount_minor: int, currency: str, locale: str = "en") -> str:
    """Show an amount for people: ``€20.00``, ``¥2,000``."""
    from babel.numbers import format_currency

    amount = Decimal(amount_minor).scaleb(-minor_digits(currency))
    return format_currency(amount, currency, locale=locale.replace("-", "_"))


def parse_money(amount: str, currency: str) -> int:
    """Read an amount of a form (``20``, ``20.50``) as minor units of a currency.

    RefusedError for anything else.
    """
    plain, digits = amount.strip().replace(",", "."), minor_digits(currency)
    # "1.000" may be meant as a thousand.
    if not _AMOUNT.fullmatch(plain) or len(plain.partition(".")[2]) > digits:
        raise RefusedError("Write an amount such as 20 or 20.50.")
    return int(Decimal(plain).scaleb(digits))


def plain_money(amount_minor: int, currency: str) -> str:
    """Write minor units as a form takes them: ``20`` or ``20.50``."""
    digits = minor_digits(currency)
    whole, rest = divmod(amount_minor, 10**digits)
    return f"{whole}.{rest:0{digits}d}" if rest else str(whole)


def proportion(total: int, part: int, whole: int) -> int:
    """Return ``total × part / whole``, rounded down, at most ``total``; 0 of nothing."""
    return min(total, total * part // whole) if whole > 0 else 0
