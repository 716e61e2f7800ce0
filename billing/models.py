"""Tables of the billing domain: price list, wallets, lots, holds, the journal.

Servers only read these tables. Every change goes through the functions of
``billing/ledger/sql``, which belong to the role ``parley_ledger``. Amounts are micro-credits
(``_ucr``), provider cost is micro-dollars (``_usd_micro``), payments are minor units.
"""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    SmallInteger,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db.tables import Base, Micro, Stamped, TenantRow
from tenants.models import Tenant, one_of

GRANT_SOURCES = ("plan", "promo", "purchase", "correction")
HOLD_STATES = ("pending", "captured", "released")
OP_KINDS = ("refund", "claw")
PROOF_OUTCOMES = ("proved", "broken")
BUCKETS = ("issued", "available", "held", "spent", "expired", "clawed")
# The only movements there are; a journal row of any other shape cannot be written.
MOVEMENTS = {
    "grant": ("issued", "available"),
    "hold": ("available", "held"),
    "capture": ("held", "spent"),
    "release": ("held", "available"),
    "refund": ("spent", "available"),
    "expire": ("available", "expired"),
    "claw": ("available", "clawed"),
    "settle_owed": ("available", "clawed"),
}
_CONSERVED = "available_ucr + held_ucr + spent_ucr + expired_ucr + clawed_ucr"
_NON_NEGATIVE = "least(available_ucr, held_ucr, spent_ucr, expired_ucr, clawed_ucr) >= 0"
# Grants and what takes credits back: far apart between the charges.
_RARE = "kind not in ('hold', 'release', 'capture')"
_MOVEMENT = "(kind, src, dst) in ({})".format(
    ", ".join(repr((kind, *buckets)) for kind, buckets in MOVEMENTS.items())
)


class PriceVersion(Stamped, Base):
    """One version of the price list, in force from ``valid_from`` until ``valid_until``.

    ``per_1k_tokens`` is ``{model: {"input_ucr": n, "output_ucr": n}}`` with ``"*"`` for all
    other models; ``{}`` means that tokens are free. ``provider_prices`` is what the models cost
    us, ``{model: {"input_usd_micro": n, "output_usd_micro": n}}`` for a million tokens each.
    Versions never overlap (exclusion constraint), and only ``valid_until`` may be changed
    afterwards.
    """

    __tablename__ = "price_versions"
    __table_args__ = (
        CheckConstraint(
            "least(per_reply_ucr, per_audio_minute_ucr, per_page_ucr) >= 0", "non_negative"
        ),
        CheckConstraint("valid_until is null or valid_until > valid_from", "validity"),
        CheckConstraint(
            "jsonb_typeof(per_1k_tokens) = 'object'"
            " and (per_1k_tokens = '{}' or jsonb_exists(per_1k_tokens, '*'))",
            "per_1k_tokens",
        ),
        CheckConstraint("jsonb_typeof(provider_prices) = 'object'", "provider_prices"),
    )

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    valid_from: Mapped[datetime]
    valid_until: Mapped[datetime | None]
    per_reply_ucr: Mapped[Micro]
    per_1k_tokens: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    per_audio_minute_ucr: Mapped[Micro] = mapped_column(server_default="0")
    per_page_ucr: Mapped[Micro] = mapped_column(server_default="0")
    provider_prices: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    note: Mapped[str | None]
    created_by: Mapped[str]


class Wallet(Stamped, Base):
    """A tenant's running balance; its row lock is the mutex of the tenant's whole ledger.

    The caps stand here, because the hold that they bound has this row locked anyway.
    ``day_from`` and ``day_until`` are the tenant's calendar day that ``day_ucr`` counts: what
    was held or charged on it; ``month_…`` are the same for its calendar month.
    """

    __tablename__ = "wallets"
    __table_args__ = (
        CheckConstraint(f"issued_ucr = {_CONSERVED}", "conserved"),
        CheckConstraint(f"{_NON_NEGATIVE} and owed_ucr >= 0", "non_negative"),
        CheckConstraint("owed_ucr = 0 or available_ucr = 0", "owed_is_paid_first"),
        CheckConstraint(
            "daily_cap_ucr >= 0 and auto_stop_ucr_per_hour > 0"
            " and contact_replies_per_day between 1 and 1000000",
            "caps",
        ),
        CheckConstraint("(stopped_at is null) = (stopped_reason is null)", "stopped"),
        CheckConstraint("day_ucr >= 0", "day"),
        CheckConstraint("monthly_cap_ucr >= 0", "monthly_cap"),
        CheckConstraint("month_ucr >= 0", "month"),
    )

    tenant_id: Mapped[UUID] = mapped_column(ForeignKey(Tenant.id), primary_key=True)
    seq: Mapped[Micro] = mapped_column(server_default="0")
    issued_ucr: Mapped[Micro] = mapped_column(server_default="0")
    available_ucr: Mapped[Micro] = mapped_column(server_default="0")
    held_ucr: Mapped[Micro] = mapped_column(server_default="0")
    spent_ucr: Mapped[Micro] = mapped_column(server_default="0")
    expired_ucr: Mapped[Micro] = mapped_column(server_default="0")
    clawed_ucr: Mapped[Micro] = mapped_column(server_default="0")
    owed_ucr: Mapped[Micro] = mapped_column(server_default="0")
    head_hash: Mapped[bytes] = mapped_column(server_default=text(r"'\x'"))
    frozen_at: Mapped[datetime | None]
    frozen_reason: Mapped[str | None]
    daily_cap_ucr: Mapped[Micro | None]
    contact_replies_per_day: Mapped[int] = mapped_column(server_default="40")
    auto_stop_ucr_per_hour: Mapped[Micro | None]
    stopped_at: Mapped[datetime | None]
    stopped_reason: Mapped[str | None]
    day_from: Mapped[datetime | None]
    day_until: Mapped[datetime | None]
    day_ucr: Mapped[Micro] = mapped_column(server_default="0")
    monthly_cap_ucr: Mapped[Micro | None]
    month_from: Mapped[datetime | None]
    month_until: Mapped[datetime | None]
    month_ucr: Mapped[Micro] = mapped_column(server_default="0")


