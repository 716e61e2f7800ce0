"""Tables of the people who answer: what changed, what they read, notes, labels, their sends."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKeyConstraint, Index, text
from sqlalchemy import UniqueConstraint as Unique
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db.tables import Base, Stamped, TenantRow


def _of_conversation() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(
        ["tenant_id", "conversation_id"], ["conversations.tenant_id", "conversations.id"]
    )


class TenantChange(Base):
    """That a transaction touched a conversation: what live pages are told. Kept for a day."""

    __tablename__ = "tenant_changes"
    __table_args__ = (Index(None, "at", postgresql_using="brin"),)

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    xid: Mapped[int] = mapped_column(
        BigInteger, primary_key=True, server_default=text("pg_current_xact_id()::text::bigint")
    )
    conversation_id: Mapped[UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class ConversationRead(Base):
    """How far a person has read a conversation: the time of the newest message they saw."""

    __tablename__ = "conversation_reads"
    __table_args__ = (_of_conversation(),)

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    conversation_id: Mapped[UUID] = mapped_column(primary_key=True)
    seen_at: Mapped[datetime]


class ConversationNote(TenantRow, Stamped, Base):
    """What colleagues tell each other about a conversation; customers never see it."""

    __tablename__ = "conversation_notes"
    __table_args__ = (
        _of_conversation(),
        CheckConstraint("length(body) between 1 and 4000", "body"),
        Index(None, "tenant_id", "conversation_id", "created_at"),
    )

    conversation_id: Mapped[UUID]
    user_id: Mapped[UUID]
    body: Mapped[str]


class Label(TenantRow, Stamped, Base):
    """A word that a business sorts conversations by."""

    __tablename__ = "labels"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        Unique("tenant_id", "name"),
        CheckConstraint("length(name) between 1 and 40", "name"),
    )

    name: Mapped[str]


class ConversationLabel(Stamped, Base):
    """A label on a conversation."""

    __tablename__ = "conversation_labels"
    __table_args__ = (
        _of_conversation(),
        ForeignKeyConstraint(
            ["tenant_id", "label_id"], ["labels.tenant_id", "labels.id"], ondelete="CASCADE"
        ),
        Index(None, "tenant_id", "label_id"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    conversation_id: Mapped[UUID] = mapped_column(primary_key=True)
    label_id: Mapped[UUID] = mapped_column(primary_key=True)


class CannedReply(TenantRow, Stamped, Base):
    """A text that the team uses again and again, called by ``/shortcut``."""

    __tablename__ = "canned_replies"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        Unique("tenant_id", "shortcut"),
        CheckConstraint("shortcut ~ '^[a-z0-9-]{1,30}$'", "shortcut"),
        CheckConstraint("length(body) between 1 and 4000", "body"),
    )

    shortcut: Mapped[str]
    body: Mapped[str]


class DeskSend(Stamped, Base):
    """A message of a person on its way out: who wrote it, and the lease of who sends it.

    ``form_key`` makes a form that is sent twice one message. ``waiting_since`` is when the
    customer's oldest message without an answer arrived: what answer times are made of.
    """

    __tablename__ = "desk_sends"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "send_id"], ["sends.tenant_id", "sends.id"]),
        Unique("tenant_id", "form_key"),
        Index(
            "ix_desk_sends_open",
            "tenant_id",
            "conversation_id",
            "send_id",
            postgresql_where=text("open"),
        ),
        Index(None, "tenant_id", "user_id", "created_at"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    send_id: Mapped[UUID] = mapped_column(primary_key=True)
    conversation_id: Mapped[UUID]
    user_id: Mapped[UUID]
    form_key: Mapped[UUID]
    waiting_since: Mapped[datetime | None]
    open: Mapped[bool] = mapped_column(server_default=text("true"))
    due_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    lease_owner: Mapped[str | None]
    lease_epoch: Mapped[int] = mapped_column(server_default="0")
