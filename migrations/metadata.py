"""The metadata of every table: imports each domain's models, so that Alembic sees them all."""

from app.assistant import models as assistant
from app.core.db.tables import Base
from app.messaging import models as messaging
from billing import models as billing
from tenants import models as tenants

__all__ = ["metadata"]

DOMAINS = (tenants, billing, messaging, assistant)
metadata = Base.metadata
