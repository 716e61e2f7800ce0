"""Passkeys: WebAuthn ceremonies, with challenges that are kept here and used once.

A passkey that verified its user (PIN or biometrics) is two factors in one and signs in by
itself. Source: W3C WebAuthn Level 3, through the ``webauthn`` library.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core import ids
from app.core.errors import NotFoundError, NotSignedInError, RefusedError, Word
from tenants import account_log, login_sessions, users
from tenants.accounts import Accounts
from tenants.devices import Device
from tenants.factor_rule import require_spare
from tenants.letters import Change
from tenants.login_sessions import OpenSession, SignedIn

PASSKEYS_MAX = 20
_CHALLENGE_S = 300
_NAME = "Parley"
_BAD = Word("This passkey was not accepted. Try again, or sign in with your password.")

_INSERT_CHALLENGE = text(
    """
    insert into passkey_challenges (id, user_id, challenge, ceremony, expires_at)
    values (:id, :user_id, :challenge, :ceremony, now() + make_interval(secs => :lifetime_s))
    """
)
_TAKE_CHALLENGE = text(
    """
    delete from passkey_challenges
    where id = :id and ceremony = :ceremony and expires_at > now()
      and user_id is not distinct from cast(:user_id as uuid)
    returning challenge
    """
)
_LIST = text(
    "select id, name, backed_up, created_at, used_at, credential_id from passkeys"
    " where user_id = :user_id order by created_at"
)
_INSERT = text(
    """
    insert into passkeys (id, user_id, credential_id, public_key, sign_count, name, backed_up)
    values (:id, :user_id, :credential_id, :public_key, :sign_count, :name, :backed_up)
    on conflict (credential_id) do nothing
    """
)
_FIND = text(
    "select p.id, p.user_id, p.public_key, p.sign_count from passkeys p"
    " join users u on u.id = p.user_id and u.disabled_at is null"
    " and u.email_verified_at is not null"
    " where p.credential_id = :credential_id"
)
_USED = text(
    "update passkeys set sign_count = :sign_count, used_at = now()"
    " where id = :id and (sign_count < :sign_count or sign_count = 0 and :sign_count = 0)"
)
_REMOVE = text("delete from passkeys where user_id = :user_id and id = :id")
_PRUNE = text("delete from passkey_challenges where expires_at < now()")


@dataclass(frozen=True, slots=True)
class Ceremony:
    """What a browser needs: the challenge's id comes back with its answer.

    ``options`` is the JSON for ``navigator.credentials``.
    """

    id: UUID
    options: str


@dataclass(frozen=True, slots=True)
class PasskeyView:
    """A line of the passkey list."""

    id: UUID
    name: str
    backed_up: bool
    created_at: datetime
    used_at: datetime | None


class Passkeys:
    """Adds passkeys and signs in with them, for the site of ``app_url``."""

    def __init__(self, accounts: Accounts, app_url: str) -> None:
        self._accounts = accounts
        self._database = accounts.database
        parts = urlsplit(app_url)
        self._rp_id = parts.hostname or "localhost"
        self._origin = f"{parts.scheme}://{parts.netloc}"

    async def begin_adding(self, person: SignedIn) -> Ceremony:
        """Return options for ``navigator.credentials.create``; known passkeys are excluded.

        Raises:
            StepUpNeededError: the last proof is not recent.
            RefusedError: there are twenty already.
        """
        from webauthn import generate_registration_options
        from webauthn.helpers.structs import (
            AuthenticatorSelectionCriteria,
            PublicKeyCredentialDescriptor,
            ResidentKeyRequirement,
            UserVerificationRequirement,
        )

        person.require_recent()
        async with self._database.system() as connection:
            rows = (await connection.execute(_LIST, {"user_id": person.user_id})).all()
            if len(rows) >= PASSKEYS_MAX:
                raise RefusedError(
                    "There may be at most %(most)s passkeys; remove one.", most=PASSKEYS_MAX
                )
            options = generate_registration_options(
                rp_id=self._rp_id,
                rp_name=_NAME,
                user_id=person.user_id.bytes,
                user_name=person.email,
                user_display_name=person.name,
                exclude_credentials=[
                    PublicKeyCredentialDescriptor(id=bytes(r.credential_id)) for r in rows
                ],
                authenticator_selection=AuthenticatorSelectionCriteria(
                    resident_key=ResidentKeyRequirement.REQUIRED,
                    user_verification=UserVerificationRequirement.REQUIRED,
                ),
            )
            return await _keep(connection, options, "register", person.user_id)

    async def add(
        self, person: SignedIn, ceremony_id: UUID, answer: dict[str, Any], name: str, device: Device
    ) -> OpenSession:
        """Check the browser's answer, store the passkey, rotate the session's token."""
        from webauthn import verify_registration_response

        person.require_complete()
        name = users.normalise_name(name)
        challenge = await self._challenge(ceremony_id, "register", person.user_id)
        try:
            made = verify_registration_response(
                credential=answer,
                expected_challenge=challenge,
                expected_rp_id=self._rp_id,
                expected_origin=self._origin,
                require_user_verification=True,
            )
        except Exception as error:
            raise RefusedError("The passkey could not be added. Please try again.") from error
        async with self._database.system() as connection:
            done = await connection.execute(
                _INSERT,
                {
                    "id": ids.uuid7(),
                    "user_id": person.user_id,
                    "credential_id": made.credential_id,
                    "public_key": made.credential_public_key,
                    "sign_count": made.sign_count,
                    "name": name,
                    "backed_up": made.credential_backed_up,
                },
            )
            if not done.rowcount:
                raise RefusedError("This passkey was added before.")
            await self._accounts.tell(
                connection, person, device, "passkey.add", Change.PASSKEY_ADDED
            )
            return await login_sessions.rotate(
                connection,
                person.session_id,
                person.user_id,
                factor="passkey",
                second_factor=True,
            )

    async def begin_sign_in(self) -> Ceremony:
        """Return options for ``navigator.credentials.get``; they name no account."""
        from webauthn import generate_authentication_options
        from webauthn.helpers.structs import UserVerificationRequirement

        options = generate_authentication_options(
            rp_id=self._rp_id, user_verification=UserVerificationRequirement.REQUIRED
        )
        async with self._database.system() as connection:
            return await _keep(connection, options, "sign_in", None)

    async def sign_in(
        self, ceremony_id: UUID, answer: dict[str, Any], device: Device
    ) -> OpenSession:
        """Sign in with a passkey alone; NotSignedInError, in the same words, for every failure."""
        passkey_id, user_id = await self._verified(ceremony_id, answer)
        async with self._database.system() as connection:
            session = await login_sessions.open_session(
                connection, user_id, device, factor="passkey", second_factor=True
            )
            await self._accounts.welcome(connection, session, device)
            await account_log.note_own(
                connection, user_id, device, "sign_in.passkey", {"passkey": str(passkey_id)}
            )
            return session

    async def complete(
        self, person: SignedIn, ceremony_id: UUID, answer: dict[str, Any], device: Device
    ) -> OpenSession:
        """Finish a sign-in, or step up, with one of the person's own passkeys."""
        _, user_id = await self._verified(ceremony_id, answer)
        if user_id != person.user_id:
            raise NotSignedInError(_BAD)
        async with self._database.system() as connection:
            await account_log.note_own(connection, user_id, device, "step_up.passkey")
            session = await login_sessions.rotate(
                connection, person.session_id, user_id, factor="passkey", second_factor=True
            )
            if person.awaiting_factor:
                await self._accounts.welcome(connection, session, device)
            return session

    async def all_of(self, user_id: UUID) -> list[PasskeyView]:
        """Return a person's passkeys, the oldest first."""
        async with self._database.system_statement() as connection:
            rows = (await connection.execute(_LIST, {"user_id": user_id})).all()
        return [PasskeyView(r.id, r.name, r.backed_up, r.created_at, r.used_at) for r in rows]

    async def remove(self, person: SignedIn, passkey_id: UUID, device: Device) -> None:
        """Remove a passkey; NotFoundError when it is not theirs."""
        person.require_recent()
        async with self._database.system() as connection:
            done = await connection.execute(_REMOVE, {"user_id": person.user_id, "id": passkey_id})
            if not done.rowcount:
                raise NotFoundError("There is no such passkey.")
            await require_spare(connection, person.user_id)
            await self._accounts.tell(
                connection, person, device, "passkey.remove", Change.PASSKEY_REMOVED
            )

    async def _verified(self, ceremony_id: UUID, answer: dict[str, Any]) -> tuple[UUID, UUID]:
        """Check an answer against its challenge and key; return the passkey's and user's id."""
        from webauthn import verify_authentication_response
        from webauthn.helpers import base64url_to_bytes

        challenge = await self._challenge(ceremony_id, "sign_in", None)
        try:
            credential_id = base64url_to_bytes(str(answer["rawId"]))
        except (KeyError, ValueError) as error:
            raise NotSignedInError(_BAD) from error
        async with self._database.system_statement() as connection:
            found = await connection.execute(_FIND, {"credential_id": credential_id})
            row = found.one_or_none()
        if row is None:
            raise NotSignedInError(_BAD)
        try:
            seen = verify_authentication_response(
                credential=answer,
                expected_challenge=challenge,
                expected_rp_id=self._rp_id,
                expected_origin=self._origin,
                credential_public_key=bytes(row.public_key),
                credential_current_sign_count=row.sign_count,
                require_user_verification=True,
            )
        except Exception as error:
            raise NotSignedInError(_BAD) from error
        async with self._database.system_statement() as connection:
            used = {"id": row.id, "sign_count": seen.new_sign_count}
            # A counter that did not grow is a copy of the key, or a second try at once.
            if not (await connection.execute(_USED, used)).rowcount:
                raise NotSignedInError(_BAD)
        return row.id, row.user_id

    async def _challenge(self, ceremony_id: UUID, ceremony: str, user_id: UUID | None) -> bytes:
        async with self._database.system_statement() as connection:
            challenge = await connection.scalar(
                _TAKE_CHALLENGE, {"id": ceremony_id, "ceremony": ceremony, "user_id": user_id}
            )
        if challenge is None:
            raise RefusedError("This took too long. Please start again.")
        return bytes(challenge)


async def prune(connection: AsyncConnection) -> int:
    """Delete challenges that nobody answered in time; return how many."""
    return (await connection.execute(_PRUNE)).rowcount


async def _keep(
    connection: AsyncConnection, options: Any, ceremony: str, user_id: UUID | None
) -> Ceremony:
    from webauthn import options_to_json

    ceremony_id = ids.uuid7()
    await connection.execute(
        _INSERT_CHALLENGE,
        {
            "id": ceremony_id,
            "user_id": user_id,
            "challenge": options.challenge,
            "ceremony": ceremony,
            "lifetime_s": _CHALLENGE_S,
        },
    )
    return Ceremony(ceremony_id, options_to_json(options))
