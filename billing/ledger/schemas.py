"""What the ledger is asked and what it answers; amounts are micro-credits (``_ucr``)."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

PRIORITIES = {"plan": 10, "promo": 20, "purchase": 50, "correction": 50}
"""Burn priority by source, the lowest first: what was given is spent before what was bought."""


class HoldVerdict(StrEnum):
    """What became of a hold request."""

    HELD = "held"
    EXISTS = "exists"
    CONFLICT = "conflict"
    BLOCKED = "blocked"
    INSUFFICIENT = "insufficient"
    DAILY_CAP = "daily_cap"
    MONTHLY_CAP = "monthly_cap"
    CONTACT_CAP = "contact_cap"
    STOPPED = "stopped"

    @property
    def capped(self) -> bool:
        """True when the tenant's own caps refused it, and not a lack of credits."""
        return self in {
            HoldVerdict.DAILY_CAP,
            HoldVerdict.MONTHLY_CAP,
            HoldVerdict.CONTACT_CAP,
            HoldVerdict.STOPPED,
        }


class CloseVerdict(StrEnum):
    """What became of a close request."""

    CAPTURED = "captured"
    RELEASED = "released"
    EXISTS = "exists"
    CLOSED = "closed"
    EXCEEDS = "exceeds"
    MISSING = "missing"


class GrantOutcome(StrEnum):
    """What became of a grant."""

    GRANTED = "granted"
    EXISTS = "exists"
    CONFLICT = "conflict"


class OpOutcome(StrEnum):
    """What became of a refund or clawback; ``exceeds`` is a refund's alone."""

    REFUNDED = "refunded"
    CLAWED = "clawed"
    EXISTS = "exists"
    CONFLICT = "conflict"
    EXCEEDS = "exceeds"
    MISSING = "missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldRequest:
    """Set aside up to ``amount_ucr`` (the upper bound of the price) for a job.

    Attributes:
        hold_id: made by the caller, uuid5(turn_id, attempt): the idempotency key.
        job_id: the turn. A job has at most one hold that is pending or captured.
        amount_ucr: 0 for a free job, which then costs nothing but is still on record.
        created_by: the process or person that asks, e.g. ``worker``.
        contact_id: whom the reply is for; None is not counted against the cap per contact.
    """

    tenant_id: UUID
    hold_id: UUID
    job_id: UUID
    amount_ucr: int
    price_version_id: int
    created_by: str
    request_id: str | None = None
    contact_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class HoldOutcome:
    """Answer to a hold request.

    ``state`` is the hold's own when it existed before, and ``now`` when it was this request
    that made the auto-stop fall.
    """

    tenant_id: UUID
    hold_id: UUID
    verdict: HoldVerdict
    state: str | None = None

    @property
    def live(self) -> bool:
        """True when the credits are held, by this call or by an earlier one."""
        return self.verdict is HoldVerdict.HELD or self.state == "pending"


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseRequest:
    """Charge ``captured_ucr`` and release the rest of a hold, for good.

    Attributes:
        captured_ucr: 0 releases the whole hold, unless ``delivered`` says otherwise.
        delivered: True with 0 captured records a free reply as charged at 0. None means
            "something was captured".
        usage: what the price was made of, as JSON.
        cost_usd_micro: what the provider charged us, in micro-dollars.
    """

    tenant_id: UUID
    hold_id: UUID
    captured_ucr: int
    delivered: bool | None = None
    usage: dict[str, Any] | None = None
    cost_usd_micro: int | None = None
    created_by: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class CloseOutcome:
    """Answer to a close request; ``state`` is the hold's when it was closed with other figures."""

    tenant_id: UUID
    hold_id: UUID
    verdict: CloseVerdict
    state: str | None = None

    @property
    def settled(self) -> bool:
        """True when the hold is closed exactly as asked, by this call or by an earlier one."""
        return self.verdict in {
            CloseVerdict.CAPTURED,
            CloseVerdict.RELEASED,
            CloseVerdict.EXISTS,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Issue credits as a lot, once per (source, source_ref).

    Attributes:
        lot_id: made by the caller (UUIDv7).
        source: ``plan``, ``promo``, ``purchase`` or ``correction``.
        source_ref: the event that pays for it (payment event id, period, ticket).
        priority: burn order, lowest first; None takes ``PRIORITIES`` of the source.
        expires_at: must be the same on a retry, so derive it from the event, not from now.
        unit_price_minor: price of one credit in minor units of ``currency``.
    """

    tenant_id: UUID
    lot_id: UUID
    source: str
    source_ref: str
    amount_ucr: int
    created_by: str
    priority: int | None = None
    effective_at: datetime | None = None
    expires_at: datetime | None = None
    payment_id: UUID | None = None
    unit_price_minor: int | None = None
    currency: str | None = None
    reason: str | None = None
    approved_by: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """Give back ``amount_ucr`` of a captured hold, once per ``op_id``."""

    tenant_id: UUID
    op_id: UUID
    hold_id: UUID
    amount_ucr: int
    reason: str
    created_by: str
    approved_by: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Clawback:
    """Take back ``amount_ucr`` after a charge-back, from ``lot_id`` first, once per ``op_id``."""

    tenant_id: UUID
    op_id: UUID
    amount_ucr: int
    reason: str
    created_by: str
    lot_id: UUID | None = None
    approved_by: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """A wallet: issued = available + held + spent + expired + clawed; ``owed`` blocks holds."""

    tenant_id: UUID
    issued_ucr: int = 0
    available_ucr: int = 0
    held_ucr: int = 0
    spent_ucr: int = 0
    expired_ucr: int = 0
    clawed_ucr: int = 0
    owed_ucr: int = 0
    frozen: bool = False
