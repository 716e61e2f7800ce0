"""Tables of payments: who pays for what, what was paid, taken back, and asked to be approved.

Money is minor units of an ISO 4217 currency (cents; whole yen), credits are micro-credits.
``*_ref`` is Stripe's id of a thing.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db.tables import Base, Micro, Stamped, TenantRow
from tenants.models import Plan, Tenant, one_of

PAYMENT_KINDS = ("subscription", "top_up")
PAYMENT_STATES = ("pending", "paid", "failed", "expired")
REVERSAL_KINDS = ("refund", "dispute")
REVERSAL_STATES = ("applied", "open", "won", "lost")
EVENT_STATES = ("pending", "done", "ignored", "failed")
REQUEST_KINDS = ("grant", "claw", "refund")
REQUEST_STATES = ("requested", "approved", "rejected", "applied")
REQUEST_SOURCES = ("promo", "correction")
PAUSED_REASONS = ("declined", "refused", "taken_back")


class BillingProfile(Stamped, Base):
    """Who a tenant is to the tax office, and to Stripe."""

    __tablename__ = "billing_profiles"

    tenant_id: Mapped[UUID] = mapped_column(ForeignKey(Tenant.id), primary_key=True)
    customer_ref: Mapped[str | None] = mapped_column(unique=True)
    legal_name: Mapped[str | None]
    address: Mapped[str | None]
    country: Mapped[str | None]
    tax_id: Mapped[str | None]


class Subscription(Stamped, Base):
    """A tenant's plan in time: its current period, and what comes after it.

    Without ``provider_ref`` nobody is charged and periods follow ``anchor_at`` month by month;
    with it Stripe says when a period begins, by an invoice that is paid.
    """

    __tablename__ = "subscriptions"
    __table_args__ = (CheckConstraint("period_end > period_start", "period"),)

    tenant_id: Mapped[UUID] = mapped_column(ForeignKey(Tenant.id), primary_key=True)
    plan_code: Mapped[str] = mapped_column(ForeignKey(Plan.code))
    next_plan_code: Mapped[str | None] = mapped_column(ForeignKey(Plan.code))
    anchor_at: Mapped[datetime]
    period_start: Mapped[datetime]
    period_end: Mapped[datetime]
    provider_ref: Mapped[str | None] = mapped_column(unique=True)
    provider_status: Mapped[str | None]
    cancels_at_period_end: Mapped[bool] = mapped_column(server_default=text("false"))


class TopUpPackage(Stamped, Base):
    """Credits that can be bought at once; without ``valid_days`` they do not expire."""

    __tablename__ = "top_up_packages"
    __table_args__ = (
        CheckConstraint("credits_ucr > 0 and price_minor > 0", "amounts"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", "currency"),
        CheckConstraint("valid_days is null or valid_days > 0", "valid_days"),
    )

    code: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    credits_ucr: Mapped[Micro]
    price_minor: Mapped[Micro]
    currency: Mapped[str]
    valid_days: Mapped[int | None]
    offered: Mapped[bool] = mapped_column(server_default=text("true"))


class Payment(TenantRow, Stamped, Base):
    """One purchase: a top-up from the click on, a subscription's period from its invoice on.

    ``price_minor`` is what was offered, ``amount_minor`` (with ``tax_minor`` in it) what was
    paid. Name, address and tax id are those that the receipt was made out to.
    """

    __tablename__ = "payments"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id"], [Tenant.id]),
        UniqueConstraint("tenant_id", "session_ref"),
        UniqueConstraint("tenant_id", "invoice_ref"),
        CheckConstraint(one_of("kind", PAYMENT_KINDS), "kind"),
        CheckConstraint(one_of("state", PAYMENT_STATES), "state"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", "currency"),
        CheckConstraint(
            "least(price_minor, amount_minor, tax_minor, credits_ucr) >= 0"
            " and clawed_ucr between 0 and credits_ucr",
            "amounts",
        ),
        CheckConstraint("(state = 'paid') = (paid_at is not null)", "paid_at"),
        Index(None, "tenant_id", "created_at"),
        Index(None, "intent_ref", postgresql_where=text("intent_ref is not null")),
    )

    kind: Mapped[str]
    state: Mapped[str] = mapped_column(server_default="pending")
    plan_code: Mapped[str | None]
    package_code: Mapped[str | None]
    credits_ucr: Mapped[Micro] = mapped_column(server_default="0")
    valid_days: Mapped[int | None]
    price_minor: Mapped[Micro]
    amount_minor: Mapped[Micro] = mapped_column(server_default="0")
    tax_minor: Mapped[Micro] = mapped_column(server_default="0")
    currency: Mapped[str]
    session_ref: Mapped[str | None]
    intent_ref: Mapped[str | None]
    invoice_ref: Mapped[str | None]
    invoice_number: Mapped[str | None]
    invoice_url: Mapped[str | None]
    receipt_url: Mapped[str | None]
    lot_id: Mapped[UUID | None]
    period_start: Mapped[datetime | None]
    period_end: Mapped[datetime | None]
    clawed_ucr: Mapped[Micro] = mapped_column(server_default="0")
    billed_name: Mapped[str | None]
    billed_address: Mapped[str | None]
    billed_country: Mapped[str | None]
    billed_tax_id: Mapped[str | None]
    paid_at: Mapped[datetime | None]
    created_by: Mapped[str]
    request_id: Mapped[str | None]


class AutoTopUp(Stamped, Base):
    """A business's rule to buy credits by itself, from a card that Stripe keeps.

    ``payment_id`` is the purchase under way: while there is one, no other is begun.
    ``paused_reason`` ends it until an owner switches it on again.
    """

    __tablename__ = "auto_top_ups"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "payment_id"], [Payment.tenant_id, Payment.id]),
        CheckConstraint("threshold_ucr > 0 and monthly_max_minor > 0", "amounts"),
        CheckConstraint("(enabled_at is null) = (enabled_by is null)", "enabled"),
        CheckConstraint(one_of("paused_reason", PAUSED_REASONS), "paused_reason"),
        Index(
            "ix_auto_top_ups_on",
            "tenant_id",
            postgresql_where=text("enabled_at is not null and paused_reason is null"),
        ),
        Index(
            "ix_auto_top_ups_due",
            "next_attempt_at",
            postgresql_where=text("payment_id is not null"),
        ),
    )

    tenant_id: Mapped[UUID] = mapped_column(ForeignKey(Tenant.id), primary_key=True)
    package_code: Mapped[str] = mapped_column(ForeignKey(TopUpPackage.code))
    threshold_ucr: Mapped[Micro]
    monthly_max_minor: Mapped[Micro]
    enabled_at: Mapped[datetime | None]
    enabled_by: Mapped[str | None]
    paused_reason: Mapped[str | None]
    card_ref: Mapped[str | None]
    card_brand: Mapped[str | None]
    card_last4: Mapped[str | None]
    payment_id: Mapped[UUID | None]
    attempts: Mapped[int] = mapped_column(server_default="0")
    next_attempt_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class PaymentReversal(TenantRow, Stamped, Base):
    """Money that went back: a refund, or a dispute; ``clawed_ucr`` is what it took in credits."""

    __tablename__ = "payment_reversals"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "payment_id"], [Payment.tenant_id, Payment.id]),
        UniqueConstraint("tenant_id", "kind", "provider_ref"),
        CheckConstraint(one_of("kind", REVERSAL_KINDS), "kind"),
        CheckConstraint(one_of("state", REVERSAL_STATES), "state"),
        CheckConstraint("amount_minor >= 0 and clawed_ucr >= 0", "amounts"),
        Index(None, "tenant_id", "payment_id"),
    )

    payment_id: Mapped[UUID]
    kind: Mapped[str]
    provider_ref: Mapped[str]
    amount_minor: Mapped[Micro]
    clawed_ucr: Mapped[Micro]
    state: Mapped[str]
    closed_at: Mapped[datetime | None]


class StripeEvent(Base):
    """An event of Stripe's, stored before it is answered and processed by a worker.

    Only its kind and the id of its object are kept: the object is read again when the event is
    processed, so the order of events does not matter and no personal data lies here.
    """

    __tablename__ = "stripe_events"
    __table_args__ = (
        CheckConstraint(one_of("state", EVENT_STATES), "state"),
        Index(
            "ix_stripe_events_pending",
            "next_attempt_at",
            postgresql_where=text("state = 'pending'"),
        ),
        Index(None, "ended_at", postgresql_where=text("ended_at is not null")),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    object_ref: Mapped[str]
    state: Mapped[str] = mapped_column(server_default="pending")
    attempts: Mapped[int] = mapped_column(server_default="0")
    next_attempt_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    received_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    ended_at: Mapped[datetime | None]
    outcome: Mapped[str | None]
    request_id: Mapped[str | None]


class CreditRequest(TenantRow, Stamped, Base):
    """Credits that a person asks to give or take; above a limit a second person approves."""

    __tablename__ = "credit_requests"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id"], [Tenant.id]),
        CheckConstraint(one_of("kind", REQUEST_KINDS), "kind"),
        CheckConstraint(one_of("state", REQUEST_STATES), "state"),
        CheckConstraint("amount_ucr > 0", "amount_ucr"),
        CheckConstraint(
            f"(kind = 'grant') = (source is not null) and (source is null or"
            f" {one_of('source', REQUEST_SOURCES)})",
            "source",
        ),
        CheckConstraint("(kind = 'refund') = (hold_id is not null)", "hold_id"),
        CheckConstraint("length(btrim(reason)) > 0", "reason"),
        CheckConstraint("decided_by is null or decided_by <> requested_by", "second_person"),
        CheckConstraint(
            "state not in ('approved', 'applied') or not needs_approval or decided_by is not null",
            "approved_first",
        ),
        CheckConstraint("state <> 'rejected' or decided_by is not null", "rejected_by"),
        CheckConstraint("(state = 'applied') = (applied_at is not null)", "applied_at"),
        Index(
            "ix_credit_requests_open",
            "tenant_id",
            "created_at",
            postgresql_where=text("state = 'requested'"),
        ),
        Index("ix_credit_requests_author", "requested_by", "created_at"),
        Index("ix_credit_requests_created_at", "created_at", "id"),
    )

    kind: Mapped[str]
    source: Mapped[str | None]
    amount_ucr: Mapped[Micro]
    hold_id: Mapped[UUID | None]
    expires_at: Mapped[datetime | None]
    reason: Mapped[str]
    needs_approval: Mapped[bool]
    state: Mapped[str] = mapped_column(server_default="requested")
    requested_by: Mapped[str]
    decided_by: Mapped[str | None]
    decided_at: Mapped[datetime | None]
    decision_reason: Mapped[str | None]
    applied_at: Mapped[datetime | None]
    request_id: Mapped[str | None]