class CreditLot(TenantRow, Stamped, Base):
    """Credits that came in together: one grant, with its own buckets.

    ``open`` says that something can still move. It is the only column that partial indexes
    name: a predicate on a bucket would end heap-only updates of the hot rows.
    """

    __tablename__ = "credit_lots"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id"], [Wallet.tenant_id]),
        UniqueConstraint("tenant_id", "source", "source_ref"),
        CheckConstraint(one_of("source", GRANT_SOURCES), "source"),
        CheckConstraint("amount_ucr > 0", "amount_ucr"),
        CheckConstraint(f"amount_ucr = {_CONSERVED}", "conserved"),
        CheckConstraint(_NON_NEGATIVE, "non_negative"),
        CheckConstraint("open = (available_ucr + held_ucr > 0)", "open"),
        CheckConstraint("expires_at is null or expires_at > effective_at", "validity"),
        CheckConstraint("(unit_price_minor is null) = (currency is null)", "unit_price"),
        Index(
            "ix_credit_lots_burn_order",
            "tenant_id",
            "priority",
            "expires_at",
            "created_at",
            "id",
            postgresql_where=text("open"),
        ),
    )

    source: Mapped[str]
    source_ref: Mapped[str]
    priority: Mapped[int]
    amount_ucr: Mapped[Micro]
    available_ucr: Mapped[Micro]
    held_ucr: Mapped[Micro] = mapped_column(server_default="0")
    spent_ucr: Mapped[Micro] = mapped_column(server_default="0")
    expired_ucr: Mapped[Micro] = mapped_column(server_default="0")
    clawed_ucr: Mapped[Micro] = mapped_column(server_default="0")
    open: Mapped[bool] = mapped_column(server_default=text("true"))
    effective_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    payment_id: Mapped[UUID | None]
    unit_price_minor: Mapped[Micro | None]
    currency: Mapped[str | None]
    reason: Mapped[str | None]
    created_by: Mapped[str]
    approved_by: Mapped[str | None]
    request_id: Mapped[str | None]


class CreditHold(TenantRow, Stamped, Base):
    """Credits set aside for one job (a turn), and later what the job did cost.

    ``price_version_id`` has no foreign key: its row lock would be shared by all tenants.
    ``hold_many`` checks it, and ``credits verify`` again.
    """

    __tablename__ = "credit_holds"
    __table_args__ = (
        CheckConstraint(one_of("state", HOLD_STATES), "state"),
        CheckConstraint("captured_ucr between 0 and amount_ucr", "captured"),
        CheckConstraint("refunded_ucr between 0 and captured_ucr", "refunded"),
        CheckConstraint("state = 'captured' or captured_ucr = 0", "charged_if_captured"),
        CheckConstraint("(state = 'pending') = (closed_at is null)", "closed_at"),
        Index(
            "uq_credit_holds_job",
            "tenant_id",
            "job_id",
            unique=True,
            postgresql_where=text("state in ('pending', 'captured')"),
        ),
        Index(
            "ix_credit_holds_pending",
            "tenant_id",
            "created_at",
            postgresql_where=text("state = 'pending'"),
        ),
        Index(
            "ix_credit_holds_contact",
            "tenant_id",
            "contact_id",
            "created_at",
            postgresql_where=text("contact_id is not null"),
        ),
        Index(
            "ix_credit_holds_closed_at",
            "closed_at",
            postgresql_using="brin",
            postgresql_with={"pages_per_range": 16, "autosummarize": True},
        ),
    )

    job_id: Mapped[UUID]
    amount_ucr: Mapped[Micro]
    captured_ucr: Mapped[Micro] = mapped_column(server_default="0")
    refunded_ucr: Mapped[Micro] = mapped_column(server_default="0")
    state: Mapped[str] = mapped_column(server_default="pending")
    price_version_id: Mapped[int]
    contact_id: Mapped[UUID | None]
    usage: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    cost_usd_micro: Mapped[Micro | None]
    created_by: Mapped[str]
    request_id: Mapped[str | None]
    closed_at: Mapped[datetime | None]


