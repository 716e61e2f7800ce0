"""From where somebody acts: address, browser, request; for sessions, throttles and the audit."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from app.core.errors import Word

_AGENT_CHARS_MAX = 512
_UNKNOWN = Word("Unknown browser")
# The first that matches names the browser: later ones also claim to be earlier ones.
_BROWSERS = (
    ("Edge", "Edg/"),
    ("Opera", "OPR/"),
    ("Samsung Internet", "SamsungBrowser/"),
    ("Firefox", "Firefox/"),
    ("Firefox", "FxiOS/"),
    ("Chrome", "CriOS/"),
    ("Chrome", "Chrome/"),
    ("Safari", "Safari/"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("macOS", "Mac OS X"),
    ("ChromeOS", "CrOS"),
    ("Linux", "Linux"),
)


@dataclass(frozen=True, slots=True)
class Device:
    """A browser as the server sees it.

    ``agent`` is the summary of its User-Agent, ``marks`` what ``familiar`` left in it.
    """

    address: str
    agent: str
    request_id: str | None = None
    marks: frozenset[str] = frozenset()


def summarise(user_agent: str) -> str:
    """Return ``Firefox on Linux`` for a User-Agent header; ``Unknown browser`` without one.

    Only the summary is stored: the full text says more about a person than a device list needs.
    """
    text = re.sub(r"[^\x20-\x7e]", "", user_agent[:_AGENT_CHARS_MAX])
    browser = next((name for name, mark in _BROWSERS if mark in text), "")
    system = next((name for name, mark in _SYSTEMS if mark in text), "")
    if browser and system:
        return f"{browser} on {system}"
    return browser or system or _UNKNOWN


def device_name(agent: str, translate: Callable[..., str]) -> str:
    """Return a stored summary in somebody's language: ``Firefox en Linux``."""
    browser, both, system = agent.partition(" on ")
    if both:
        return translate("%(browser)s on %(system)s", browser=browser, system=system)
    return translate(agent)
