"""The table of balance notices: which mark each tenant's balance stood at when it was last seen."""

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db.tables import Base, Micro, Stamped
from tenants.models import Tenant


class BalanceMark(Stamped, Base):
    """The mark (100, 50, 20, 5 or 0 percent) a balance is at; ``notices`` numbers the mails."""

    __tablename__ = "balance_marks"
    __table_args__ = (CheckConstraint("percent in (100, 50, 20, 5, 0)", "percent"),)

    tenant_id: Mapped[UUID] = mapped_column(ForeignKey(Tenant.id), primary_key=True)
    percent: Mapped[int]
    base_ucr: Mapped[Micro]
    notices: Mapped[int] = mapped_column(server_default="0")
