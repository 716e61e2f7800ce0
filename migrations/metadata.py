"""The metadata of every table: imports each domain's models, so that Alembic sees them all."""

from app.assistant import models as assistant
from app.assistant.knowledge import models as knowledge
from app.core.db.tables import Base
from app.core.mail import models as mail
from app.messaging import memory_models as memory
from app.messaging import models as messaging
from app.messaging.address_book import models as contacts
from app.messaging.desk import models as desk
from app.messaging.media import models as media
from app.messaging.numbers import models as numbers
from app.messaging.sends import models as sends
from billing import charge_models as charges
from billing import models as billing
from billing.notices import models as notices
from billing.payments import models as payments
from tenants import conduct_models as conduct
from tenants import data_models as business_data
from tenants import models as tenants
from tenants import people_models as people

__all__ = ["metadata"]

DOMAINS = (
    tenants,
    conduct,
    mail,
    payments,
    notices,
    people,
    billing,
    charges,
    messaging,
    sends,
    desk,
    media,
    numbers,
    memory,
    assistant,
    knowledge,
    contacts,
    business_data,
)
metadata = Base.metadata
