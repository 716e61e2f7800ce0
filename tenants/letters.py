"""The e-mails about accounts and teams: what each says, in plain words and one language."""

from datetime import datetime
from enum import StrEnum

from app.core.locales import Translator, translator
from app.core.mail.letter import Action, Letter
from tenants.access import Role
from tenants.devices import device_name


class Change(StrEnum):
    """What a person is told about their account after it happened."""

    PASSWORD = "password"  # noqa: S105 - a word
    FACTOR_ADDED = "factor_added"
    FACTOR_REMOVED = "factor_removed"
    FACTOR_RESET = "factor_reset"
    CODES_RENEWED = "codes_renewed"
    PASSKEY_ADDED = "passkey_added"
    PASSKEY_REMOVED = "passkey_removed"


class Letters:
    """Writes letters to one reader; links lead to the product's pages below ``app_url``.

    Args:
        app_url: where the product is.
        language: the reader's, as ``pt`` or ``pt-BR``; English where we lack it.
    """

    def __init__(self, app_url: str, language: str) -> None:
        self._root = app_url.rstrip("/")
        self._ = translator(language)

    def verify_email(self, name: str, token: str) -> Letter:
        """The first mail of a new account; the link works for 24 hours."""
        _ = self._
        return Letter(
            locale=_.language,
            subject=_("Confirm your e-mail address"),
            preheader=_("One click, and your account is ready."),
            paragraphs=(
                _("Hello %(name)s,", name=name),
                _("welcome to Parley. Please confirm that this is your e-mail address."),
            ),
            action=Action(_("Confirm my address"), f"{self._root}/verify-email?token={token}"),
            closing=(_("The link works for 24 hours."),),
            footnote=_ignore(_),
        )

    def already_registered(self, name: str) -> Letter:
        """In place of the first mail, where the address has an account."""
        _ = self._
        return Letter(
            locale=_.language,
            subject=_("You already have an account"),
            preheader=_("Somebody tried to register with your address."),
            paragraphs=(
                _("Hello %(name)s,", name=name),
                _(
                    "somebody, perhaps you, tried to register with this address. You have an"
                    " account already: sign in, or choose a new password if you forgot yours."
                ),
            ),
            action=Action(_("Sign in"), f"{self._root}/login"),
            footnote=_("If this was not you, there is nothing to do: nothing was changed."),
        )

    def reset_password(self, name: str, token: str) -> Letter:
        """The way to a new password; the link works for an hour."""
        _ = self._
        return Letter(
            locale=_.language,
            subject=_("Choose a new password"),
            preheader=_("The link works for one hour."),
            paragraphs=(
                _("Hello %(name)s,", name=name),
                _("use this link to choose a new password. All of your sessions end when you do."),
            ),
            action=Action(_("Choose a new password"), f"{self._root}/reset-password?token={token}"),
            closing=(_("The link works once, for one hour."),),
            footnote=_ignore(_),
        )

    def set_password(self, name: str, token: str) -> Letter:
        """The first password of an account that an operator made."""
        _ = self._
        return Letter(
            locale=_.language,
            subject=_("Your Parley account"),
            preheader=_("Choose a password to sign in for the first time."),
            paragraphs=(
                _("Hello %(name)s,", name=name),
                _("an account was made for you. Choose a password to sign in for the first time."),
            ),
            action=Action(_("Choose a password"), f"{self._root}/reset-password?token={token}"),
            closing=(_("The link works once, for 24 hours."),),
        )

    def confirm_new_email(self, name: str, token: str) -> Letter:
        """To the new address; the old one stays in force until the link is used."""
        _ = self._
        return Letter(
            locale=_.language,
            subject=_("Confirm your new e-mail address"),
            preheader=_("Until then you sign in with the old one."),
            paragraphs=(
                _("Hello %(name)s,", name=name),
                _("please confirm that you want to sign in with this address from now on."),
            ),
            action=Action(_("Confirm the new address"), f"{self._root}/change-email?token={token}"),
            closing=(_("The link works for one hour."),),
            footnote=_ignore(_),
        )

    def email_changing(self, name: str) -> Letter:
        """To the old address, as soon as a change was asked for."""
        _ = self._
        return Letter(
            locale=_.language,
            subject=_("Your e-mail address is about to change"),
            preheader=_("A new address was entered in your account."),
            paragraphs=(
                _("Hello %(name)s,", name=name),
                _(
                    "a new e-mail address was entered in your account. It counts once it has been"
                    " confirmed; this one will then no longer work."
                ),
            ),
            action=Action(_("Look at my account"), f"{self._root}/account"),
            footnote=_not_you(_),
        )

    def account_changed(self, name: str, change: Change) -> Letter:
        """A notice after a change."""
        _ = self._
        what = _changes(_)[change]
        return Letter(
            locale=_.language,
            subject=_("Your account was changed"),
            preheader=what,
            paragraphs=(_("Hello %(name)s,", name=name), what),
            action=Action(_("Look at my account"), f"{self._root}/account"),
            footnote=_not_you(_),
        )

    def new_device(self, name: str, agent: str, address: str, when: datetime) -> Letter:
        """After a sign-in from a browser that was not seen before."""
        from app.core.formats import Formats

        _ = self._
        return Letter(
            locale=_.language,
            subject=_("A new device signed in to your account"),
            preheader=device_name(agent, _),
            paragraphs=(
                _("Hello %(name)s,", name=name),
                _("somebody signed in to your account from a browser that was not used before."),
            ),
            facts=(
                (_("Device"), device_name(agent, _)),
                (_("Internet address"), address),
                (_("When"), f"{Formats(_.language).time(when)} UTC"),
            ),
            action=Action(_("Look at my account"), f"{self._root}/account"),
            closing=(_("If this was you, there is nothing to do."),),
            footnote=_not_you(_),
        )

    def invitation(self, business: str, inviter: str, role: Role, token: str) -> Letter:
        """Somebody is asked to join a business; the link works for seven days."""
        _ = self._
        asked = {
            Role.OWNER: _("%(inviter)s would like you to join %(business)s on Parley as an owner."),
            Role.MANAGER: _(
                "%(inviter)s would like you to join %(business)s on Parley as a manager."
            ),
            Role.AGENT: _("%(inviter)s would like you to join %(business)s on Parley as an agent."),
        }
        names = {"inviter": inviter, "business": business}
        return Letter(
            locale=_.language,
            subject=_("%(inviter)s invites you to %(business)s", **names),
            preheader=_("Join %(business)s on Parley.", business=business),
            paragraphs=(_("Hello,"), asked[role] % names),
            action=Action(_("Accept the invitation"), f"{self._root}/invitations/{token}"),
            closing=(_("The link works for seven days."),),
            footnote=_("If you do not know who this is, ignore this mail."),
        )

    def role_changed(self, business: str, role: Role) -> Letter:
        """To somebody who has another role from now on."""
        _ = self._
        said = {
            Role.OWNER: _("You are now an owner."),
            Role.MANAGER: _("You are now a manager."),
            Role.AGENT: _("You are now an agent."),
        }
        return self._membership(business, said[role])

    def removed(self, business: str) -> Letter:
        """To somebody who was taken off a team."""
        return self._membership(business, self._("You were removed from the team."))

    def inherited(self, business: str) -> Letter:
        """To somebody whom a business was handed over to."""
        return self._membership(business, self._("The business is yours now: you own it."))

    def factor_wanted(self, business: str, due: datetime) -> Letter:
        """To a member without a second factor, when the business begins to ask for one."""
        from app.core.formats import Formats

        _ = self._
        day = Formats(_.language).date(due)
        return Letter(
            locale=_.language,
            subject=_("%(business)s asks for a second factor", business=business),
            preheader=_("Set it up by %(day)s.", day=day),
            paragraphs=(
                _("Hello,"),
                _(
                    "%(business)s wants everybody in its team to sign in with a second factor: a"
                    " code of an app on your phone, or a passkey. It takes two minutes.",
                    business=business,
                ),
                _("From %(day)s on you cannot open the business without one.", day=day),
            ),
            action=Action(_("Set up my second factor"), f"{self._root}/account"),
        )

    def _membership(self, business: str, what: str) -> Letter:
        _ = self._
        return Letter(
            locale=_.language,
            subject=_("Your access to %(business)s changed", business=business),
            preheader=what,
            paragraphs=(_("Hello,"), what),
            action=Action(_("Open Parley"), f"{self._root}/"),
        )

    def closing_business(self, business: str, due: datetime) -> Letter:
        """To the owners: the business is closed and will be erased on ``due``."""
        from app.core.formats import Formats

        _ = self._
        day = Formats(_.language).date(due)
        return Letter(
            locale=_.language,
            subject=_("%(business)s is being closed", business=business),
            preheader=_("Everything is erased on %(day)s.", day=day),
            paragraphs=(
                _("Hello,"),
                _(
                    "%(business)s was closed. The assistant no longer answers. On %(day)s all"
                    " conversations, contacts, knowledge and settings are erased for good; only"
                    " amounts of credits and payments are kept, as the law asks.",
                    business=business,
                    day=day,
                ),
                _("Until then an owner can export everything, or open the business again."),
            ),
            action=Action(_("Open the settings"), f"{self._root}/settings/data"),
        )

    def export_ready(self, business: str, days: int) -> Letter:
        """To who asked: the export of the business can be had for some days."""
        _ = self._
        values = {"business": business, "days": days}
        return Letter(
            locale=_.language,
            subject=_("The export of %(business)s is ready", business=business),
            preheader=_("It can be downloaded for %(days)s days.", days=days),
            paragraphs=(
                _("Hello,"),
                _(
                    "everything that Parley holds of %(business)s is collected in one file. It can"
                    " be downloaded for %(days)s days; then it is deleted.",
                    **values,
                ),
            ),
            action=Action(_("Download the export"), f"{self._root}/settings/data"),
            footnote=_("You get this mail because you asked for the export."),
        )


def _changes(_: Translator) -> dict[Change, str]:
    return {
        Change.PASSWORD: _("Your password was changed."),
        Change.FACTOR_ADDED: _("A second factor was added."),
        Change.FACTOR_REMOVED: _("Your second factor was removed."),
        Change.FACTOR_RESET: _(
            "Your second factor was removed by Parley's operator, after you asked for it. Sign in"
            " with your password and set it up again."
        ),
        Change.CODES_RENEWED: _("Your recovery codes were replaced."),
        Change.PASSKEY_ADDED: _("A passkey was added."),
        Change.PASSKEY_REMOVED: _("A passkey was removed."),
    }


def _not_you(_: Translator) -> str:
    return _("If this was not you, change your password and end all sessions in your account.")


def _ignore(_: Translator) -> str:
    return _("If you did not ask for this, ignore this mail: nothing happens without the link.")
