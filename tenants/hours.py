"""When a business has people at its desk: several intervals a day, nights, and special days.

Hours are what the clock on the wall of the business says, in its own zone. An interval belongs
to the day it begins on and may end on the next one; a special day (a holiday) replaces what
would begin on that date, and what began the evening before still ends as planned. Where summer
time begins or ends, an interval runs from the moment its first wall time names to the moment
its last one names: a wall time that is skipped counts as the same distance behind the gap, one
that comes twice as its first passage.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

DAY_MIN = 24 * 60
INTERVALS_A_DAY_MAX = 4
SPECIAL_DAYS_MAX = 100
_LOOK_AHEAD_DAYS = 370
_READ = text(
    """
    select t.time_zone, t.locale, k.week, k.special_days
    from tenants t left join tenant_conduct k on k.tenant_id = t.id
    where t.id = :tenant_id
    """
)


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """From ``opens_min`` to ``closes_min``, minutes after the day's midnight.

    A close at or before the opening is on the next day: 18:00 to 02:00 is 1080 to 1560.
    """

    opens_min: int
    closes_min: int

    def __post_init__(self) -> None:
        whole = 0 <= self.opens_min < DAY_MIN
        if not whole or not self.opens_min < self.closes_min <= self.opens_min + DAY_MIN:
            raise ValueError("An interval begins within its day and lasts at most 24 hours.")


@dataclass(frozen=True, slots=True)
class SpecialDay:
    """A date with hours of its own; without intervals the business is closed."""

    day: date
    name: str
    intervals: tuple[Interval, ...] = ()


@dataclass(frozen=True, slots=True)
class WeeklyHours:
    """The opening hours of a business.

    Attributes:
        zone: the business's own.
        week: intervals by weekday, 0 is Monday; a day that is missing is closed.
        special: days that differ, by date.
    """

    zone: ZoneInfo
    week: Mapping[int, tuple[Interval, ...]] = field(default_factory=dict)
    special: Mapping[date, SpecialDay] = field(default_factory=dict)

    @property
    def known(self) -> bool:
        """Tell whether the business has said anything about its hours."""
        return any(self.week.values()) or any(day.intervals for day in self.special.values())

    def is_open(self, at: datetime) -> bool:
        """Tell whether somebody is at the desk at a moment (with any zone)."""
        today = at.astimezone(self.zone).date()
        days = (today - timedelta(days=2), today - timedelta(days=1), today)
        return any(begins <= at < ends for day in days for begins, ends in self._spans(day))

    def next_opening(self, at: datetime) -> datetime | None:
        """Return the first moment from ``at`` on when the business is open, in its zone.

        ``at`` itself when it is open now; None when it does not open within a year.
        """
        today = at.astimezone(self.zone).date()
        for offset in range(-2, _LOOK_AHEAD_DAYS):
            spans = self._spans(today + timedelta(days=offset))
            ahead = [max(begins, at) for begins, ends in spans if ends > at]
            if ahead:
                return min(ahead).astimezone(self.zone)
        return None

    def closing(self, at: datetime) -> datetime | None:
        """Return when the business closes that is open at a moment; None when it is closed."""
        end = at
        for begins, ends in self._around(at):
            if begins <= end < ends:
                end = ends
        return None if end == at else end.astimezone(self.zone)

    def on(self, day: date) -> tuple[Interval, ...]:
        """Return what begins on a date."""
        special = self.special.get(day)
        return special.intervals if special else self.week.get(day.weekday(), ())

    def _around(self, at: datetime) -> list[tuple[datetime, datetime]]:
        today = at.astimezone(self.zone).date()
        return sorted(span for n in range(-2, 9) for span in self._spans(today + timedelta(days=n)))

    def _spans(self, day: date) -> Iterator[tuple[datetime, datetime]]:
        for interval in self.on(day):
            begins, ends = (self._moment(day, m) for m in (interval.opens_min, interval.closes_min))
            if begins < ends:
                yield begins, ends

    def _moment(self, day: date, minute: int) -> datetime:
        wall = datetime.combine(day, time()) + timedelta(minutes=minute)
        return wall.replace(tzinfo=self.zone).astimezone(UTC)


def zone_of(name: str) -> ZoneInfo:
    """Return a zone; one that this machine does not know is UTC."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def from_stored(
    zone: str, week: Mapping[str, Any] | None, special_days: Sequence[Any] | None
) -> WeeklyHours:
    """Read hours as they are stored.

    ``week`` maps ``"0"`` (Monday) to ``"6"`` to lists of [opens_min, closes_min];
    ``special_days`` is a list of ``{"day": "2026-12-25", "name": …, "intervals": [[…]]}``.
    """
    days = {
        date.fromisoformat(each["day"]): SpecialDay(
            date.fromisoformat(each["day"]), each["name"], _intervals(each["intervals"])
        )
        for each in special_days or ()
    }
    named = {int(key): _intervals(value) for key, value in (week or {}).items()}
    return WeeklyHours(zone_of(zone), named, days)


def to_stored(hours: WeeklyHours) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return ``week`` and ``special_days`` as ``from_stored`` reads them."""
    week = {
        str(day): [[i.opens_min, i.closes_min] for i in intervals]
        for day, intervals in sorted(hours.week.items())
        if intervals
    }
    special = [
        {
            "day": each.day.isoformat(),
            "name": each.name,
            "intervals": [[i.opens_min, i.closes_min] for i in each.intervals],
        }
        for _, each in sorted(hours.special.items())
    ]
    return week, special


def _intervals(pairs: Sequence[Sequence[int]]) -> tuple[Interval, ...]:
    return tuple(sorted(Interval(int(opens), int(closes)) for opens, closes in pairs))


async def read_hours(connection: AsyncConnection, tenant_id: UUID) -> WeeklyHours:
    """Return a business's hours, in its scope or the system's; without any nothing is open."""
    row = (await connection.execute(_READ, {"tenant_id": tenant_id})).one()
    return from_stored(row.time_zone, row.week, row.special_days)
