"""Who looks at the inbox, and which conversations they see.

Owners and managers see all of a business. Agents see those that are theirs and those that are
nobody's; anything else is the same 404 as what does not exist.
"""

from dataclasses import dataclass
from uuid import UUID

from tenants.access import IMPERSONATION, Permission, may
from tenants.login_sessions import SignedIn

VISIBLE = "(:sees_all or c.assignee_id is null or c.assignee_id = :user_id)"
"""The condition on conversations ``c``; takes ``Viewer.scope``."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """A person in the inbox of one business."""

    tenant_id: UUID
    user_id: UUID
    name: str
    sees_all: bool
    answers: bool

    @property
    def scope(self) -> dict[str, object]:
        """The values that ``VISIBLE`` and the tenant's condition take."""
        return {"tenant_id": self.tenant_id, "user_id": self.user_id, "sees_all": self.sees_all}


def viewer(person: SignedIn, permission: Permission = Permission.READ_INBOX) -> Viewer:
    """Return who looks; refuses like ``SignedIn.business`` does."""
    tenant_id = person.business(permission)
    return Viewer(
        tenant_id=tenant_id,
        user_id=person.user_id,
        name=person.name,
        sees_all=_may(person, Permission.READ_WHOLE_INBOX),
        answers=_may(person, Permission.ANSWER),
    )


def _may(person: SignedIn, permission: Permission) -> bool:
    if person.impersonating or person.role is None:
        return permission in IMPERSONATION
    return may(person.role, permission)
