"""The table of e-mails that wait to be sent, and of those that were."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db.tables import Base, Stamped


class Mail(Stamped, Base):
    """One e-mail; address and content are sealed, and wiped when it is sent or given up.

    ``tenant_id`` is NULL for mails of the platform (sign-up, sign-in). A tenant's login may
    insert within its tenant and read nothing. ``outcome`` is what the provider told later.
    """

    __tablename__ = "mails"
    __table_args__ = (
        UniqueConstraint("tenant_id", "key", postgresql_nulls_not_distinct=True),
        CheckConstraint("state in ('queued', 'sent', 'failed')", "state"),
        CheckConstraint("(state = 'queued') = (recipient is not null)", "recipient_is_wiped"),
        CheckConstraint("(state = 'queued') = (content is not null)", "content_is_wiped"),
        CheckConstraint("outcome in ('delivered', 'bounced', 'complained')", "outcome"),
        CheckConstraint("(outcome is null) = (outcome_at is null)", "outcome_at"),
        Index(
            "ix_mails_provider_id",
            "provider_id",
            postgresql_where=text("provider_id is not null"),
        ),
        Index(
            "ix_mails_queued",
            "next_attempt_at",
            postgresql_where=text("state = 'queued'"),
        ),
        Index("ix_mails_failed", "ended_at", postgresql_where=text("state = 'failed'")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID | None] = mapped_column(ForeignKey("tenants.id"))
    key: Mapped[str]
    recipient: Mapped[bytes | None]
    content: Mapped[bytes | None]
    state: Mapped[str] = mapped_column(server_default="queued")
    attempts: Mapped[int] = mapped_column(server_default="0")
    next_attempt_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    provider_id: Mapped[str | None]
    failure: Mapped[str | None]
    request_id: Mapped[str | None]
    ended_at: Mapped[datetime | None]
    outcome: Mapped[str | None]
    outcome_at: Mapped[datetime | None]


class MailBlock(Stamped, Base):
    """An address that takes no mail, or complained about ours; kept as a keyed hash."""

    __tablename__ = "mail_blocks"
    __table_args__ = (CheckConstraint("reason in ('bounced', 'complained')", "reason"),)

    address_hash: Mapped[str] = mapped_column(primary_key=True)
    reason: Mapped[str]
