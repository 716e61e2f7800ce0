"""Words for stored codes: roles, actors, actions; no page shows a raw one."""

from typing import Any

from app.dashboard.contact_words import contact_words
from app.dashboard.credit_words import credit_words
from app.dashboard.number_words import number_words
from app.dashboard.visit import Visit
from tenants.access import Role
from tenants.devices import device_name


def words(visit: Visit) -> dict[str, Any]:
    """Return what templates call to name codes in the visitor's language."""
    return {
        "device_name": lambda agent: device_name(agent, visit._),
        "role_name": lambda role: role_name(visit, role),
        "role_of": lambda word: role_name(visit, Role(word)),
        "role_options": lambda roles: [(r.value, role_name(visit, r)) for r in roles],
        "field_name": lambda key: field_name(visit, key),
        "consent_name": lambda kind: consent_name(visit, kind),
        "actor_name": lambda kind: actor_name(visit, kind),
        "action_name": lambda action: action_name(visit, action),
        "action_groups": lambda groups: [(g, group_name(visit, g)) for g in groups],
        **contact_words(visit),
        **credit_words(visit),
        **number_words(visit),
    }


def role_name(visit: Visit, role: Role | None) -> str:
    """Return a role's name; a platform admin acts without one."""
    _ = visit._
    names = {Role.OWNER: _("Owner"), Role.MANAGER: _("Manager"), Role.AGENT: _("Agent")}
    return names[role] if role is not None else _("Platform admin")


def field_name(visit: Visit, key: str) -> str:
    """Return what an entry of a trail calls a value; one without words by its own name."""
    _ = visit._
    return {
        "name": _("name"),
        "role": _("role"),
        "country": _("country"),
        "locale": _("language"),
        "time_zone": _("time zone"),
        "retention_days": _("days that messages are kept"),
        "plan_code": _("plan"),
        "package_code": _("package"),
        "when": _("when"),
        "amount_ucr": _("credits"),
        "credits_ucr": _("credits"),
        "monthly_credits_ucr": _("credits a month"),
        "threshold_ucr": _("threshold"),
        "monthly_max_minor": _("limit of a month, minor units"),
        "price_minor": _("price, minor units"),
        "currency": _("currency"),
        "valid_days": _("valid for days"),
        "offered": _("offered"),
        "daily_cap_ucr": _("credits a day"),
        "monthly_cap_ucr": _("credits a month"),
        "contact_replies_per_day": _("replies to one contact a day"),
        "auto_stop_ucr_per_hour": _("brake, credits an hour"),
        "card": _("card"),
        "reason": _("reason"),
        "status": _("state"),
        "kind": _("kind"),
        "source": _("because"),
        "changed": _("changed"),
        "requested_by": _("asked by"),
        "decided_by": _("decided by"),
        "email": _("e-mail"),
        "scopes": _("rights"),
        "expires_at": _("ends"),
    }.get(key, key.replace("_ucr", "").replace("_", " "))


def consent_name(visit: Visit, kind: str) -> str:
    """Return what somebody agreed to."""
    _ = visit._
    return {
        "terms": _("Terms of use"),
        "ai_disclosure": _("The assistant says that it is an AI"),
        "whatsapp_number": _("Connecting a WhatsApp number"),
    }.get(kind, kind)


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
        "assistant.publish": _("Published the assistant"),
        "assistant.create_tool": _("Made a tool"),
        "assistant.change_tool": _("Changed a tool"),
        "assistant.enable_tool": _("Switched a tool on"),
        "assistant.disable_tool": _("Switched a tool off"),
        "assistant.remove_tool": _("Removed a tool"),
        "channel.create": _("Connected a number"),
        "channel.reconnect": _("Reconnected a number"),
        "channel.pause": _("Paused a number"),
        "channel.log_out": _("Logged a phone out"),
        "channel.remove": _("Removed a number"),
        "channel.rename": _("Renamed a number"),
        "channel.pairing_code": _("Asked for a pairing code"),
        "channel.confirm_passkey": _("Confirmed a passkey"),
        "channel.test": _("Sent a test message"),
        "channel.add_poster": _("Made a poster"),
        "channel.archive_poster": _("Took a poster off the list"),
        "api_key.create": _("Made an API key"),
        "api_key.revoke": _("Revoked an API key"),
        "contact.erase": _("Erased a contact"),
        "knowledge.add": _("Added to the knowledge"),
        "knowledge.remove": _("Removed from the knowledge"),
        "answer.add": _("Wrote an answer"),
        "answer.change": _("Changed an answer"),
        "answer.approve": _("Approved an answer"),
        "answer.remove": _("Removed an answer"),
        "credits.request": _("Asked to move credits"),
        "credits.apply": _("Moved credits"),
        "credits.reject": _("Refused a request about credits"),
        "credits.unfreeze": _("Freed the credits after a proof"),
        "caps.change": _("Changed the limits"),
        "assistant.hours": _("Changed hours and manners"),
        "assistant.stop": _("Stopped the assistant"),
        "assistant.resume": _("Let the assistant go on"),
        "assistant.auto_stop": _("The brake stopped the assistant"),
        "billing_profile.change": _("Changed the billing details"),
        "business.set_status": _("Suspended the business, or let it work again"),
        "impersonation.start": _("Began to act for the business"),
        "impersonation.stop": _("Stopped acting for the business"),
        "inbox.replay": _("Had an event read again"),
        "turn.retry": _("Had a reply tried again"),
        "turn.hand_over": _("Gave a reply that failed to people"),
        "auto_top_up.switch_on": _("Switched automatic top-up on"),
        "auto_top_up.switch_off": _("Switched automatic top-up off"),
        "auto_top_up.card": _("Saved a card for automatic top-up"),
        "auto_top_up.buy": _("Bought credits automatically"),
        "auto_top_up.pause": _("Paused automatic top-up"),
        "send.look_again": _("Had a send looked up again"),
        "mail.retry": _("Had a mail tried again"),
        "payment.retry": _("Had a payment event processed again"),
        "admin.create": _("Made a platform admin"),
        "account.disable": _("Locked an account out"),
        "account.reset_factor": _("Reset a second factor"),
        "business.second_factor": _("Changed whether everybody needs a second factor"),
        "account.enable": _("Let an account in again"),
        "prices.schedule": _("Scheduled new prices"),
        "prices.withdraw": _("Withdrew scheduled prices"),
        "plan.create": _("Made a plan"),
        "plan.change": _("Changed a plan"),
        "top_up_package.create": _("Made a top-up package"),
        "top_up_package.change": _("Changed a top-up package"),
        "deny_list.replace": _("Changed the networks shut out"),
        "contact.change": _("Changed a contact"),
        "contact.block": _("Blocked a contact"),
        "contact.undo_block": _("Unblocked a contact"),
        "contact.opt_out": _("Switched automatic answers off for a contact"),
        "contact.undo_opt_out": _("Allowed automatic answers for a contact"),
        "contact.merge": _("Merged two contacts"),
        "contact.import": _("Imported contacts"),
        "contact.export": _("Exported a contact"),
        "contact.export_all": _("Exported all contacts"),
        "business.export": _("Asked for an export of the business"),
        "business.export_download": _("Downloaded the export of the business"),
        "business.reopen": _("Opened the business again"),
        "member.notices": _("Changed their notifications"),
        "phone.owner_phone": _("Confirmed a phone"),
        "phone.send_code": _("Had a code sent to a phone"),
    }.get(action, action.replace(".", ": ").replace("_", " "))
