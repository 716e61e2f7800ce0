"""Why a message was answered, or not: the closed list, and the reason in words."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from app.channels.port import ContentKind
from app.messaging.states import Disposition

REASONS: dict[Disposition, str] = {
    Disposition.ANSWERED: "The assistant answered this message.",
    Disposition.MERGED: "Answered together with the customer's next message.",
    Disposition.HUMAN_OWNED: "People own this conversation, so the assistant stayed silent.",
    Disposition.PAUSED: "The assistant is paused, here or for the whole business.",
    Disposition.OUT_OF_HOURS: "The assistant does not answer at this hour.",
    Disposition.NO_CREDIT: "There were no credits left, so people were asked to answer.",
    Disposition.RATE_LIMITED: "This customer wrote faster than the assistant may answer.",
    Disposition.DAILY_CAP: "Your limit for today was reached, so people were asked to answer.",
    Disposition.OPTED_OUT: "The customer asked not to be answered by the assistant.",
    Disposition.BLOCKED: "The contact is blocked.",
    Disposition.SUSPENDED: "The account is suspended.",
    Disposition.TOO_OLD: "The message arrived too late to be answered by the assistant.",
    Disposition.IGNORED_KIND: "This kind of message needs no answer.",
    Disposition.EMPTY: "The message had no content that could be read.",
    Disposition.LOOP_BRAKE: "Two machines seemed to answer each other, so the assistant stopped.",
    Disposition.HANDED_OFF: "The assistant handed the conversation to people.",
    Disposition.FAILED_HANDED_OFF: "The reply could not be made, so people were asked to answer.",
    Disposition.SEND_UNKNOWN: "The reply was handed to WhatsApp, but its arrival is not confirmed.",
}


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
