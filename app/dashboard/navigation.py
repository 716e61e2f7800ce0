"""The signed-in pages' navigation: what stands where, and who sees it.

A page gets its entry here, in the order in which it is to stand. An entry is shown to those who
may open its page; the page asks for the permission again by itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from app.dashboard.visit import Visit
from tenants.access import IMPERSONATION, Permission, may
from tenants.login_sessions import SignedIn

BOTTOM_BAR_ENTRIES = 4
"""How many entries stand in a phone's bar; the rest is behind its "More"."""

Place = Literal["desk", "setup", "business", "platform"]


@dataclass(frozen=True, slots=True)
class Entry:
    """A way to a page.

    Attributes:
        path: the page; it counts as here for everything below it too.
        icon: one of ``assets/icons.json``.
        title: in the visitor's language.
        place: the group that it stands in; ``platform`` is for platform admins alone.
        needs: what a person must be allowed to do to see it; None: everybody in a business.
        counts_unread: carries the number of conversations with something unread.
        everywhere: shown outside a business too.
    """

    path: str
    icon: str
    title: str
    place: Place
    needs: Permission | None = None
    counts_unread: bool = False
    everywhere: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """Entries under one heading; the first group has none."""

    title: str
    entries: Sequence[Entry]


@dataclass(frozen=True, slots=True)
class Navigation:
    """What a person sees of it."""

    groups: Sequence[Group]

    @property
    def bar(self) -> Sequence[Entry]:
        """The entries of a phone's bottom bar."""
        return [entry for group in self.groups for entry in group.entries][:BOTTOM_BAR_ENTRIES]


def _entries(visit: Visit) -> list[Entry]:
    _ = visit._
    return [
        Entry("/home", "house", _("Home"), "desk", everywhere=True),
        Entry(
            "/inbox",
            "messages-square",
            _("Inbox"),
            "desk",
            Permission.READ_INBOX,
            counts_unread=True,
        ),
        Entry("/contacts", "contact", _("Contacts"), "desk", Permission.READ_CONTACTS),
        Entry("/assistant", "bot", _("Assistant"), "setup", Permission.EDIT_ASSISTANT),
        Entry("/numbers", "smartphone", _("Numbers"), "setup", Permission.READ_REPORTS),
        Entry("/knowledge", "book-open", _("Knowledge"), "setup", Permission.READ_INBOX),
        Entry("/settings/team", "users", _("Team"), "business"),
        Entry(
            "/settings/business",
            "building-2",
            _("Business"),
            "business",
            Permission.EDIT_BUSINESS,
        ),
        Entry("/billing", "coins", _("Credits"), "business", Permission.READ_CREDITS),
        Entry("/settings/keys", "key-round", _("API keys"), "business", Permission.READ_AUDIT),
        Entry("/settings/data", "database", _("Your data"), "business", Permission.EDIT_BUSINESS),
        Entry("/settings/audit", "scroll-text", _("Activity"), "business", Permission.READ_AUDIT),
        Entry("/admin", "gauge", _("Console"), "platform"),
    ]


def navigation(visit: Visit) -> Navigation:
    """Return the navigation of who is signed in; of a stranger it is empty."""
    person = visit.person
    if person is None:
        return Navigation([])
    _ = visit._
    headings: dict[Place, str] = {
        "desk": "",
        "setup": _("Set up"),
        "business": _("Your business"),
        "platform": _("Platform"),
    }
    seen = [entry for entry in _entries(visit) if _sees(person, entry)]
    groups = [
        Group(title, [entry for entry in seen if entry.place == place])
        for place, title in headings.items()
    ]
    return Navigation([group for group in groups if group.entries])


def _sees(person: SignedIn, entry: Entry) -> bool:
    if entry.place == "platform":
        return person.admin and not person.impersonating
    if entry.everywhere:
        return True
    if person.tenant_id is None:
        return False
    if person.impersonating:
        return entry.needs is None or entry.needs in IMPERSONATION
    return person.role is not None and (entry.needs is None or may(person.role, entry.needs))
