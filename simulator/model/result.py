"""What a model decided, before it is put into the form that was asked for."""

from dataclasses import dataclass

ANSWER = "answer"
HANDOVER = "handover"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A reply and what to do with it; `used_sources` are ids of passages in the prompt."""

    reply: str
    action: str = ANSWER
    reason_code: str | None = None
    used_sources: tuple[str, ...] = ()

    @property
    def hands_over(self) -> bool:
        """Whether a person should take over."""
        return self.action == HANDOVER
