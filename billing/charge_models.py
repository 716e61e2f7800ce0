"""Tables of charges added up by the day; see ``billing/charge_days.py``."""

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db.tables import Base, Micro
from billing.models import Wallet


class ChargeDay(Base):
    """What was charged for the holds that were closed on a day, refunds not taken off.

    Attributes:
        day: UTC's; with ``local_day``, the business's own in ``time_zone``, its key.
        cost_unknown: charges whose model had no provider price then.
    """

    __tablename__ = "charge_days"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id"], [Wallet.tenant_id]),
        CheckConstraint(
            "least(charges, charged_ucr, cost_usd_micro, cost_unknown) >= 0", "non_negative"
        ),
        Index("ix_charge_days_day", "day"),
        Index("ix_charge_days_local_day", "tenant_id", "local_day"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    local_day: Mapped[date] = mapped_column(primary_key=True)
    time_zone: Mapped[str] = mapped_column(primary_key=True)
    charges: Mapped[Micro]
    charged_ucr: Mapped[Micro]
    cost_usd_micro: Mapped[Micro]
    cost_unknown: Mapped[Micro]
    first_charge_at: Mapped[datetime | None]
    last_charge_at: Mapped[datetime | None]


class ChargeDayRevenue(Base):
    """What was paid for the credits of a day's charges, in minor units with their fractions."""

    __tablename__ = "charge_day_revenue"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id"], [Wallet.tenant_id]),
        CheckConstraint("revenue_minor >= 0", "revenue_minor"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    currency: Mapped[str] = mapped_column(primary_key=True)
    revenue_minor: Mapped[Decimal]
