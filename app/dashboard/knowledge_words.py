"""Words for what the knowledge stores as codes: states, failures, kinds, how sure a search is."""

from typing import Any

from app.assistant.knowledge.library import SYNC_HOURS
from app.assistant.knowledge.unanswered import ANSWERABLE_MIN
from app.dashboard.visit import Visit

_ANSWERABLE_GOOD = 0.7


def knowledge_words(visit: Visit) -> dict[str, Any]:
    """Return what the knowledge's templates call to name codes in the visitor's language."""
    return {
        "failure_text": lambda reason: failure_text(visit, reason),
        "kind_name": lambda kind: kind_name(visit, kind),
        "kind_icon": lambda kind: _ICONS.get(kind, "file-text"),
        "state_tag": lambda state: state_tag(visit, state),
        "sync_name": lambda hours: sync_name(visit, hours),
        "sync_options": [(str(hours), sync_name(visit, hours)) for hours in SYNC_HOURS],
        "sureness": lambda answerable: sureness(visit, answerable),
        "weight": size_text,
    }


_ICONS = {"file": "file-text", "page": "globe", "site": "globe", "qa": "circle-help"}


def kind_name(visit: Visit, kind: str) -> str:
    """Return what a source is."""
    _ = visit._
    return {
        "file": _("File"),
        "page": _("Page"),
        "site": _("Website"),
        "qa": _("Question and answer"),
    }.get(kind, kind)


def state_tag(visit: Visit, state: str) -> tuple[str, str]:
    """Return a state's word and the kind of its tag."""
    _ = visit._
    return {
        "queued": (_("Waiting"), ""),
        "reading": (_("Being read"), "info"),
        "ready": (_("Ready"), "success"),
        "failed": (_("Could not be read"), "error"),
    }.get(state, (state, ""))


def sync_name(visit: Visit, hours: int | None) -> str:
    """Return how often pages are read again."""
    _ = visit._
    return {
        24: _("Every day"),
        168: _("Every week"),
        720: _("Every month"),
    }.get(hours or 0, _("Only when I ask"))


def failure_text(visit: Visit, reason: str | None) -> str:
    """Return why something could not be read, and what to do."""
    _ = visit._
    return {
        "scan_without_text": _(
            "This PDF is a scan without text. Save it with text recognition, or type it as answers."
        ),
        "encrypted": _("This file is locked with a password. Send it without one."),
        "damaged": _("This file is damaged. Open it, save it anew and send it again."),
        "too_many_pages": _("This PDF has more than 500 pages. Split it."),
        "too_large": _("This is too large. A file may have at most 20 MB."),
        "too_slow": _("Reading this file took too long. Send it as plain text or split it."),
        "empty": _("There is no text in it."),
        "not_text": _("This is no text. Send it as PDF, Word, HTML, text, Markdown or CSV."),
        "not_a_table": _("This is no table that can be read. Save it as CSV."),
        "unknown_kind": _("Files of this kind cannot be read."),
        "robots": _("The site's robots.txt asks not to read this page."),
        "noindex": _("The page asks not to be indexed."),
        "refused_address": _("This address is not on the public internet."),
        "redirected_away": _("The page leads to another site. Add that site's address instead."),
        "gone": _("The page is no longer there."),
        "forbidden": _("The site does not show this page to us. It may need a sign-in."),
        "not_a_page": _("There is no text at this address, but a picture or a file."),
        "away": _("The site did not answer. Read it again later."),
        "embedding_away": _("The model that reads did not answer. Read it again later."),
    }.get(reason or "", _("Something went wrong on our side. Read it again later."))


def sureness(visit: Visit, answerable: float) -> tuple[str, str]:
    """Return how sure a search is that a passage answers, and the kind of its tag."""
    _ = visit._
    if answerable >= _ANSWERABLE_GOOD:
        return _("Answers it"), "success"
    if answerable >= ANSWERABLE_MIN:
        return _("May answer it"), "warning"
    return _("Probably not"), ""


def size_text(size_bytes: int) -> str:
    """Return a size with its unit: ``820 KB``, ``3.1 MB``."""
    kilobytes = size_bytes / 1024
    if kilobytes < 1000:  # noqa: PLR2004
        return f"{max(1, round(kilobytes))} KB"
    return f"{kilobytes / 1024:.1f} MB"