class HoldPart(Base):
    """What a hold took from one lot; ``position`` is the burn order."""

    __tablename__ = "hold_parts"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "hold_id"], [CreditHold.tenant_id, CreditHold.id]),
        ForeignKeyConstraint(["tenant_id", "lot_id"], [CreditLot.tenant_id, CreditLot.id]),
        CheckConstraint("amount_ucr > 0", "amount_ucr"),
        CheckConstraint("captured_ucr between 0 and amount_ucr", "captured"),
        CheckConstraint("refunded_ucr between 0 and captured_ucr", "refunded"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    hold_id: Mapped[UUID] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    lot_id: Mapped[UUID]
    amount_ucr: Mapped[Micro]
    captured_ucr: Mapped[Micro] = mapped_column(server_default="0")
    refunded_ucr: Mapped[Micro] = mapped_column(server_default="0")


class CreditOp(TenantRow, Stamped, Base):
    """One refund or clawback by its caller-made id; ``applied_ucr`` is what could be moved."""

    __tablename__ = "credit_ops"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id"], [Wallet.tenant_id]),
        CheckConstraint(one_of("kind", OP_KINDS), "kind"),
        CheckConstraint("amount_ucr > 0 and applied_ucr between 0 and amount_ucr", "amounts"),
        CheckConstraint("(kind = 'refund') = (hold_id is not null)", "hold_id"),
    )

    kind: Mapped[str]
    hold_id: Mapped[UUID | None]
    lot_id: Mapped[UUID | None]
    amount_ucr: Mapped[Micro]
    applied_ucr: Mapped[Micro]
    reason: Mapped[str]
    created_by: Mapped[str]
    approved_by: Mapped[str | None]
    request_id: Mapped[str | None]


class JournalEntry(Base):
    """One movement between two buckets; append-only, gap-free and hash-chained per tenant.

    ``key`` is the movement's idempotency key, ``facts`` is what it was for (job and price
    version of a hold, usage of a capture, terms of a grant), so that the chain covers it too.
    """

    __tablename__ = "journal"
    __table_args__ = (
        UniqueConstraint("tenant_id", "key"),
        CheckConstraint("seq > 0 and amount_ucr >= 0 and available_after_ucr >= 0", "amounts"),
        CheckConstraint(_MOVEMENT, "movement"),
        Index(
            "ix_journal_moves",
            "tenant_id",
            "created_at",
            postgresql_include=["kind", "amount_ucr"],
            postgresql_where=text("kind not in ('hold', 'release')"),
        ),
        Index("ix_journal_given", "tenant_id", "seq", postgresql_where=text(_RARE)),
        Index(
            "ix_journal_given_at",
            "created_at",
            "tenant_id",
            "seq",
            postgresql_where=text(_RARE),
        ),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    seq: Mapped[Micro] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str]
    src: Mapped[str]
    dst: Mapped[str]
    amount_ucr: Mapped[Micro]
    available_after_ucr: Mapped[Micro]
    key: Mapped[str]
    hold_id: Mapped[UUID | None]
    lot_id: Mapped[UUID | None]
    op_id: Mapped[UUID | None]
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB)
    created_by: Mapped[str | None]
    request_id: Mapped[str | None]
    created_at: Mapped[datetime]
    hash: Mapped[bytes]


class CreditMinute(Base):
    """What was held or charged in one minute of the last hour; only while an auto-stop is set.

    Sixty rows a tenant that come round: ``slot`` is the minute of the hour.
    """

    __tablename__ = "credit_minutes"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id"], [Wallet.tenant_id]),
        CheckConstraint("slot between 0 and 59", "slot"),
        CheckConstraint("amount_ucr >= 0", "amount_ucr"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    slot: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    minute: Mapped[datetime]
    amount_ucr: Mapped[Micro]


class LedgerProof(Base):
    """What the nightly proof of a tenant's credits found; one row a tenant and night."""

    __tablename__ = "ledger_proofs"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        CheckConstraint(one_of("outcome", PROOF_OUTCOMES), "outcome"),
        CheckConstraint("(outcome = 'proved') = (findings = '[]')", "findings"),
        Index("ix_ledger_proofs_broken", "night", postgresql_where=text("outcome = 'broken'")),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    night: Mapped[date] = mapped_column(primary_key=True)
    ran_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    outcome: Mapped[str]
    figures: Mapped[dict[str, Any]] = mapped_column(JSONB)
    findings: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default=text("'[]'"))
