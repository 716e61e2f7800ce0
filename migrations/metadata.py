"""The metadata of every table: imports each domain's models, so that Alembic sees them all."""

from app.assistant import models as assistant
from app.core.db.tables import Base
from app.core.mail import models as mail
from app.messaging import models as messaging
from billing import models as billing
from billing.notices import models as notices
from billing.payments import models as payments
from tenants import models as tenants
from tenants import people_models as people

__all__ = ["metadata"]

DOMAINS = (tenants, mail, payments, notices, people, billing, messaging, assistant)
metadata = Base.metadata
