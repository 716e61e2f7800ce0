"""Tables of what leaves: replies, their parts, and each call that tried to send one."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    SmallInteger,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db.tables import Base, Micro, Stamped, TenantRow
from app.messaging.states import Author, PartState
from tenants.models import one_of


class Send(TenantRow, Stamped, Base):
    """A reply on its way out: one or more parts to one address."""

    __tablename__ = "sends"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "conversation_id"], ["conversations.tenant_id", "conversations.id"]
        ),
        CheckConstraint(one_of("author", Author), "author"),
        UniqueConstraint("tenant_id", "turn_id"),
    )

    conversation_id: Mapped[UUID]
    channel_id: Mapped[UUID]
    turn_id: Mapped[UUID | None]
    author: Mapped[str]
    address: Mapped[str]
    hold_id: Mapped[UUID | None]
    price_ucr: Mapped[Micro] = mapped_column(server_default="0")
    request_id: Mapped[str | None]


class SendPart(TenantRow, Stamped, Base):
    """One bubble: its client-chosen id, its state, and what WAHA said."""

    __tablename__ = "send_parts"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "send_id"], ["sends.tenant_id", "sends.id"]),
        UniqueConstraint("tenant_id", "send_id", "part_no"),
        UniqueConstraint("client_message_id"),
        CheckConstraint(one_of("state", PartState), "state"),
        Index(
            "ix_send_parts_open",
            "tenant_id",
            "started_at",
            postgresql_where=text(one_of("state", ("queued", "sending", "unknown"))),
        ),
        Index(None, "tenant_id", "channel_id", "wa_id"),
        Index(None, "tenant_id", "message_id"),
    )

    send_id: Mapped[UUID]
    channel_id: Mapped[UUID]
    message_id: Mapped[UUID]
    part_no: Mapped[int] = mapped_column(SmallInteger)
    client_message_id: Mapped[str]
    idempotent: Mapped[bool] = mapped_column(server_default=text("false"))
    state: Mapped[str] = mapped_column(server_default="queued")
    attempts: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    next_attempt_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    accepted_at: Mapped[datetime | None]
    acked_at: Mapped[datetime | None]
    wa_id: Mapped[str | None]
    ack: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    resolved_by: Mapped[str | None]
    checks: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    checked_at: Mapped[datetime | None]
    error: Mapped[str | None]


class SendAttempt(TenantRow, Base):
    """One call to the provider, recorded before it is made."""

    __tablename__ = "send_attempts"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "part_id"], ["send_parts.tenant_id", "send_parts.id"]),
        UniqueConstraint("tenant_id", "part_id", "attempt_no"),
    )

    part_id: Mapped[UUID]
    attempt_no: Mapped[int] = mapped_column(SmallInteger)
    started_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    finished_at: Mapped[datetime | None]
    outcome: Mapped[str | None]
    status_code: Mapped[int | None] = mapped_column(SmallInteger)
