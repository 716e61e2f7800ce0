"""How a number's session is set up at WAHA: where its events go, how they are signed."""

from collections.abc import Mapping
from typing import Any

EVENTS = (
    "message",
    "message.any",
    "message.ack",
    "session.status",
    "message.revoked",
    "message.edited",
    "message.reaction",
    "presence.update",
)
# WAHA's own default ends after 30 s, less than a deployment may take; these reach 36 h.
_RETRIES = {"policy": "exponential", "delaySeconds": 2, "attempts": 15}
_IGNORED = {"status": True, "groups": True, "channels": True, "broadcast": True}
CHANNEL_NOTE = "parley.channel"
"""The key in a session's metadata that names the channel it belongs to."""


def session_config(url: str, secret: str, note: str | None = None) -> dict[str, Any]:
    """Return a number's configuration: where its events go, how they are signed and repeated.

    Args:
        url: the number's own webhook.
        secret: signs its events (HMAC-SHA512).
        note: the channel's id, for whoever finds the session later.
    """
    return {
        "metadata": {CHANNEL_NOTE: note} if note else {},
        "webhooks": [
            {
                "url": url,
                "events": list(EVENTS),
                "hmac": {"key": secret},
                "retries": dict(_RETRIES),
            }
        ],
        "ignore": dict(_IGNORED),
        # Lists of chats and messages, which close gaps, need NOWEB's store.
        "noweb": {"store": {"enabled": True, "fullSync": False}},
    }


def carries(config: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Tell whether a session's configuration still holds what was put into it.

    What WAHA adds beside it does not matter, nor do further webhooks of a tenant's own server.
    """
    hooks = config.get("webhooks")
    wanted_hook = wanted["webhooks"][0]
    found = isinstance(hooks, list) and any(_holds(hook, wanted_hook) for hook in hooks)
    return found and all(_holds(config.get(part), wanted[part]) for part in ("metadata", "ignore"))


def _holds(found: object, wanted: object) -> bool:
    if isinstance(wanted, Mapping):
        return isinstance(found, Mapping) and all(
            _holds(found.get(name), value) for name, value in wanted.items()
        )
    if isinstance(wanted, list):
        return isinstance(found, list) and set(wanted) <= set(map(str, found))
    return found == wanted
