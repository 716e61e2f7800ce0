"""Tables of what answering leaves behind: facts of customers, summaries, traces of replies."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    SmallInteger,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db.tables import Base, Stamped, TenantRow


class ContactFact(TenantRow, Stamped, Base):
    """Something a customer told that is worth remembering; one value a key."""

    __tablename__ = "contact_facts"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "contact_id"], ["contacts.tenant_id", "contacts.id"]),
        UniqueConstraint("tenant_id", "contact_id", "key"),
        CheckConstraint("length(key) between 1 and 60 and length(value) between 1 and 300", "size"),
    )

    contact_id: Mapped[UUID]
    key: Mapped[str]
    value: Mapped[str]
    turn_id: Mapped[UUID | None]
    updated_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class ContactVerification(Base):
    """When a customer last proved with a one-time code that they have their phone."""

    __tablename__ = "contact_verifications"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "contact_id"], ["contacts.tenant_id", "contacts.id"]),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    contact_id: Mapped[UUID] = mapped_column(primary_key=True)
    verified_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class ConversationSummary(Base):
    """What was said in a conversation before the part of it that a prompt still holds.

    ``until_at`` is the newest message that the summary covers, ``wanted_until_at`` the newest
    that it should cover and does not yet.
    """

    __tablename__ = "conversation_summaries"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "conversation_id"], ["conversations.tenant_id", "conversations.id"]
        ),
        Index(
            "ix_conversation_summaries_wanted",
            "due_at",
            postgresql_where=text("wanted_until_at is not null"),
        ),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    conversation_id: Mapped[UUID] = mapped_column(primary_key=True)
    summary: Mapped[str] = mapped_column(server_default="")
    until_at: Mapped[datetime | None]
    wanted_until_at: Mapped[datetime | None]
    tries: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    due_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class TurnTrace(Base):
    """How a reply came about; kept as long as messages are, and erased with its customer.

    No words of customers are in it; the passages it was made of are, as they were told.
    """

    __tablename__ = "turn_traces"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "turn_id"], ["turns.tenant_id", "turns.id"]),
        Index(None, "tenant_id", "created_at"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    turn_id: Mapped[UUID] = mapped_column(primary_key=True)
    trace: Mapped[dict[str, Any]] = mapped_column(JSONB)
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
