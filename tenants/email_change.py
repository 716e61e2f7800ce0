"""A new e-mail address: in force once the link that was mailed to it is used."""

from app.core.errors import RefusedError
from tenants import account_log, account_tokens, users
from tenants.accounts import Accounts
from tenants.devices import Device
from tenants.login_sessions import SignedIn


class EmailChange:
    """Asked for with a recent proof, done by whoever reads the new mailbox."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    async def ask(self, person: SignedIn, email: str, device: Device) -> None:
        """Mail a link to the new address and a notice to the old one; tells nothing of others.

        Raises:
            StepUpNeededError: the last proof is older than ten minutes.
        """
        person.require_recent()
        accounts = self._accounts
        email = users.normalise_email(email)
        await accounts.throttles.mail_link(email, device.address)
        async with accounts.same_time(), accounts.database.system() as connection:
            taken = await users.by_email(connection, email)
            token = await account_tokens.issue(
                connection, person.user_id, "change_email", new_email=email
            )
            if taken is None:
                letter = accounts.letters(person.locale).confirm_new_email(person.name, token)
            else:
                letter = accounts.letters(taken.locale).already_registered(taken.name)
            await accounts.mail(connection, email, letter, device)
            notice = accounts.letters(person.locale).email_changing(person.name)
            await accounts.mail(connection, person.email, notice, device)
            await account_log.note_own(connection, person.user_id, device, "email.ask_change")

    async def take(self, token: str, device: Device) -> None:
        """Take over the new address by its link; links sent to the old one stop working."""
        async with self._accounts.database.system() as connection:
            used = await account_tokens.use(connection, token, "change_email")
            if used.new_email is None:
                raise RefusedError("This link is no longer valid. Ask for a new one.")
            await users.change_email(connection, used.user_id, used.new_email)
            await account_tokens.retire(
                connection, used.user_id, "reset_password", "verify_email", "set_password"
            )
            await account_log.note_own(connection, used.user_id, device, "email.change")
