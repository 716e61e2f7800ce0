"""Which WhatsApp engine the simulated WAHA runs, and what that engine can do."""

import re
from dataclasses import dataclass
from typing import Any

DEFAULT_ENGINE = "NOWEB"
DEFAULT_VERSION = "2026.7.1"
# Those that drive WhatsApp Web in a browser: ids of their own, chats listed one by one.
_BROWSERS = ("WEBJS", "WPP")
# WAHA honours a client-chosen message id since this version, on NOWEB and GOWS.
_CLIENT_IDS_SINCE = (2026, 4, 3)


@dataclass(slots=True)
class Engine:
    """The engine and WAHA's version; both can be changed while running."""

    name: str = DEFAULT_ENGINE
    version: str = DEFAULT_VERSION

    @property
    def is_browser(self) -> bool:
        """Whether WhatsApp Web runs in a browser. What WPP sends is not known; it is as WEBJS's."""
        return self.name in _BROWSERS

    @property
    def keeps_client_ids(self) -> bool:
        """Whether `id` in sendText is kept, so that the same id sent again shows once."""
        numbers = tuple(int(part) for part in re.findall(r"\d+", self.version)[:3])
        return not self.is_browser and numbers >= _CLIENT_IDS_SINCE

    @property
    def shares_event_ids(self) -> bool:
        """Whether `message` and `message.any` of one message carry the same event id."""
        return not self.is_browser

    @property
    def reports_send_errors(self) -> bool:
        """Whether a failed send comes back as ack -1 (GOWS never says so)."""
        return self.name != "GOWS"

    def environment(self) -> dict[str, Any]:
        """The `environment` object of every event, also the answer of /api/server/version."""
        return {
            "version": self.version,
            "engine": self.name,
            "tier": "CORE",
            "browser": "/usr/bin/chromium" if self.is_browser else None,
            "platform": "linux/x64",
            "worker": {"id": None},
        }
