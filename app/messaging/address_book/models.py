"""Tables of the address book: tags of contacts, and lists that wait to be imported."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db.tables import Base, Stamped, TenantRow


class ContactTag(Stamped, Base):
    """A word that a business puts on a contact, to find it again."""

    __tablename__ = "contact_tags"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "contact_id"], ["contacts.tenant_id", "contacts.id"]),
        CheckConstraint("length(tag) between 1 and 40", "tag"),
        Index(None, "tenant_id", "tag", "contact_id"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    contact_id: Mapped[UUID] = mapped_column(primary_key=True)
    tag: Mapped[str] = mapped_column(primary_key=True)


class ContactImport(TenantRow, Stamped, Base):
    """An uploaded list: its good rows until somebody confirms it, then only what came of it."""

    __tablename__ = "contact_imports"
    __table_args__ = (ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),)

    user_id: Mapped[UUID]
    file_name: Mapped[str]
    rows: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    tag: Mapped[str | None]
    found: Mapped[int]
    added: Mapped[int | None]
    changed: Mapped[int | None]
    done_at: Mapped[datetime | None]
