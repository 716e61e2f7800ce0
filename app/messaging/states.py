"""The closed lists of the message path: states of turns and parts, dispositions, reasons."""

from enum import StrEnum


class TurnState(StrEnum):
    """Where a turn stands. The first six are live: at most one such turn a conversation."""

    WAITING = "waiting"
    DUE = "due"
    CLAIMED = "claimed"
    HELD = "held"
    GENERATED = "generated"
    SENDING = "sending"
    DONE = "done"
    SUPERSEDED = "superseded"
    CANCELLED = "cancelled"
    FAILED = "failed"


LIVE_TURN_STATES = (
    TurnState.WAITING,
    TurnState.DUE,
    TurnState.CLAIMED,
    TurnState.HELD,
    TurnState.GENERATED,
    TurnState.SENDING,
)
# Under a lease: a worker is (or was, when the lease ran out) on it.
LEASED_TURN_STATES = (
    TurnState.CLAIMED,
    TurnState.HELD,
    TurnState.GENERATED,
    TurnState.SENDING,
)


class PartState(StrEnum):
    """Where a part of a reply stands; acks move it forward only."""

    QUEUED = "queued"
    SENDING = "sending"
    ACCEPTED = "accepted"
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    FAILED = "failed"
    UNKNOWN = "unknown"


ACCEPTED_PART_STATES = (
    PartState.ACCEPTED,
    PartState.SENT,
    PartState.DELIVERED,
    PartState.READ,
)


class Disposition(StrEnum):
    """What became of an inbound message; one each, shown to the tenant as "why?"."""

    ANSWERED = "answered"
    MERGED = "merged"
    HUMAN_OWNED = "human_owned"
    PAUSED = "paused"
    OUT_OF_HOURS = "out_of_hours"
    NO_CREDIT = "no_credit"
    RATE_LIMITED = "rate_limited"
    DAILY_CAP = "daily_cap"
    OPTED_OUT = "opted_out"
    BLOCKED = "blocked"
    SUSPENDED = "suspended"
    TOO_OLD = "too_old"
    IGNORED_KIND = "ignored_kind"
    EMPTY = "empty"
    LOOP_BRAKE = "loop_brake"
    HANDED_OFF = "handed_off"
    FAILED_HANDED_OFF = "failed_handed_off"
    SEND_UNKNOWN = "send_unknown"


LEFT_TO_PEOPLE = (
    Disposition.TOO_OLD,
    Disposition.OUT_OF_HOURS,
    Disposition.OPTED_OUT,
    Disposition.PAUSED,
    Disposition.SUSPENDED,
    Disposition.SEND_UNKNOWN,
)
"""Where nobody took over, yet only a person can still answer."""


class Notice(StrEnum):
    """Which fixed text answers a message instead of the assistant; it costs nothing."""

    OPTED_OUT = "opted_out"
    OPTED_IN = "opted_in"
    CLOSED = "closed"


class ConversationState(StrEnum):
    """Who owns a conversation: ``pending`` the assistant, ``open`` people."""

    PENDING = "pending"
    OPEN = "open"
    SNOOZED = "snoozed"
    RESOLVED = "resolved"


class HandoverReason(StrEnum):
    """Why people own a conversation."""

    CUSTOMER_REQUEST = "customer_request"
    MISSING_KNOWLEDGE = "missing_knowledge"
    UNSUPPORTED_REQUEST = "unsupported_request"
    POLICY_RESTRICTION = "policy_restriction"
    TOOL_FAILURE = "tool_failure"
    PENDING_CLARIFICATION = "pending_clarification"
    USAGE_LIMIT = "usage_limit"
    HUMAN_TAKEOVER = "human_takeover"
    LOOP_BRAKE = "loop_brake"
    NO_CREDIT = "no_credit"


class Author(StrEnum):
    """Who wrote a message."""

    CUSTOMER = "customer"
    ASSISTANT = "assistant"
    OWNER = "owner"
    AGENT = "agent"
