"""Accounts from sign-up to a changed password: the service behind the sign-in pages.

No answer tells whether an account exists: known and unknown addresses take the same steps (one
look-up, one hash, one log entry) and get the same words; the difference goes to the mailbox.
Hashes are made outside transactions, so no connection waits for them.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from app.core import ids
from app.core.config import Settings
from app.core.db.engine import Database
from app.core.errors import NotSignedInError, RefusedError, Word
from app.core.limits.types import Limiter
from app.core.mail.blocks import MailBlocks
from app.core.mail.letter import Letter
from app.core.mail.outbox import Outbox
from app.core.passwords import PasswordHasher
from app.core.text import storable
from tenants import account_log, account_tokens, familiar, login_sessions, users
from tenants.devices import Device
from tenants.letters import Change, Letters
from tenants.login_sessions import OpenSession, SignedIn
from tenants.password_rules import require_acceptable
from tenants.service import Actor
from tenants.throttles import Throttles

ANSWER_S = 0.4
"""How long every answer takes that might tell of an account by its time, in seconds."""

WRONG_LOGIN = Word("The e-mail address or the password is wrong.")


@dataclass(frozen=True, slots=True, kw_only=True)
class SignUp:
    """What the registration form gives. ``terms_version`` names the accepted text."""

    email: str
    name: str
    password: str = field(repr=False)
    terms_version: str
    locale: str = "en"


class Accounts:
    """Everything that a person does with their own account."""

    def __init__(
        self,
        database: Database,
        limiter: Limiter,
        settings: Settings,
        hasher: PasswordHasher,
        *,
        answer_s: float = ANSWER_S,
    ) -> None:
        self.database = database
        self._answer_s = answer_s
        self.throttles = Throttles(limiter, settings.secret_key)
        self.outbox = Outbox(settings.keyring())
        self._app_url = settings.app_url
        self._secret_keys = settings.secret_keys
        self._blocks = MailBlocks(settings.secret_keys)
        self.hasher = hasher

    def letters(self, language: str) -> Letters:
        """Return who writes to somebody who reads this language."""
        return Letters(self._app_url, language)

    async def register(self, form: SignUp, device: Device) -> None:
        """Make an account and mail a link that confirms the address.

        Where the address has an account, its owner gets a mail instead; the answer is the same.
        Who registers an unconfirmed one again is unknown, and so is who did before: its password
        is forgotten, and the mailbox's owner chooses one by the link. So nobody can put a
        password of their own on somebody else's address.

        Raises:
            RefusedError: the form cannot be accepted; says what to change.
            TooManyAttemptsError: too many accounts from this address.
        """
        email, name = users.normalise_email(form.email), users.normalise_name(form.name)
        users.normalise_locale(form.locale)
        await _require_acceptable(form.password, (email, name))
        if not form.terms_version:
            raise RefusedError("Please accept the terms.")
        await self.throttles.sign_up(device.address)
        await self.throttles.mail_link(email, device.address)
        async with self.same_time():
            await self._register(form, email, name, device)

    async def _register(self, form: SignUp, email: str, name: str, device: Device) -> None:
        password_hash = await self.hasher.hash(form.password)
        async with self.database.system() as connection:
            user_id = await users.insert(
                connection,
                email=email,
                name=name,
                password_hash=password_hash,
                locale=form.locale,
                terms_version=form.terms_version,
            )
            known = await users.by_email(connection, email)
            if known is None or known.disabled:
                return
            if user_id is None and known.verified:
                letter = self.letters(known.locale).already_registered(known.name)
                await self.mail(connection, known.email, letter, device)
                return
            if user_id is None:
                await users.forget_password(connection, known.id)
                await account_tokens.retire(connection, known.id, "verify_email")
                await self._mail_first_password(connection, known, device)
            else:
                token = await account_tokens.issue(connection, known.id, "verify_email")
                letter = self.letters(form.locale).verify_email(name, token)
                await self.mail(connection, email, letter, device)
            await account_log.note_own(connection, known.id, device, "account.register")

    async def resend_verification(self, email: str, device: Device) -> None:
        """Mail the link again, if there is an account that needs it; tells nothing."""
        email = users.normalise_email(email)
        await self.throttles.mail_link(email, device.address)
        async with self.same_time(), self.database.system() as connection:
            user = await users.by_email(connection, email)
            if user is None or user.verified or user.disabled:
                return
            if user.password_hash is None:
                await self._mail_first_password(connection, user, device)
                return
            token = await account_tokens.issue(connection, user.id, "verify_email")
            letter = self.letters(user.locale).verify_email(user.name, token)
            await self.mail(connection, email, letter, device)

    async def _mail_first_password(
        self, connection: AsyncConnection, user: users.User, device: Device
    ) -> None:
        """Mail a link that confirms the address by choosing a password."""
        token = await account_tokens.issue(connection, user.id, "set_password")
        letter = self.letters(user.locale).set_password(user.name, token)
        await self.mail(connection, user.email, letter, device)

    async def verify_email(self, token: str, device: Device) -> UUID:
        """Confirm an address by its link; return whose it is. It does not sign anyone in."""
        async with self.database.system() as connection:
            used = await account_tokens.use(connection, token, "verify_email")
            await users.verify_email(connection, used.user_id)
            await account_log.note_own(connection, used.user_id, device, "email.verify")
            return used.user_id

    async def sign_in(self, email: str, password: str, device: Device) -> OpenSession:
        """Check e-mail and password, and open a session.

        With a second factor the session is good for nothing but that factor
        (``awaiting_factor``) until ``SecondFactor`` or ``Passkeys`` completes it.

        Raises:
            NotSignedInError: wrong, unknown, unconfirmed or disabled; one answer for all.
            TooManyAttemptsError: 5 in 5 min of an address, 10 in 15 min on an account.
        """
        address_of_mail = storable(email.strip().lower(), chars_max=users.EMAIL_CHARS_MAX)
        await self.throttles.sign_in(address_of_mail, device.address)
        async with self.database.system_statement() as connection:
            user = await users.by_email(connection, address_of_mail)
        stored = user.password_hash if user is not None else None
        right = await self.hasher.verify(password, stored)
        if user is None or stored is None or not right or user.disabled or not user.verified:
            await self._note_failure(address_of_mail, user.id if user else None, device)
            raise NotSignedInError(WRONG_LOGIN)
        renewed = await self.hasher.hash(password) if self.hasher.is_outdated(stored) else None
        async with self.database.system() as connection:
            if renewed:
                await users.refresh_hash(connection, user.id, old=stored, new=renewed)
            session = await login_sessions.open_session(
                connection,
                user.id,
                device,
                factor="password",
                awaiting_factor=user.has_second_factor,
            )
            if not session.awaiting_factor:
                await self.welcome(connection, session, device)
            await account_log.note_own(connection, user.id, device, "sign_in.password")
        await self.throttles.give_back_sign_in(address_of_mail, device.address)
        return session

    async def welcome(
        self, connection: AsyncConnection, session: OpenSession, device: Device
    ) -> None:
        """Tell somebody by mail whose account was just opened on a browser not seen before."""
        if await familiar.is_new(
            connection, session.user_id, session.id, device, self._secret_keys
        ):
            user = await users.by_id(connection, session.user_id)
            letter = self.letters(user.locale).new_device(
                user.name, device.agent, device.address, datetime.now(UTC)
            )
            await self.mail(connection, user.email, letter, device)

    async def undeliverable(self, addresses: Collection[str]) -> dict[str, str]:
        """Return which addresses take no mail: address → ``bounced`` or ``complained``."""
        async with self.database.system_statement() as connection:
            return await self._blocks.find(connection, addresses)

    async def write_again(self, person: SignedIn, device: Device) -> None:
        """Try a person's own address again after mail to it came back."""
        person.require_complete()
        await self.throttles.mail_link(person.email, device.address)
        async with self.database.system() as connection:
            if await self._blocks.unblock(connection, person.email):
                await account_log.note_own(connection, person.user_id, device, "email.try_again")

    async def sign_out(self, person: SignedIn, device: Device) -> None:
        """End this session."""
        async with self.database.system() as connection:
            await login_sessions.revoke(connection, person.user_id, person.session_id)
            await account_log.note_own(connection, person.user_id, device, "sign_out")

    async def sign_out_everywhere(
        self, person: SignedIn, device: Device, *, keep_this: bool = False
    ) -> int:
        """End all sessions, this one too unless it is kept; return how many ended."""
        keep = person.session_id if keep_this else None
        async with self.database.system() as connection:
            ended = await login_sessions.revoke_all(connection, person.user_id, keep=keep)
            await account_log.note_own(
                connection, person.user_id, device, "sign_out.everywhere", {"sessions": ended}
            )
        return ended

    async def confirm(self, person: SignedIn, password: str, device: Device) -> OpenSession:
        """Step up: check the password again and rotate the session's token."""
        person.require_complete()
        user = await self._require_password(person, password, device)
        async with self.database.system() as connection:
            await account_log.note_own(connection, user.id, device, "step_up.password")
            return await login_sessions.rotate(connection, person.session_id, user.id)

    async def ask_reset(self, email: str, device: Device) -> None:
        """Mail a link to choose a new password, if there is such an account; tells nothing."""
        email = users.normalise_email(email)
        await self.throttles.mail_link(email, device.address)
        async with self.same_time(), self.database.system() as connection:
            user = await users.by_email(connection, email)
            if user is None or user.disabled:
                return
            token = await account_tokens.issue(connection, user.id, "reset_password")
            letter = self.letters(user.locale).reset_password(user.name, token)
            await self.mail(connection, email, letter, device)
            await account_log.note_own(connection, user.id, device, "password.ask_reset")

    async def reset_password(self, token: str, password: str, device: Device) -> None:
        """Set a new password by a link; every session and other link of the account ends.

        Raises:
            RefusedError: the link is no longer valid, or the password too easy.
        """
        await _require_acceptable(password, ())
        async with self.database.system_statement() as connection:
            if not await account_tokens.is_valid(
                connection, token, "reset_password", "set_password"
            ):
                raise RefusedError("This link is no longer valid. Ask for a new one.")
        password_hash = await self.hasher.hash(password)
        async with self.database.system() as connection:
            used = await account_tokens.use(connection, token, "reset_password", "set_password")
            user = await users.by_id(connection, used.user_id)
            await _require_acceptable(password, await users.known_words(connection, user))
            await self._store_password(connection, user, password_hash, verifies_email=True)
            await login_sessions.revoke_all(connection, user.id)
            await account_log.note_own(connection, user.id, device, "password.reset")
            letter = self.letters(user.locale).account_changed(user.name, Change.PASSWORD)
            await self.mail(connection, user.email, letter, device)

    async def change_password(
        self, person: SignedIn, current: str, new: str, device: Device
    ) -> OpenSession:
        """Change the password with the current one; other sessions end, this one rotates."""
        person.require_complete()
        user = await self._require_password(person, current, device)
        async with self.database.system_statement() as connection:
            known = await users.known_words(connection, user)
        await _require_acceptable(new, known)
        password_hash = await self.hasher.hash(new)
        async with self.database.system() as connection:
            await self._store_password(connection, user, password_hash, verifies_email=False)
            await login_sessions.revoke_all(connection, user.id, keep=person.session_id)
            await account_log.note_own(connection, user.id, device, "password.change")
            letter = self.letters(user.locale).account_changed(user.name, Change.PASSWORD)
            await self.mail(connection, user.email, letter, device)
            return await login_sessions.rotate(connection, person.session_id, user.id)

    async def tell(
        self,
        connection: AsyncConnection,
        person: SignedIn,
        device: Device,
        action: str,
        change: Change,
    ) -> None:
        """Note a change of somebody's own account, and tell them of it by mail."""
        await account_log.note_own(connection, person.user_id, device, action)
        letter = self.letters(person.locale).account_changed(person.name, change)
        await self.mail(connection, person.email, letter, device)

    @asynccontextmanager
    async def same_time(self) -> AsyncIterator[None]:
        """Let a block last as long as any other of its kind, whatever it found."""
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + self._answer_s
        try:
            yield
        finally:
            await asyncio.sleep(max(0.0, ends_at - loop.time()))

    async def mail(
        self, connection: AsyncConnection, to: str, letter: Letter, device: Device
    ) -> None:
        """Queue a letter of the platform; each is an occasion of its own."""
        await self.outbox.queue(
            connection,
            to=to,
            letter=letter,
            key=f"account:{ids.uuid7()}",
            request_id=device.request_id,
        )

    async def _require_password(
        self, person: SignedIn, password: str, device: Device
    ) -> users.User:
        await self.throttles.sign_in(person.email, device.address)
        async with self.database.system_statement() as connection:
            user = await users.by_id(connection, person.user_id)
        if not await self.hasher.verify(password, user.password_hash):
            await self._note_failure(user.email, user.id, device)
            raise NotSignedInError("The password is wrong.")
        await self.throttles.give_back_sign_in(person.email, device.address)
        return user

    async def _store_password(
        self,
        connection: AsyncConnection,
        user: users.User,
        password_hash: str,
        *,
        verifies_email: bool,
    ) -> None:
        await users.set_password(connection, user.id, password_hash, verifies_email=verifies_email)
        # A changed address too: whoever asked for it may be why the password is changed.
        await account_tokens.retire(
            connection, user.id, "reset_password", "set_password", "change_email"
        )

    async def _note_failure(self, email: str, user_id: UUID | None, device: Device) -> None:
        # One insert for known and unknown alike: neither its time nor its words may differ.
        actor = Actor("user", None, device.address, device.request_id)
        async with self.database.system() as connection:
            await account_log.note(
                connection,
                actor,
                action="sign_in.failed",
                subject=self.throttles.account_subject(email),
                user_id=user_id,
            )


async def _require_acceptable(password: str, own: Sequence[str]) -> None:
    # Off the loop: the first call loads the lists.
    await asyncio.to_thread(require_acceptable, password, own=own)
