"""What guards say of a text: a closed list of words, kept in the trace and logged without text."""

from dataclasses import dataclass
from enum import StrEnum


class Ruling(StrEnum):
    """What follows from a finding, from the mildest to the strictest."""

    NOTE = "note"  # kept in the trace only
    REMOVE = "remove"  # the guard took something out of the draft
    REPAIR = "repair"  # the model is asked once to write it anew, then people take over
    ADVISE = "advise"  # the model is asked once; what it says then is sent
    BLOCK = "block"  # the draft is not sent; people take over


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding of one guard. ``code`` says what was found, never with a piece of the text."""

    guard: str
    code: str
    ruling: Ruling

    def told(self) -> dict[str, str]:
        """Return what the trace keeps of it."""
        return {"guard": self.guard, "code": self.code, "ruling": self.ruling.value}
