"""The metadata of every table: imports each domain's models, so that Alembic sees them all."""

import billing.models

import app.assistant.models
import app.messaging.models
import tenants.models
from app.core.db.tables import Base

__all__ = ["metadata"]

DOMAINS = (tenants.models, billing.models, app.messaging.models, app.assistant.models)
metadata = Base.metadata
