"""Days that a search names: read in the reader's zone, from midnight to midnight."""

from collections.abc import Mapping
from datetime import datetime, time, timedelta

from app.core.errors import RefusedError
from app.dashboard.visit import Visit


def day_of(raw: str | None, visit: Visit) -> datetime | None:
    """Return the midnight at which a day such as ``2026-11-23`` begins; None for nothing."""
    if not raw:
        return None
    try:
        day = datetime.strptime(raw, "%Y-%m-%d").date()  # noqa: DTZ007 - the zone follows
    except ValueError:
        raise RefusedError("Give days such as 2026-11-23.") from None
    return datetime.combine(day, time(), tzinfo=visit.formats.zone)


def period_of(query: Mapping[str, str], visit: Visit) -> tuple[datetime | None, datetime | None]:
    """Return ``since`` and ``until`` of a search; the last day is in it."""
    until = day_of(query.get("until"), visit)
    try:
        after = until + timedelta(days=1) if until else None
    except OverflowError:
        raise RefusedError("Give days such as 2026-11-23.") from None
    return day_of(query.get("since"), visit), after
