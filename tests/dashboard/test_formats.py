from datetime import UTC, datetime, timedelta

import pytest

from app.core.formats import Formats, zone_of

NOW = datetime(2026, 11, 23, 14, 30, tzinfo=UTC)
# Babel puts narrow and plain no-break spaces where readers see a blank.
BLANKS = {0x202F: " ", 0xA0: " "}


def plain(text: str) -> str:
    return text.translate(BLANKS)


@pytest.mark.parametrize(
    ("amount_ucr", "language", "text"),
    [
        (0, "en", "0"),
        (1, "en", "0.000001"),
        (1_500_000, "en", "1.5"),
        (1_500_000, "es", "1,5"),
        (12_345_678_900_000, "en", "12,345,678.9"),
        (12_345_678_900_000, "pt", "12.345.678,9"),
        (-250_000, "en", "-0.25"),
        (9_007_199_254_740_993, "en", "9,007,199,254.740993"),
    ],
)
def test_credits_are_exact_and_trimmed(amount_ucr: int, language: str, text: str):
    assert Formats(language).credits(amount_ucr) == text


@pytest.mark.parametrize(
    ("minor", "currency", "language", "text"),
    [
        (2900, "EUR", "en", "€29"),
        (2950, "EUR", "en", "€29.50"),
        (2900, "EUR", "es", "29 €"),
        (290000, "BRL", "pt", "R$ 2.900"),
        (1500, "JPY", "en", "¥1,500"),
        (1000000, "EUR", "en", "€10,000"),
    ],
)
def test_money(minor: int, currency: str, language: str, text: str):
    assert plain(Formats(language).money(minor, currency)) == text


def test_times_are_the_readers():
    assert plain(Formats("en", "Europe/Berlin").time(NOW)) == "Nov 23, 2026, 3:30 PM"
    assert plain(Formats("es", "America/Bogota").time(NOW)) == "23 nov 2026, 9:30"
    late = datetime(2026, 11, 23, 23, 30, tzinfo=UTC)
    assert Formats("en", "Asia/Tokyo").date(late) == "Nov 24, 2026"


@pytest.mark.parametrize(
    ("ago", "text"),
    [
        (timedelta(seconds=3), "just now"),
        (timedelta(minutes=3), "3 minutes ago"),
        (timedelta(hours=5), "5 hours ago"),
        (timedelta(days=2), "2 days ago"),
        (timedelta(days=-2), "in 2 days"),
        (timedelta(days=30), "Oct 24, 2026"),
    ],
)
def test_how_long_ago(ago: timedelta, text: str):
    assert Formats("en").ago(NOW - ago, NOW) == text


def test_unknown_zones_are_utc():
    assert str(zone_of("Mars/Olympus")) == str(zone_of("../etc/passwd")) == "UTC"
    assert Formats("en").number(12345.5) == "12,345.5"
    assert plain(Formats("es").percent(0.42)) == "42 %"
