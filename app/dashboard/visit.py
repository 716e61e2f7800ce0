"""A visit: one request as the pages see it, with its language, theme, person and formats."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from app.core import locales
from app.core.formats import Formats
from tenants.login_sessions import SignedIn

THEMES = ("system", "light", "dark")
THEME_COOKIE = "theme"
ZONE_COOKIE = "zone"
"""The browser's own time zone, which a script of the pages leaves; UTC until then."""


@dataclass(frozen=True, kw_only=True)
class Visit:
    """Who looks at a page, and how they read.

    Attributes:
        path: the request's path; what navigation marks as current.
        url: the page's address below ``APP_URL``, for links from other sites.
        person: who is signed in, with every factor; None for strangers.
        csrf: the token that every form of the page carries.
        flash: the word of a message that the last page left; empty when there is none.
    """

    path: str
    url: str
    language: str
    theme: str
    partial: bool
    csrf: str = field(repr=False)
    person: SignedIn | None = None
    zone: str = "UTC"
    flash: str = ""
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    @cached_property
    def formats(self) -> Formats:
        """Formats in the visitor's language and zone."""
        return Formats(self.language, self.zone)

    def _(self, message: str, **values: Any) -> str:
        """Translate a message and put values into its ``%(name)s`` places."""
        return locales.translator(self.language)(message, **values)

    def is_here(self, path: str) -> bool:
        """Tell whether a link leads to this page, or to what lies around it."""
        return self.path == path or self.path.startswith(f"{path}/")


def is_partial(headers: Any) -> bool:
    """Tell whether htmx asks for a part of a page (htmx 4's headers).

    A restored history entry is a whole page, whoever asks for it.
    """
    asked = [headers.get(f"hx-{name}") for name in ("request", "request-type")]
    return asked == ["true", "partial"] and not headers.get("hx-history-restore-request")
