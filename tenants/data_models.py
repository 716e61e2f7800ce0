"""Tables of a business's data at large: exports that are being prepared, and who is told what."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKeyConstraint, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db.tables import Base, Stamped, TenantRow
from tenants.models import one_of

NOTICE_KINDS = ("handover", "number_down", "credits")
EXPORT_STATES = ("queued", "running", "ready", "expired")


class UserNotification(Stamped, Base):
    """A person's own choice about one kind of notice; without a row their role's default holds."""

    __tablename__ = "user_notifications"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "user_id"],
            ["memberships.tenant_id", "memberships.user_id"],
            ondelete="CASCADE",
        ),
        CheckConstraint(one_of("kind", NOTICE_KINDS), "kind"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    email: Mapped[bool]


class BusinessExport(TenantRow, Stamped, Base):
    """An export in the making: how far it came, and where it goes on."""

    __tablename__ = "business_exports"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        CheckConstraint(one_of("state", EXPORT_STATES), "state"),
        Index(
            "uq_business_exports_open",
            "tenant_id",
            unique=True,
            postgresql_where=text(one_of("state", ("queued", "running"))),
        ),
    )

    user_id: Mapped[UUID]
    state: Mapped[str] = mapped_column(server_default="queued")
    table_name: Mapped[str | None]
    after: Mapped[list[Any] | None] = mapped_column(JSONB)
    tables_done: Mapped[int] = mapped_column(server_default="0")
    tables_total: Mapped[int] = mapped_column(server_default="0")
    rows_done: Mapped[int] = mapped_column(BigInteger, server_default="0")
    size_bytes: Mapped[int] = mapped_column(BigInteger, server_default="0")
    chunks: Mapped[int] = mapped_column(server_default="0")
    finished_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]


class BusinessExportChunk(Base):
    """A piece of an export: one member of a gzip file, sealed like every secret."""

    __tablename__ = "business_export_chunks"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "export_id"], ["business_exports.tenant_id", "business_exports.id"]
        ),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    export_id: Mapped[UUID] = mapped_column(primary_key=True)
    chunk_no: Mapped[int] = mapped_column(primary_key=True)
    content: Mapped[bytes]
