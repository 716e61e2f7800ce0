"""Charts drawn on the server: sizes as SVG attributes, words from the template."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.messaging.numbers.daily import Day

WIDTH, HEIGHT = 600, 120
_GAP_SHARE = 0.25
_RADIUS_MAX = 4.0


@dataclass(frozen=True, slots=True)
class Bar:
    """A day's column: what was received, and of that what the assistant answered."""

    day: Day
    x: float
    width: float
    received_height: float
    answered_height: float
    radius: float


def bars(days: Sequence[Day]) -> list[Bar]:
    """Return a column for each day, in a picture of ``WIDTH`` by ``HEIGHT``; none for one day."""
    if len(days) < 2:  # noqa: PLR2004 - a single column compares nothing
        return []
    highest = max(day.received for day in days) or 1
    step = WIDTH / len(days)
    width = step * (1 - _GAP_SHARE)
    return [
        Bar(
            day=day,
            x=round(number * step + (step - width) / 2, 1),
            width=round(width, 1),
            received_height=round(HEIGHT * day.received / highest, 1),
            answered_height=round(HEIGHT * min(day.answered, day.received) / highest, 1),
            radius=min(_RADIUS_MAX, width / 3),
        )
        for number, day in enumerate(days)
    ]
