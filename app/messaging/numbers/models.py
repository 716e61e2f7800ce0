"""Tables of the numbers: campaigns that bring customers, and a business's figures by the day."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Date, ForeignKeyConstraint, Index, Integer, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db.tables import Base, Micro, Stamped, TenantRow


class ChannelCampaign(TenantRow, Stamped, Base):
    """A QR poster or link of a number; its code in a first message names it as the source.

    ``contacts`` counts the customers it brought, ``scans`` the messages that carried its code.
    """

    __tablename__ = "channel_campaigns"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "channel_id"], ["channels.tenant_id", "channels.id"]),
        UniqueConstraint("tenant_id", "code"),
        Index(None, "tenant_id", "channel_id"),
    )

    channel_id: Mapped[UUID]
    code: Mapped[str]
    label: Mapped[str]
    greeting: Mapped[str]
    contacts: Mapped[int] = mapped_column(server_default="0")
    scans: Mapped[int] = mapped_column(server_default="0")
    last_scan_at: Mapped[datetime | None]
    archived_at: Mapped[datetime | None]


class TenantDay(Base):
    """A business's day in its own time zone, counted from its messages; see ``daily``.

    ``silent`` counts messages nobody answered by disposition; ``reply_counts`` is a histogram
    of reply times over ``daily.EDGES_S``.
    """

    __tablename__ = "tenant_days"
    __table_args__ = (ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),)

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    received: Mapped[int]
    answered: Mapped[int]
    handed_over: Mapped[int]
    silent: Mapped[dict[str, Any]] = mapped_column(JSONB)
    reply_counts: Mapped[list[int]] = mapped_column(ARRAY(Integer))
    spent_ucr: Mapped[Micro]
    counted_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
