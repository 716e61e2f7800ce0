"""Whether somebody is at the desk: told from the business's hours, never from the model's head."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from app.assistant.dates import told
from app.assistant.tools.port import ToolContext, ToolResult, refused
from app.core.db.engine import Database
from app.llm.port import ToolSpec
from tenants import hours


@dataclass(frozen=True, slots=True)
class CheckHours:
    """Tells the hours of now, or of a date."""

    database: Database
    trusted_host: str | None = None

    @property
    def spec(self) -> ToolSpec:
        """What the model is told of it."""
        day = {"type": ["string", "null"], "format": "date", "maxLength": 10}
        return ToolSpec(
            "check_hours",
            "When the people of the business are there: now, and on a date (YYYY-MM-DD) if given.",
            {
                "type": "object",
                "additionalProperties": False,
                "properties": {"date": day},
                "required": ["date"],
            },
        )

    async def run(
        self, context: ToolContext, arguments: Mapping[str, Any], known: frozenset[str]
    ) -> ToolResult:
        """Return the hours in words."""
        del known
        async with self.database.tenant(context.tenant_id) as connection:
            desk = await hours.read_hours(connection, context.tenant_id)
        if not desk.known:
            return ToolResult("ok", "The business has not given its hours here; see its facts.")
        if arguments["date"] is None:
            return ToolResult("ok", _now(desk, context.local_time))
        try:
            day = date.fromisoformat(arguments["date"])
        except ValueError:
            return refused("Give the date as YYYY-MM-DD.")
        spans = [f"{_clock(i.opens_min)} to {_clock(i.closes_min)}" for i in desk.on(day)]
        return ToolResult("ok", f"{told(day)}: {', '.join(spans) or 'closed'}")


def _now(desk: hours.WeeklyHours, at: datetime) -> str:
    if desk.is_open(at):
        closing = desk.closing(at)
        return f"Open now{f', until {closing:%H:%M}' if closing else ''}."
    opening = desk.next_opening(at)
    if opening is None:
        return "Closed now."
    return f"Closed now; opens {told(opening.date())} at {opening:%H:%M}."


def _clock(minute: int) -> str:
    return f"{time(minute // 60 % 24, minute % 60):%H:%M}"
