"""A customer's memory as pages show it; kept in ``app.messaging.contact_facts``."""

from app.messaging.contact_facts import ContactFact, facts_of, forget

__all__ = ["ContactFact", "facts_of", "forget"]
