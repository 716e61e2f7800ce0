"""Whether the assistant answers at this hour: the business's mode against its opening hours.

| mode | answers | people are there | |
|---|---|---|---|
| ``always`` | at any hour | | |
| ``only_open`` | while the business is open | | else its closed-text, once a closed period |
| ``only_closed`` | while the business is closed | else | they answer |
| ``off`` | never | | ``paused`` |

The hour at which a message is read counts. What was taken up in time is answered, even when the
hour has ended meanwhile.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tenants import hours

_WITHOUT_END = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Attendance:
    """How things stand at a moment.

    Attributes:
        off: the assistant is switched off for the whole business.
        out_of_hours: the assistant does not answer at this hour.
        closed_until: when the business is closed and the assistant silent: until when.
    """

    off: bool = False
    out_of_hours: bool = False
    closed_until: datetime | None = None


_ALWAYS = Attendance()


def attendance(business: Any, now: datetime) -> Attendance:
    """Tell whether the assistant of a business answers at a moment.

    Args:
        business: a row with ``mode``, ``time_zone``, ``week`` and ``special_days``.
        now: PostgreSQL's time.
    """
    if business.mode == "always":
        return _ALWAYS
    if business.mode == "off":
        return Attendance(off=True)
    week = hours.from_stored(business.time_zone, business.week, business.special_days)
    is_open = week.is_open(now)
    if business.mode == "only_closed":
        return Attendance(out_of_hours=is_open)
    if is_open:
        return _ALWAYS
    until = week.next_opening(now) or now + _WITHOUT_END
    return Attendance(out_of_hours=True, closed_until=until)
