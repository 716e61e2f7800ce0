"""Short confirmations that the next page shows: a word in a cookie, a sentence on the page.

The cookie holds one of these words and nothing else, so that nobody can put text on a page.
"""

from app.dashboard.visit import Visit

COOKIE = "flash"


def flash_text(visit: Visit) -> str:
    """Return the sentence of the visit's flash; empty when there is none."""
    _ = visit._
    sentences = {
        "signed-out": _("You are signed out."),
        "signed-out-elsewhere": _("All other devices are signed out."),
        "password-changed": _("Your password is changed. Other devices are signed out."),
        "factor-added": _("Your authenticator app is in force."),
        "factor-removed": _("Your authenticator app is removed."),
        "passkey-added": _("Your passkey is ready."),
        "passkey-removed": _("The passkey is removed."),
        "session-ended": _("That device is signed out."),
        "email-asked": _("We have sent a link to the new address."),
        "email-changed": _("Your e-mail address is changed."),
        "email-verified": _("Your address is confirmed. You can sign in now."),
        "password-reset": _("Your new password is set. You can sign in now."),
        "invited": _("The invitation is on its way."),
        "invitation-revoked": _("The invitation is withdrawn."),
        "role-changed": _("The role is changed."),
        "member-removed": _("This person is no longer in the team."),
        "left": _("You have left the team."),
        "ownership-transferred": _("The ownership is handed over."),
        "joined": _("Welcome to the team!"),
        "business-created": _("Your business is set up. Welcome to Parley!"),
        "saved": _("Your changes are saved."),
        "name-changed": _("Your profile is saved."),
    }
    return sentences.get(visit.flash, "")
