"""The second factor: codes of an authenticator app (TOTP, RFC 6238), and ten recovery codes.

The seed is sealed and bound to its user. A code counts once: the time step of the last one is
kept, and neither it nor an earlier one is taken again, whoever sends it first.
"""

import hashlib
import secrets
import time
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core import ids
from app.core.crypto import Keyring, SecretRef
from app.core.db.rows import as_rows
from app.core.errors import NotSignedInError, RefusedError
from tenants import account_log, account_tokens, login_sessions
from tenants.accounts import Accounts
from tenants.devices import Device
from tenants.factor_rule import require_spare
from tenants.letters import Change
from tenants.login_sessions import OpenSession, SignedIn

ISSUER = "Parley"
CODES = 10
_STEP_S = 30
_STEPS_OFF = 1  # a phone's clock may be half a minute off
# Crockford's alphabet without the letters that look like digits: 26 × 5 = 130 bits a code.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_CODE_CHARS = 26

_READ = text(
    "select totp_secret, totp_counter, totp_confirmed_at is not null as confirmed"
    " from users where id = :id for update"
)
_STORE = text(
    "update users set totp_secret = :secret, totp_confirmed_at = null, totp_counter = null"
    " where id = :id and totp_confirmed_at is null"
)
_ADVANCE = text(
    """
    update users set totp_counter = :counter,
        totp_confirmed_at = coalesce(totp_confirmed_at, now())
    where id = :id and totp_secret is not null and coalesce(totp_counter, 0) < :counter
    """
)
_REMOVE = text(
    "update users set totp_secret = null, totp_confirmed_at = null, totp_counter = null"
    " where id = :id"
)
_DROP_CODES = text("delete from recovery_codes where user_id = :user_id")
_DROP_PASSKEYS = text("delete from passkeys where user_id = :user_id")
_INSERT_CODES = text(
    """
    insert into recovery_codes (id, user_id, code_hash)
    select id, :user_id, decode(hash, 'hex')
    from jsonb_to_recordset(cast(:rows as jsonb)) as r(id uuid, hash text)
    """
)
_USE_CODE = text(
    "update recovery_codes set used_at = now()"
    " where user_id = :user_id and code_hash = :code_hash and used_at is null returning id"
)
_CODES_LEFT = text(
    "select count(*) from recovery_codes where user_id = :user_id and used_at is null"
)


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What the page shows once: the seed as base32, and the URI of the QR code."""

    secret: str = field(repr=False)
    uri: str = field(repr=False)


def totp_ref(user_id: UUID) -> SecretRef:
    """Return where a user's TOTP seed is sealed."""
    return SecretRef("users", "totp_secret", user_id)


def qr_svg(uri: str) -> str:
    """Return the QR code of an enrolment as an inline SVG image."""
    import segno

    return segno.make(uri, error="m").svg_inline(scale=5, border=2)


