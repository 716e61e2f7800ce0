"""Tables of the assistant: what a business taught it."""

from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db.tables import Base, Stamped, TenantRow
from tenants.models import one_of


class AssistantProfile(Stamped, Base):
    """How a tenant's assistant speaks, and the facts of the business.

    ``facts`` is a list of ``{"key": …, "value": …}`` in the owner's order.
    """

    __tablename__ = "assistant_profiles"
    __table_args__ = (ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),)

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    persona: Mapped[str] = mapped_column(server_default="")
    disclosure: Mapped[str] = mapped_column(server_default="")
    greeting: Mapped[str] = mapped_column(server_default="")
    facts: Mapped[list[Any]] = mapped_column(JSONB, server_default=text("'[]'"))


class QuestionAnswer(TenantRow, Stamped, Base):
    """A question the owner answered once, for the assistant to answer ever after."""

    __tablename__ = "question_answers"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        CheckConstraint(one_of("status", ("approved", "pending")), "status"),
        Index(None, "tenant_id", "status"),
    )

    question: Mapped[str]
    answer: Mapped[str]
    status: Mapped[str] = mapped_column(server_default="approved")
