"""Who may do what: the roles of a business and their permissions, in this one table.

Pages and routes ask ``require(role, permission)``; nothing else in the product compares roles.
"""

from enum import StrEnum

from app.core.errors import ForbiddenError


class Role(StrEnum):
    """What a person is in a business, from the widest rights to the narrowest."""

    OWNER = "owner"
    MANAGER = "manager"
    AGENT = "agent"


class Permission(StrEnum):
    """Something that a person may be allowed to do in a business."""

    READ_INBOX = "read_inbox"
    READ_WHOLE_INBOX = "read_whole_inbox"
    ANSWER = "answer"
    READ_CONTACTS = "read_contacts"
    EDIT_CONTACTS = "edit_contacts"
    IMPORT_CONTACTS = "import_contacts"
    MERGE_CONTACTS = "merge_contacts"
    READ_REPORTS = "read_reports"
    READ_CREDITS = "read_credits"
    READ_TEAM = "read_team"
    EDIT_KNOWLEDGE = "edit_knowledge"
    EDIT_ASSISTANT = "edit_assistant"
    EDIT_CHANNELS = "edit_channels"
    INVITE = "invite"
    READ_AUDIT = "read_audit"
    EXPORT_CONTACTS = "export_contacts"
    ERASE_CONTACTS = "erase_contacts"
    EDIT_BUSINESS = "edit_business"
    EDIT_TEAM = "edit_team"
    EDIT_API_KEYS = "edit_api_keys"
    READ_SECRETS = "read_secrets"
    PAY = "pay"
    TRANSFER_OWNERSHIP = "transfer_ownership"
    EXPORT_BUSINESS = "export_business"
    CLOSE_BUSINESS = "close_business"


_AGENT = frozenset(
    {
        Permission.READ_INBOX,
        Permission.ANSWER,
        Permission.READ_CONTACTS,
        Permission.EDIT_CONTACTS,
        Permission.READ_TEAM,
    }
)
_MANAGER = _AGENT | {
    Permission.READ_WHOLE_INBOX,
    Permission.READ_REPORTS,
    Permission.READ_CREDITS,
    Permission.EDIT_KNOWLEDGE,
    Permission.EDIT_ASSISTANT,
    Permission.EDIT_CHANNELS,
    Permission.INVITE,
    Permission.READ_AUDIT,
    Permission.IMPORT_CONTACTS,
    # Joins two people's conversations for good, some of which an agent may not see.
    Permission.MERGE_CONTACTS,
    Permission.EXPORT_CONTACTS,
    Permission.ERASE_CONTACTS,
}
PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.OWNER: frozenset(Permission),
    Role.MANAGER: _MANAGER,
    Role.AGENT: _AGENT,
}
IMPERSONATION: frozenset[Permission] = _MANAGER - {
    Permission.ANSWER,
    Permission.IMPORT_CONTACTS,
    Permission.MERGE_CONTACTS,
    Permission.EXPORT_CONTACTS,
    Permission.ERASE_CONTACTS,
    Permission.INVITE,
}
"""What a platform admin may do while acting for a business: look and repair, never take away,
speak to customers, change people, or read a secret."""

STEP_UP: frozenset[Permission] = frozenset(
    {
        Permission.EDIT_TEAM,
        Permission.EDIT_API_KEYS,
        Permission.READ_SECRETS,
        Permission.EDIT_CHANNELS,
        Permission.PAY,
        Permission.TRANSFER_OWNERSHIP,
        Permission.EXPORT_BUSINESS,
        Permission.CLOSE_BUSINESS,
        Permission.EXPORT_CONTACTS,
        Permission.ERASE_CONTACTS,
    }
)
"""What asks for the password or second factor again when the last proof is not recent."""

WHILE_SUSPENDED: frozenset[Permission] = frozenset(
    {
        Permission.READ_INBOX,
        Permission.READ_WHOLE_INBOX,
        Permission.READ_CONTACTS,
        Permission.READ_REPORTS,
        Permission.READ_CREDITS,
        Permission.READ_TEAM,
        Permission.READ_AUDIT,
        Permission.PAY,
        Permission.EXPORT_CONTACTS,
        Permission.ERASE_CONTACTS,
        Permission.EXPORT_BUSINESS,
        Permission.CLOSE_BUSINESS,
    }
)
"""What the people of a suspended business may still do: read, pay, take their data with them and
erase what a customer asks to be erased. It answers nobody and changes no setting."""


def may(role: Role | str, permission: Permission) -> bool:
    """Tell whether a role has a permission."""
    return permission in PERMISSIONS[Role(role)]


def require(role: Role | str, permission: Permission) -> None:
    """Raise ForbiddenError unless a role has a permission."""
    if not may(role, permission):
        raise ForbiddenError(
            "Your role does not allow this (%(permission)s). Ask an owner of the business.",
            permission=permission.value,
        )


def may_grant(role: Role | str, granted: Role | str) -> bool:
    """Tell whether somebody of a role may invite or make somebody of another role.

    Owners make anybody, managers make agents: nobody lifts others above themselves.
    """
    if Role(role) is Role.OWNER:
        return True
    return Role(role) is Role.MANAGER and Role(granted) is Role.AGENT
