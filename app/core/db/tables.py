"""The declarative base of every table, with constraint names that migrations can rely on."""

from datetime import datetime
from typing import Annotated, ClassVar
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, MetaData, Text, Uuid, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

# Alembic needs a name for each constraint, or a downgrade cannot drop it.
_NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

Micro = Annotated[int, mapped_column(BigInteger)]
"""Micro-credits or micro-dollars."""


class Base(DeclarativeBase):
    """Base of every table."""

    metadata = MetaData(naming_convention=_NAMING)
    type_annotation_map: ClassVar = {
        str: Text,
        UUID: Uuid(),
        datetime: DateTime(timezone=True),
    }


class TenantRow:
    """Leading key of every tenant table: ready to shard by tenant."""

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True, sort_order=-20)
    id: Mapped[UUID] = mapped_column(primary_key=True, sort_order=-19)


class Stamped:
    """When the row was made, on PostgreSQL's clock."""

    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"), sort_order=90)
