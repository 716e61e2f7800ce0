"""Words of the contacts' pages: states of conversations, tags with their counts, numbers."""

from typing import Any

from app.dashboard.visit import Visit
from app.messaging.address_book import phones
from app.messaging.address_book.listing import TAGGED_MAX


def contact_words(visit: Visit) -> dict[str, Any]:
    """Return what templates call to name what contacts have."""
    return {
        "phone_shown": phones.shown,
        "conversation_state": lambda state: conversation_state(visit, state),
        "tag_options": lambda tags: [
            (tag, f"{tag} ({_counted(visit, count)})") for tag, count in tags
        ],
    }


def _counted(visit: Visit, count: int) -> str:
    many = count > TAGGED_MAX
    return visit.formats.number(min(count, TAGGED_MAX)) + ("+" if many else "")


def conversation_state(visit: Visit, state: str) -> str:
    """Return who has a conversation, in words."""
    _ = visit._
    return {
        "pending": _("The assistant answers"),
        "open": _("People answer"),
        "snoozed": _("Snoozed"),
        "resolved": _("Done"),
    }[state]
