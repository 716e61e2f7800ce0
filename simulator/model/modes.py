"""Which model answers: the demo model, an echo, an obedient one, or a script."""

from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

Mode = Literal["demo", "echo", "obedient", "script"]


class ScriptItem(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """One scripted answer.

    `status` makes it an error answer with `body` and `headers`; `raw` is the completion's content
    as it stands; otherwise reply, action, reason and sources take the form that was asked for.
    """

    reply: str | None = None
    action: str | None = None
    reason_code: str | None = None
    used_sources: list[str] = []
    status: int | None = None
    headers: dict[str, str] = {}
    body: Any = None
    delay_ms: int | None = None
    raw: str | None = None
    tool_calls: list[dict[str, Any]] | None = None
    refusal: str | None = None
    finish_reason: str | None = None


@dataclass(slots=True)
class ModelMode:
    """The mode in force; setting it replaces mode, delay and script as a whole."""

    mode: Mode = "demo"
    delay_ms: int = 0
    script: list[ScriptItem] = field(default_factory=list)
    position: int = 0

    def replace(self, mode: Mode, delay_ms: int, script: list[ScriptItem]) -> None:
        """Set everything anew."""
        self.mode, self.delay_ms, self.script, self.position = mode, delay_ms, script, 0

    def next_item(self) -> ScriptItem:
        """The next item of the script; the last one repeats."""
        item = self.script[min(self.position, len(self.script) - 1)]
        self.position += 1
        return item

    def view(self) -> dict[str, Any]:
        """The mode as the control shows it."""
        return {
            "mode": self.mode,
            "delay_ms": self.delay_ms,
            "script": self.script,
            "position": self.position,
        }
