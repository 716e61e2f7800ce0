"""Credits as integers: 1 credit = 1 000 000 micro-credits (column suffix ``_ucr``)."""

from decimal import Decimal, InvalidOperation

from app.core.errors import RefusedError

UCR_PER_CREDIT = 1_000_000
_MAX_CREDITS = Decimal(9_000_000_000_000)  # bigint holds 9.2e18 ucr


def format_credits(ucr: int) -> str:
    """Show micro-credits as credits: exact, no exponent, no trailing zeros (``"1.5"``)."""
    sign = "-" if ucr < 0 else ""
    whole, fraction = divmod(abs(ucr), UCR_PER_CREDIT)
    text = f"{sign}{whole}"
    if fraction:
        text += "." + f"{fraction:06d}".rstrip("0")
    return text


def parse_credits(text: str) -> int:
    """Read credits with at most 6 decimals into micro-credits.

    Raises:
        RefusedError: not a finite number, more than 6 decimals, or out of range.
    """
    try:
        value = Decimal(text.strip())
    except InvalidOperation:
        raise RefusedError(
            "“%(text)s” is not a number of credits, e.g. 100 or 2.5.", text=text
        ) from None
    if not value.is_finite() or abs(value) > _MAX_CREDITS:
        raise RefusedError(
            "“%(text)s” is out of range: at most %(max_credits)s credits.",
            text=text,
            max_credits=_MAX_CREDITS,
        )
    scaled = value * UCR_PER_CREDIT
    if scaled != scaled.to_integral_value():
        raise RefusedError(
            "“%(text)s” has more than 6 decimals; a micro-credit is the smallest.", text=text
        )
    return int(scaled)
