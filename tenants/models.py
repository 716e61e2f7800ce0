"""Tables of the tenants domain: plans, businesses, their numbers, and the audit trail."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    SmallInteger,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db.tables import Base, Micro, Stamped, TenantRow

TENANT_STATUSES = ("active", "suspended", "closing", "closed")
CHANNEL_KINDS = ("waha", "twilio")
CHANNEL_WISHES = ("on", "off", "removed")
CHANNEL_PROBLEMS = ("unreachable", "unauthorized", "missing", "taken", "refused", "not_waha")
ACTOR_KINDS = ("user", "admin", "api_key", "system", "operator")


def one_of(column: str, words: Iterable[str]) -> str:
    """Return the SQL of "this column holds one of these words"; an enumeration's are its values."""
    return f"{column} in ({', '.join(repr(str(word)) for word in words)})"


class Plan(Stamped, Base):
    """What a tenant may use: its weight in fair claiming, its limits, its monthly credits."""

    __tablename__ = "plans"
    __table_args__ = (
        CheckConstraint("weight between 1 and 100", "weight"),
        CheckConstraint("turn_per_min > 0 and turn_burst > 0", "turn_limit"),
        CheckConstraint("send_per_min > 0 and send_burst > 0", "send_limit"),
        CheckConstraint("max_inflight > 0", "max_inflight"),
        CheckConstraint("monthly_credits_ucr >= 0", "monthly_credits_ucr"),
    )

    code: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    weight: Mapped[int] = mapped_column(server_default="1")
    turn_per_min: Mapped[int] = mapped_column(server_default="60")
    turn_burst: Mapped[int] = mapped_column(server_default="20")
    max_inflight: Mapped[int] = mapped_column(server_default="8")
    send_per_min: Mapped[int] = mapped_column(server_default="20")
    send_burst: Mapped[int] = mapped_column(server_default="5")
    monthly_credits_ucr: Mapped[Micro] = mapped_column(server_default="0")
    price_minor: Mapped[int] = mapped_column(server_default="0")
    currency: Mapped[str] = mapped_column(server_default="EUR")
    offered: Mapped[bool] = mapped_column(server_default=text("true"))


class PlatformSetting(Base):
    """One operator setting, by name."""

    __tablename__ = "platform_settings"

    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[dict[str, Any]] = mapped_column(JSONB)
    updated_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class Tenant(Stamped, Base):
    """A business. Durations are seconds; NULL means the platform's default."""

    __tablename__ = "tenants"
    __table_args__ = (
        CheckConstraint(one_of("status", TENANT_STATUSES), "status"),
        CheckConstraint("idle_s is null or idle_s between 0 and 60", "idle_s"),
        CheckConstraint("cap_s is null or cap_s between 0 and 300", "cap_s"),
        CheckConstraint("batch_messages_max between 1 and 100", "batch_messages_max"),
        Index("ix_tenants_created_at", "created_at", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    plan_code: Mapped[str] = mapped_column(ForeignKey("plans.code"))
    status: Mapped[str] = mapped_column(server_default="active")
    status_reason: Mapped[str | None]
    time_zone: Mapped[str] = mapped_column(server_default="UTC")
    locale: Mapped[str] = mapped_column(server_default="en")
    country: Mapped[str | None]
    idle_s: Mapped[float | None]
    cap_s: Mapped[float | None]
    batch_messages_max: Mapped[int] = mapped_column(server_default="20")
    answer_max_age_s: Mapped[float | None]
    handover_text: Mapped[str | None]
    retention_days: Mapped[int] = mapped_column(server_default="30")
    billing_email: Mapped[str | None]
    erase_due_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    second_factor_since: Mapped[datetime | None]


class Channel(TenantRow, Stamped, Base):
    """A WhatsApp number. Secrets are sealed (``app.core.crypto``), never in clear.

    ``status`` is WAHA's own word (``unknown`` before the first), ``problem`` why WAHA could not
    tell one; ``wanted`` is what the business decided. Only ``managed`` sessions are repaired.
    """

    __tablename__ = "channels"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        CheckConstraint(one_of("kind", CHANNEL_KINDS), "kind"),
        CheckConstraint(one_of("wanted", CHANNEL_WISHES), "wanted"),
        CheckConstraint(one_of("problem", CHANNEL_PROBLEMS), "problem"),
        Index(None, "check_due_at"),
        # The platform's WAHA has one name space of sessions; a tenant's own WAHA has its own.
        Index(
            "uq_channels_shared_session",
            "session",
            unique=True,
            postgresql_where=text("api_url is null and kind = 'waha'"),
        ),
    )

    key: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    name: Mapped[str]
    session: Mapped[str]
    enabled: Mapped[bool] = mapped_column(server_default=text("true"))
    webhook_secret: Mapped[bytes]
    api_url: Mapped[str | None]
    api_key: Mapped[bytes | None]
    own_address: Mapped[str | None]
    engine: Mapped[str | None]
    engine_version: Mapped[str | None]
    status: Mapped[str] = mapped_column(server_default="unknown")
    status_at: Mapped[datetime | None]
    last_event_at: Mapped[datetime | None]
    reconcile_from: Mapped[datetime] = mapped_column(server_default=text("now()"))
    reconciled_at: Mapped[datetime | None]
    reconcile_due_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    hook_per_min: Mapped[int | None]
    hook_burst: Mapped[int | None]
    managed: Mapped[bool] = mapped_column(server_default=text("false"))
    wanted: Mapped[str] = mapped_column(server_default="on")
    own_name: Mapped[str | None]
    status_ms: Mapped[Micro | None]
    seen_at: Mapped[datetime | None]
    connected_at: Mapped[datetime | None]
    down_since: Mapped[datetime | None]
    problem: Mapped[str | None]
    problem_at: Mapped[datetime | None]
    check_due_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    repairs: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    tested_at: Mapped[datetime | None]


class AuditEntry(TenantRow, Base):
    """Who changed what, when and from where. Append-only."""

    __tablename__ = "audit_log"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        CheckConstraint(one_of("actor_kind", ACTOR_KINDS), "actor_kind"),
        Index(None, "tenant_id", "at"),
        Index(
            "ix_audit_log_platform",
            "at",
            "id",
            postgresql_where=text("actor_kind in ('admin', 'operator')"),
        ),
    )

    at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    actor_kind: Mapped[str]
    actor_id: Mapped[str | None]
    action: Mapped[str]
    subject: Mapped[str]
    before: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    after: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    reason: Mapped[str | None]
    address: Mapped[str | None]
    request_id: Mapped[str | None]


class ProcessHeartbeat(Base):
    """A running process: written every few seconds, counted by /health."""

    __tablename__ = "process_heartbeats"

    instance: Mapped[str] = mapped_column(primary_key=True)
    service: Mapped[str]
    started_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    beat_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    figures: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))


class Lease(Base):
    """A named right that one process holds at a time (the dispatcher's leadership)."""

    __tablename__ = "leases"

    name: Mapped[str] = mapped_column(primary_key=True)
    owner: Mapped[str]
    until: Mapped[datetime]
    epoch: Mapped[int] = mapped_column(server_default="0")
