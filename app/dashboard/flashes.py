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
        "factor-removed": _("Your authenticator app is removed."),
        "passkey-added": _("Your passkey is ready."),
        "passkey-removed": _("The passkey is removed."),
        "session-ended": _("That device is signed out."),
        "email-asked": _("We have sent a link to the new address."),
        "mail-again": _("We write to your address again."),
        "factor-rule": _("The rule is changed. Who has no second factor yet gets a mail."),
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
        "number-tested": _("The test is sent. Look at the phone."),
        "number-paused": _("The number is paused."),
        "number-logged-out": _("The phone is logged out."),
        "number-removed": _("The number is removed."),
        "poster-archived": _("The poster is off the list."),
        "saved": _("Your changes are saved."),
        "draft-saved": _("The draft is saved. Customers see it once you publish."),
        "draft-discarded": _("The draft is discarded."),
        "assistant-published": _("Published. Customers get these answers from now on."),
        "assistant-restored": _("The old version is live again."),
        "tool-saved": _("The tool is saved. Try it before you switch it on."),
        "tool-on": _("The tool is on."),
        "tool-off": _("The tool is off."),
        "tool-removed": _("The tool is removed."),
        "knowledge-added": _("It is being read. That takes a moment."),
        "knowledge-sync": _("The pages are being read again."),
        "knowledge-removed": _("It is removed, and the assistant has forgotten it."),
        "answer-approved": _("The answer is approved. Customers get it from now on."),
        "question-answered": _("Answered. The assistant knows it from now on."),
        "question-dismissed": _("The question is off the list."),
        "key-revoked": _("The key is revoked. It opens nothing any more."),
        "export-asked": _("The export is being prepared."),
        "business-closing": _("The business is being closed. You can undo it here."),
        "business-reopened": _("The business is open again."),
        "phone-verified": _("Your phone is confirmed."),
        "phone-removed": _("Your phone is removed."),
        "contact-blocked": _("The contact is blocked."),
        "contact-unblocked": _("The contact is no longer blocked."),
        "contact-opted-out": _("This customer gets no automatic answers any more."),
        "contact-opted-in": _("This customer gets automatic answers again."),
        "contacts-merged": _("The two contacts are one now."),
        "fact-forgotten": _("The assistant has forgotten it."),
        "contact-erased": _("The contact is erased."),
        "credits-moved": _("The credits are moved."),
        "credits-asked": _("A second admin has to approve this."),
        "set-going": _("It is taken up again."),
        "auto-top-up-on": _("Automatic top-up is on."),
        "auto-top-up-off": _("Automatic top-up is off. Credits are bought by hand."),
        "plan-now": _("The new plan is in force."),
        "plan-later": _("The new plan begins when the running period ends."),
        "assistant-stopped": _("The assistant is stopped. People answer."),
        "assistant-resumed": _("The assistant answers again."),
        "name-changed": _("Your profile is saved."),
    }
    return sentences.get(visit.flash, "")
