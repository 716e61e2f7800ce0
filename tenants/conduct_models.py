"""The table of a business's hours and manners: when the assistant speaks, and how."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, SmallInteger, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db.tables import Base, Stamped
from tenants.models import one_of

MODES = ("always", "only_closed", "only_open", "off")


class TenantConduct(Stamped, Base):
    """Hours and manners of a business; one without a row has the defaults.

    ``week`` and ``special_days`` have the shapes that ``tenants.hours`` reads.
    """

    __tablename__ = "tenant_conduct"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        CheckConstraint(one_of("mode", MODES), "mode"),
        CheckConstraint(
            "loop_replies_per_hour between 1 and 1000000 and loop_repeats between 0 and 100",
            "loop",
        ),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    mode: Mapped[str] = mapped_column(server_default="always")
    week: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    special_days: Mapped[list[Any]] = mapped_column(JSONB, server_default=text("'[]'"))
    closed_text: Mapped[str | None]
    bubbles: Mapped[bool] = mapped_column(server_default=text("false"))
    loop_replies_per_hour: Mapped[int] = mapped_column(server_default="20")
    loop_repeats: Mapped[int] = mapped_column(SmallInteger, server_default="3")
    letters_with_summary: Mapped[bool] = mapped_column(server_default=text("false"))
    letters_at: Mapped[datetime | None]
