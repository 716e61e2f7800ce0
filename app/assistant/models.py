"""Tables of the assistant: what a business taught it, and the tools it may use."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    Integer,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
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


class AssistantVersion(TenantRow, Stamped, Base):
    """One state of the assistant: the draft, the one that answers, or one of before.

    ``content`` is ``profiles.Profile``. A draft has no number; publishing gives it the next one.
    """

    __tablename__ = "assistant_versions"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        UniqueConstraint("tenant_id", "number"),
        CheckConstraint(one_of("state", ("draft", "live", "past")), "state"),
        CheckConstraint("(state = 'draft') = (number is null)", "number"),
        *(
            Index(
                f"uq_assistant_versions_{state}",
                "tenant_id",
                unique=True,
                postgresql_where=text(f"state = '{state}'"),
            )
            for state in ("draft", "live")
        ),
    )

    number: Mapped[int | None] = mapped_column(Integer)
    state: Mapped[str]
    content: Mapped[dict[str, Any]] = mapped_column(JSONB)
    note: Mapped[str] = mapped_column(server_default="")
    author_id: Mapped[UUID | None]
    published_at: Mapped[datetime | None]
    updated_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class TenantTool(TenantRow, Stamped, Base):
    """A tenant's own HTTP endpoint that its assistant may call.

    ``headers`` is a sealed JSON object; ``parameters`` the JSON schema of what the model fills.
    """

    __tablename__ = "tenant_tools"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        UniqueConstraint("tenant_id", "name"),
        CheckConstraint("name ~ '^[a-z][a-z0-9_]{2,39}$'", "name"),
        CheckConstraint(one_of("method", ("GET", "POST", "PUT", "PATCH", "DELETE")), "method"),
        CheckConstraint("timeout_s between 1 and 15", "timeout_s"),
        CheckConstraint("response_bytes_max between 256 and 16384", "response_bytes_max"),
        CheckConstraint("not enabled or tried_at is not null", "tried"),
    )

    name: Mapped[str]
    description: Mapped[str]
    parameters: Mapped[dict[str, Any]] = mapped_column(JSONB)
    method: Mapped[str]
    url: Mapped[str]
    headers: Mapped[bytes | None]
    timeout_s: Mapped[float] = mapped_column(server_default="8")
    response_bytes_max: Mapped[int] = mapped_column(server_default="8192")
    needs_verified: Mapped[bool] = mapped_column(server_default=text("false"))
    enabled: Mapped[bool] = mapped_column(server_default=text("false"))
    tried_at: Mapped[datetime | None]
    updated_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class QuestionAnswer(TenantRow, Stamped, Base):
    """A question the owner answered once, for the assistant to answer ever after."""

    __tablename__ = "question_answers"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        CheckConstraint(one_of("status", ("approved", "pending")), "status"),
        CheckConstraint(
            one_of("origin", ("owner", "unanswered", "import", "suggestion")), "origin"
        ),
        Index(None, "tenant_id", "status"),
    )

    question: Mapped[str]
    answer: Mapped[str]
    status: Mapped[str] = mapped_column(server_default="approved")
    alternatives: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    origin: Mapped[str] = mapped_column(server_default="owner")
    used_count: Mapped[int] = mapped_column(BigInteger, server_default="0")
    used_at: Mapped[datetime | None]
    updated_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