class SecondFactor:
    """Enrols, checks and removes authenticators; hands out and takes recovery codes."""

    def __init__(self, accounts: Accounts, keyring: Keyring) -> None:
        self._accounts = accounts
        self._database = accounts.database
        self._keyring = keyring

    async def enrol(self, person: SignedIn) -> Enrolment:
        """Make a new seed; it counts once ``confirm`` has seen a code of it.

        Raises:
            StepUpNeededError: the last proof is not recent.
            RefusedError: an authenticator is in use already.
        """
        import pyotp

        person.require_recent()
        secret = pyotp.random_base32()
        sealed = self._keyring.encrypt(secret, totp_ref(person.user_id))
        async with self._database.system() as connection:
            done = await connection.execute(_STORE, {"id": person.user_id, "secret": sealed})
            if not done.rowcount:
                raise RefusedError("Remove your current authenticator app before adding another.")
        uri = pyotp.TOTP(secret).provisioning_uri(name=person.email, issuer_name=ISSUER)
        return Enrolment(secret, uri)

    async def confirm(
        self, person: SignedIn, code: str, device: Device
    ) -> tuple[OpenSession, list[str]]:
        """Put the new authenticator in force; return the rotated session and recovery codes.

        Other sessions end: they were opened without the factor.
        """
        person.require_complete()
        await self._accounts.throttles.second_factor(str(person.user_id))
        async with self._database.system() as connection:
            if not await self._take_totp(connection, person.user_id, code, confirmed=False):
                raise RefusedError("The code does not fit. Enter the one that is shown now.")
            codes = await _new_codes(connection, person.user_id)
            await login_sessions.revoke_all(connection, person.user_id, keep=person.session_id)
            session = await login_sessions.rotate(
                connection, person.session_id, person.user_id, factor="totp", second_factor=True
            )
            await self._accounts.tell(connection, person, device, "totp.enrol", Change.FACTOR_ADDED)
        return session, codes

    async def complete(self, person: SignedIn, code: str, device: Device) -> OpenSession:
        """Finish a sign-in, or step up, with a code of the app or a recovery code.

        Raises:
            NotSignedInError: the code is wrong, used or too old.
            TooManyAttemptsError: 5 codes in 5 minutes.
        """
        await self._accounts.throttles.second_factor(str(person.user_id))
        async with self._database.system() as connection:
            factor = await self._take(connection, person.user_id, code)
            action = f"sign_in.{factor}" if factor else "sign_in.factor_failed"
            await account_log.note_own(connection, person.user_id, device, action)
            session = None
            if factor is not None:
                session = await login_sessions.rotate(
                    connection,
                    person.session_id,
                    person.user_id,
                    factor=factor,
                    second_factor=True,
                )
                if person.awaiting_factor:
                    await self._accounts.welcome(connection, session, device)
        if session is None:
            raise NotSignedInError("The code is wrong or was used before. Enter a new one.")
        return session

    async def remove(self, person: SignedIn, device: Device) -> None:
        """Take the authenticator and the recovery codes away.

        Raises:
            StepUpNeededError: the last proof is not recent.
            RefusedError: it is the last factor, and the platform or a business asks for one.
        """
        person.require_recent()
        async with self._database.system() as connection:
            await connection.execute(_REMOVE, {"id": person.user_id})
            await connection.execute(_DROP_CODES, {"user_id": person.user_id})
            await require_spare(connection, person.user_id)
            await account_tokens.retire(connection, person.user_id, "reset_password")
            await self._accounts.tell(
                connection, person, device, "totp.remove", Change.FACTOR_REMOVED
            )

    async def renew_codes(self, person: SignedIn, device: Device) -> list[str]:
        """Replace all recovery codes by ten new ones, shown once."""
        person.require_recent()
        async with self._database.system() as connection:
            codes = await _new_codes(connection, person.user_id)
            await self._accounts.tell(
                connection, person, device, "recovery.renew", Change.CODES_RENEWED
            )
        return codes

    async def codes_left(self, user_id: UUID) -> int:
        """Return how many recovery codes are unused."""
        async with self._database.system_statement() as connection:
            return int(await connection.scalar(_CODES_LEFT, {"user_id": user_id}) or 0)

    async def _take(self, connection: AsyncConnection, user_id: UUID, code: str) -> str | None:
        if await self._take_totp(connection, user_id, code, confirmed=True):
            return "totp"
        values = {"user_id": user_id, "code_hash": _hash_code(user_id, code)}
        used = await connection.scalar(_USE_CODE, values)
        return "recovery" if used is not None else None

    async def _take_totp(
        self, connection: AsyncConnection, user_id: UUID, code: str, *, confirmed: bool
    ) -> bool:
        row = (await connection.execute(_READ, {"id": user_id})).one_or_none()
        if row is None or row.totp_secret is None or row.confirmed is not confirmed:
            return False
        secret = self._keyring.decrypt(bytes(row.totp_secret), totp_ref(user_id))
        counter = matching_step(secret, code, now_s=time.time())
        if counter is None:
            return False
        done = await connection.execute(_ADVANCE, {"id": user_id, "counter": counter})
        return bool(done.rowcount)


def matching_step(secret: str, code: str, *, now_s: float) -> int | None:
    """Return the 30-second step that a six-digit code belongs to; None when it fits none.

    One step before and after now is accepted. All are compared, in constant time each.
    """
    import pyotp

    given = code.replace(" ", "")
    if not (given.isascii() and given.isdigit()):
        return None
    generator, now_step = pyotp.TOTP(secret), int(now_s // _STEP_S)
    steps = range(now_step - _STEPS_OFF, now_step + _STEPS_OFF + 1)
    fitting = [s for s in steps if secrets.compare_digest(generator.generate_otp(s), given)]
    return fitting[-1] if fitting else None


async def forget(connection: AsyncConnection, user_id: UUID) -> None:
    """Take everything away that somebody proves themselves with besides the password."""
    await connection.execute(_REMOVE, {"id": user_id})
    await connection.execute(_DROP_CODES, {"user_id": user_id})
    await connection.execute(_DROP_PASSKEYS, {"user_id": user_id})


async def _new_codes(connection: AsyncConnection, user_id: UUID) -> list[str]:
    codes = ["".join(secrets.choice(_ALPHABET) for _ in range(_CODE_CHARS)) for _ in range(CODES)]
    rows = [{"id": ids.uuid7(), "hash": _hash_code(user_id, code).hex()} for code in codes]
    await connection.execute(_DROP_CODES, {"user_id": user_id})
    await connection.execute(_INSERT_CODES, {"user_id": user_id, "rows": as_rows(rows)})
    return ["-".join(code[i : i + 7] for i in range(0, _CODE_CHARS, 7)) for code in codes]


def _hash_code(user_id: UUID, code: str) -> bytes:
    # 130 random bits need no slow hash; look-alikes are read as what they stand for.
    plain = code.upper().replace("-", "").replace(" ", "").translate(str.maketrans("OIL", "011"))
    return hashlib.sha256(user_id.bytes + plain.encode(errors="replace")).digest()
