"""Why a message gets no turn: the first rule that applies, from what stands around it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from app.channels.port import ContentKind
from app.messaging.states import Disposition


@dataclass(frozen=True, slots=True)
class Situation:
    """What decides about an inbound message, read under the conversation's lock."""

    tenant_active: bool
    blocked: bool
    opted_out: bool
    people_own: bool
    paused: bool
    out_of_hours: bool
    can_pay: bool
    answer_max_age_s: float


def decide(
    kind: ContentKind, sent_at: datetime, now: datetime, situation: Situation
) -> Disposition | None:
    """Return the disposition of a message that gets no turn, or None when it gets one."""
    rules = (
        (not situation.tenant_active, Disposition.SUSPENDED),
        (situation.blocked, Disposition.BLOCKED),
        (situation.opted_out, Disposition.OPTED_OUT),
        (kind is ContentKind.EMPTY, Disposition.EMPTY),
        (kind is ContentKind.STICKER, Disposition.IGNORED_KIND),
        (situation.people_own, Disposition.HUMAN_OWNED),
        (situation.paused, Disposition.PAUSED),
        (
            now - sent_at > timedelta(seconds=situation.answer_max_age_s),
            Disposition.TOO_OLD,
        ),
        (situation.out_of_hours, Disposition.OUT_OF_HOURS),
        (not situation.can_pay, Disposition.NO_CREDIT),
    )
    return next((disposition for applies, disposition in rules if applies), None)
