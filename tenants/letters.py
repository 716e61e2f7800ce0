"""The e-mails about accounts and teams: what each says, in plain words."""

from app.core.mail.letter import Action, Letter

_NOT_YOU = "If this was not you, change your password and end all sessions in your account."
_IGNORE = "If you did not ask for this, ignore this mail: nothing happens without the link."


class Letters:
    """Writes letters whose links lead to the product's pages below ``app_url``."""

    def __init__(self, app_url: str) -> None:
        self._root = app_url.rstrip("/")

    def verify_email(self, name: str, token: str) -> Letter:
        """The first mail of a new account; the link works for 24 hours."""
        return Letter(
            subject="Confirm your e-mail address",
            preheader="One click, and your account is ready.",
            paragraphs=(
                f"Hello {name},",
                "welcome to Parley. Please confirm that this is your e-mail address.",
            ),
            action=Action("Confirm my address", f"{self._root}/verify-email?token={token}"),
            closing=("The link works for 24 hours.",),
            footnote=_IGNORE,
        )

    def already_registered(self, name: str) -> Letter:
        """In place of the first mail, where the address has an account."""
        return Letter(
            subject="You already have an account",
            preheader="Somebody tried to register with your address.",
            paragraphs=(
                f"Hello {name},",
                (
                    "somebody, perhaps you, tried to register with this address. You have an"
                    " account already: sign in, or choose a new password if you forgot yours."
                ),
            ),
            action=Action("Sign in", f"{self._root}/login"),
            footnote="If this was not you, there is nothing to do: nothing was changed.",
        )

    def reset_password(self, name: str, token: str) -> Letter:
        """The way to a new password; the link works for an hour."""
        return Letter(
            subject="Choose a new password",
            preheader="The link works for one hour.",
            paragraphs=(
                f"Hello {name},",
                "use this link to choose a new password. All of your sessions end when you do.",
            ),
            action=Action("Choose a new password", f"{self._root}/reset-password?token={token}"),
            closing=("The link works once, for one hour.",),
            footnote=_IGNORE,
        )

    def set_password(self, name: str, token: str) -> Letter:
        """The first password of an account that an operator made."""
        return Letter(
            subject="Your Parley account",
            preheader="Choose a password to sign in for the first time.",
            paragraphs=(
                f"Hello {name},",
                "an account was made for you. Choose a password to sign in for the first time.",
            ),
            action=Action("Choose a password", f"{self._root}/reset-password?token={token}"),
            closing=("The link works once, for 24 hours.",),
        )

    def confirm_new_email(self, name: str, token: str) -> Letter:
        """To the new address; the old one stays in force until the link is used."""
        return Letter(
            subject="Confirm your new e-mail address",
            preheader="Until then you sign in with the old one.",
            paragraphs=(
                f"Hello {name},",
                "please confirm that you want to sign in with this address from now on.",
            ),
            action=Action("Confirm the new address", f"{self._root}/change-email?token={token}"),
            closing=("The link works for one hour.",),
            footnote=_IGNORE,
        )

    def email_changing(self, name: str) -> Letter:
        """To the old address, as soon as a change was asked for."""
        return Letter(
            subject="Your e-mail address is about to change",
            preheader="A new address was entered in your account.",
            paragraphs=(
                f"Hello {name},",
                (
                    "a new e-mail address was entered in your account. It counts once it has been"
                    " confirmed; this one will then no longer work."
                ),
            ),
            action=Action("Look at my account", f"{self._root}/account"),
            footnote=_NOT_YOU,
        )

    def account_changed(self, name: str, what: str) -> Letter:
        """A notice after a change; ``what`` is a sentence."""
        return Letter(
            subject="Your account was changed",
            preheader=what,
            paragraphs=(f"Hello {name},", what),
            action=Action("Look at my account", f"{self._root}/account"),
            footnote=_NOT_YOU,
        )

    def invitation(self, business: str, inviter: str, role: str, token: str) -> Letter:
        """Somebody is asked to join a business; the link works for seven days."""
        return Letter(
            subject=f"{inviter} invites you to {business}",
            preheader=f"Join {business} on Parley.",
            paragraphs=(
                "Hello,",
                f"{inviter} would like you to join {business} on Parley as {role}.",
            ),
            action=Action("Accept the invitation", f"{self._root}/invitations/{token}"),
            closing=("The link works for seven days.",),
            footnote="If you do not know who this is, ignore this mail.",
        )

    def membership_changed(self, business: str, what: str) -> Letter:
        """A notice to somebody whose place in a team changed; ``what`` is a sentence."""
        return Letter(
            subject=f"Your access to {business} changed",
            preheader=what,
            paragraphs=("Hello,", what),
            action=Action("Open Parley", f"{self._root}/"),
        )

    def closing_business(self, business: str, due: str) -> Letter:
        """To the owners: the business is closed and will be erased on ``due``."""
        return Letter(
            subject=f"{business} is being closed",
            preheader=f"Everything is erased on {due}.",
            paragraphs=(
                "Hello,",
                (
                    f"{business} was closed. The assistant no longer answers. On {due} all"
                    " conversations, contacts, knowledge and settings are erased for good; only"
                    " amounts of credits and payments are kept, as the law asks."
                ),
                "Until then an owner can export everything, or open the business again.",
            ),
            action=Action("Open the settings", f"{self._root}/settings/data"),
        )

    def export_ready(self, business: str, days: int) -> Letter:
        """To who asked: the export of the business can be had for some days."""
        return Letter(
            subject=f"The export of {business} is ready",
            preheader=f"It can be downloaded for {days} days.",
            paragraphs=(
                "Hello,",
                (
                    f"everything that Parley holds of {business} is collected in one file. It can"
                    f" be downloaded for {days} days; then it is deleted."
                ),
            ),
            action=Action("Download the export", f"{self._root}/settings/data"),
            footnote="You get this mail because you asked for the export.",
        )
