"""Opening hours: against a clock on the wall that looks every quarter of an hour."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenants.hours import (
    Interval,
    SpecialDay,
    WeeklyHours,
    from_stored,
    to_stored,
)
from tenants.hours_words import back_sentence

BERLIN = ZoneInfo("Europe/Berlin")
QUARTER = timedelta(minutes=15)
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/Sao_Paulo", "Asia/Kolkata"])


@st.composite
def intervals(draw: st.DrawFn) -> Interval:
    opens = draw(st.integers(0, 95)) * 15
    return Interval(opens, opens + draw(st.integers(1, 96)) * 15)


DAYS = st.lists(intervals(), max_size=3).map(tuple)
WEEKS = st.dictionaries(st.integers(0, 6), DAYS)
# No summer time begins or ends in these weeks; how that goes is told below.
MOMENTS = st.integers(0, 4 * 24 * 14).map(lambda n: datetime(2026, 12, 1, tzinfo=UTC) + n * QUARTER)
SPECIAL = st.dictionaries(st.integers(1, 20).map(lambda n: date(2026, 12, n)), DAYS, max_size=3)


def on_the_wall(hours: WeeklyHours, at: datetime) -> bool:
    """What somebody sees who compares the clock on the wall with the sign at the door."""
    wall = at.astimezone(hours.zone).replace(tzinfo=None)
    for back in (0, 1):
        day = wall.date() - timedelta(days=back)
        minute = wall.hour * 60 + wall.minute + back * 1440
        sign = (
            hours.special[day].intervals
            if day in hours.special
            else hours.week.get(day.weekday(), ())
        )
        if any(i.opens_min <= minute < i.closes_min for i in sign):
            return True
    return False


@settings(max_examples=25, deadline=None)
@given(zone=ZONES, week=WEEKS, special=SPECIAL, at=MOMENTS)
def test_it_agrees_with_the_wall(zone, week, special, at):
    days = {day: SpecialDay(day, "", spans) for day, spans in special.items()}
    hours = WeeklyHours(ZoneInfo(zone), week, days)
    assert hours.is_open(at) == on_the_wall(hours, at)
    opens = hours.next_opening(at)
    steps = (at + n * QUARTER for n in range(4 * 24 * 9))
    seen = next((moment for moment in steps if on_the_wall(hours, moment)), None)
    assert seen is None or opens == seen
    closes = hours.closing(at)
    assert (closes is None) == (not hours.is_open(at))
    assert closes is None or not on_the_wall(hours, closes) or closes - at > timedelta(days=8)


def shop(*spans: Interval, zone: ZoneInfo = BERLIN, **special: tuple[Interval, ...]) -> WeeklyHours:
    days = {
        (d := date.fromisoformat(name.strip("_").replace("_", "-"))): SpecialDay(d, "", each)
        for name, each in special.items()
    }
    return WeeklyHours(zone, dict.fromkeys(range(7), spans), days)


def berlin(day: str, clock: str) -> datetime:
    return datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=BERLIN)


def test_a_night_that_loses_an_hour():
    # On 29 March 2026 the clocks go from 2:00 to 3:00.
    night = shop(Interval(18 * 60, 26 * 60 + 30))
    assert night.is_open(berlin("2026-03-29", "01:59"))
    assert night.closing(berlin("2026-03-29", "01:00")) == berlin("2026-03-29", "03:30")
    morning = shop(Interval(9 * 60, 12 * 60))
    opens = morning.next_opening(berlin("2026-03-28", "12:00"))
    assert opens == berlin("2026-03-29", "09:00")
    assert opens - berlin("2026-03-28", "12:00").astimezone(UTC) == timedelta(hours=20)


def test_a_night_that_wins_an_hour():
    # On 25 October 2026 the clocks go from 3:00 back to 2:00.
    morning = shop(Interval(9 * 60, 12 * 60))
    opens = morning.next_opening(berlin("2026-10-24", "12:00"))
    assert opens - berlin("2026-10-24", "12:00").astimezone(UTC) == timedelta(hours=22)
    early = shop(Interval(60, 4 * 60))
    twice = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)  # 2:30 for the second time
    assert early.is_open(twice)
    assert early.closing(twice) == datetime(2026, 10, 25, 3, tzinfo=UTC)


def test_another_zone_is_another_hour():
    at = datetime(2026, 6, 1, 8, tzinfo=UTC)
    day = Interval(9 * 60, 17 * 60)
    assert shop(day).is_open(at)
    assert not shop(day, zone=ZoneInfo("America/New_York")).is_open(at)
    assert not shop(day, zone=ZoneInfo("Asia/Tokyo")).is_open(at + timedelta(hours=1))


def test_a_holiday_is_closed_and_the_night_before_ends_as_planned():
    hours = shop(Interval(18 * 60, 26 * 60), _2026_12_25=(), _2026_12_31=(Interval(600, 720),))
    assert hours.is_open(berlin("2026-12-25", "01:30"))
    assert not hours.is_open(berlin("2026-12-25", "19:00"))
    assert hours.next_opening(berlin("2026-12-25", "03:00")) == berlin("2026-12-26", "18:00")
    assert hours.is_open(berlin("2026-12-31", "11:00"))
    assert not hours.is_open(berlin("2026-12-31", "19:00"))


def test_round_the_clock_and_never():
    always = shop(Interval(0, 1440))
    at = berlin("2026-10-25", "02:30")
    assert always.is_open(at)
    assert always.next_opening(at) == at
    never = WeeklyHours(BERLIN)
    assert (never.known, never.is_open(at), never.next_opening(at)) == (False, False, None)


@pytest.mark.parametrize("pair", [(-1, 60), (1440, 1500), (60, 60), (60, 1501)])
def test_an_interval_that_cannot_be(pair: tuple[int, int]):
    with pytest.raises(ValueError, match="24 hours"):
        Interval(*pair)


def test_what_is_stored_reads_back():
    hours = shop(Interval(540, 780), Interval(900, 1080), _2026_12_25=())
    assert from_stored("Europe/Berlin", *to_stored(hours)) == hours


@pytest.mark.parametrize(
    ("locale", "words"),
    [
        ("en", "Our team is back tomorrow at 9:00\u202fAM."),
        ("es", "Nuestro equipo vuelve mañana a las 9:00."),
        ("pt-BR", "Nossa equipe volta amanhã às 09:00."),
        ("de-AT", "Unser Team ist morgen um 09:00 wieder da."),
        ("ar", "سيكون فريقنا متاحًا غدًا الساعة 9:00 ص."),
        ("id", "Tim kami kembali besok pukul 09.00."),
        ("xx", "Our team is back tomorrow at 9:00\u202fAM."),
    ],
)
def test_when_people_are_back_in_words(locale: str, words: str):
    now = berlin("2026-06-01", "20:00")
    assert back_sentence(berlin("2026-06-02", "09:00"), now, locale) == words
