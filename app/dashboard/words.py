"""Words for stored codes: roles, actors, actions; no page shows a raw one."""

from typing import Any

from app.dashboard.visit import Visit
from tenants.access import Role


def words(visit: Visit) -> dict[str, Any]:
    """Return what templates call to name codes in the visitor's language."""
    return {
        "role_name": lambda role: role_name(visit, role),
        "role_options": lambda roles: [(r.value, role_name(visit, r)) for r in roles],
        "actor_name": lambda kind: actor_name(visit, kind),
        "action_name": lambda action: action_name(visit, action),
        "action_groups": lambda groups: [(g, group_name(visit, g)) for g in groups],
    }


def role_name(visit: Visit, role: Role | None) -> str:
    """Return a role's name; a platform admin acts without one."""
    _ = visit._
    names = {Role.OWNER: _("Owner"), Role.MANAGER: _("Manager"), Role.AGENT: _("Agent")}
    return names[role] if role is not None else _("Platform admin")


def actor_name(visit: Visit, kind: str) -> str:
    """Return what kind of actor did something whose own name is not known here."""
    _ = visit._
    return {
        "user": _("A former member"),
        "admin": _("Platform admin"),
        "api_key": _("API key"),
        "system": _("Parley"),
        "operator": _("Operator"),
    }.get(kind, kind)


def group_name(visit: Visit, group: str) -> str:
    """Return the name of a group of actions."""
    _ = visit._
    return {
        "business.": _("The business"),
        "member.": _("The team"),
        "channel.": _("Numbers"),
        "credits.": _("Credits"),
        "api_key.": _("API keys"),
        "contact.": _("Contacts"),
    }[group]


def action_name(visit: Visit, action: str) -> str:
    """Return what was done; an action without words of its own is told by its parts."""
    _ = visit._
    return {
        "tenant.create": _("Set the business up"),
        "business.change": _("Changed the business"),
        "business.transfer_ownership": _("Handed the business over"),
        "business.close": _("Asked to close the business"),
        "member.invite": _("Invited somebody"),
        "member.revoke_invitation": _("Withdrew an invitation"),
        "member.join": _("Joined the team"),
        "member.change_role": _("Changed a role"),
        "member.remove": _("Removed a member"),
        "channel.create": _("Connected a number"),
        "api_key.create": _("Made an API key"),
        "api_key.revoke": _("Revoked an API key"),
        "contact.erase": _("Erased a contact"),
    }.get(action, action.replace(".", ": ").replace("_", " "))
