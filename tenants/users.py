"""Users as rows: found, made, changed. What these mean for people is in ``tenants.accounts``."""

import re
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core import ids
from app.core.errors import NotFoundError, RefusedError
from app.core.text import storable

EMAIL_CHARS_MAX = 254
NAME_CHARS_MAX = 100
LOCALE_FORM = re.compile(r"[a-z]{2,3}(-[A-Z]{2})?", re.ASCII)
_EMAIL_FORM = re.compile(r"[^\s@,;<>()\"]{1,64}@[^\s@,;<>()\".]+(\.[^\s@,;<>()\".]+)+", re.ASCII)

_COLUMNS = """
    id, email, name, locale, password_hash, email_verified_at is not null as verified, admin,
    disabled_at is not null as disabled, totp_confirmed_at is not null as has_totp,
    exists (select 1 from passkeys p where p.user_id = users.id) as has_passkey
"""
_BY_EMAIL = text(f"select {_COLUMNS} from users where email = :email")  # noqa: S608
_BY_ID = text(f"select {_COLUMNS} from users where id = :id")  # noqa: S608
# Two registrations of one address at once: one makes the row, both know it afterwards.
_INSERT = text(
    """
    insert into users (id, email, name, locale, password_hash, password_changed_at,
                       terms_version, terms_at)
    values (:id, :email, :name, :locale, :password_hash,
            case when :password_hash is not null then now() end,
            :terms_version, case when cast(:terms_version as text) is not null then now() end)
    on conflict (email) do nothing returning id
    """.replace(":password_hash is", "cast(:password_hash as text) is")
)
_SET_PASSWORD = text(
    """
    update users set password_hash = :password_hash, password_changed_at = now(),
        email_verified_at = case when :verifies then coalesce(email_verified_at, now())
                                 else email_verified_at end
    where id = :id
    """
)
_REFRESH_HASH = text(
    "update users set password_hash = :new where id = :id and password_hash = :old"
)
_SET_LOCALE = text("update users set locale = :locale where id = :id")
_FORGET_PASSWORD = text("update users set password_hash = null where id = :id")
_VERIFY = text(
    "update users set email_verified_at = coalesce(email_verified_at, now()) where id = :id"
)
_CHANGE_EMAIL = text(
    """
    update users set email = :email, email_verified_at = now()
    where id = :id and not exists (select 1 from users where email = :email)
    """
)
_CHANGE_PROFILE = text("update users set name = :name, locale = :locale where id = :id")
_BUSINESSES = text(
    "select t.name from memberships m join tenants t on t.id = m.tenant_id where m.user_id = :id"
)
_SET_ADMIN = text("update users set admin = :admin where id = :id")


@dataclass(frozen=True, slots=True)
class User:
    """A person who can sign in."""

    id: UUID
    email: str
    name: str
    locale: str
    password_hash: str | None = field(repr=False)
    verified: bool
    admin: bool
    disabled: bool
    has_totp: bool
    has_passkey: bool

    @property
    def has_second_factor(self) -> bool:
        """True when signing in takes more than the password."""
        return self.has_totp or self.has_passkey


def normalise_email(raw: str) -> str:
    """Return an e-mail as it is stored; RefusedError for what cannot be one."""
    email = raw.strip().lower()
    fits = len(email) <= EMAIL_CHARS_MAX and _EMAIL_FORM.fullmatch(email)
    if not fits or storable(email) != email:
        raise RefusedError("This is not an e-mail address, such as name@example.com.")
    return email


def normalise_name(raw: str) -> str:
    """Return a person's or business's name on one line; RefusedError when there is none."""
    name = " ".join(storable(raw).split())
    if not name or len(name) > NAME_CHARS_MAX:
        raise RefusedError("The name needs 1 to %(most)s characters.", most=NAME_CHARS_MAX)
    return name


async def set_locale(connection: AsyncConnection, user_id: UUID, language: str) -> None:
    """Have pages and letters speak this language to somebody from now on."""
    values = {"id": user_id, "locale": normalise_locale(language)}
    await connection.execute(_SET_LOCALE, values)


def normalise_locale(raw: str) -> str:
    """Return a language as ``en`` or ``de-AT``; RefusedError for another form."""
    if not LOCALE_FORM.fullmatch(raw):
        raise RefusedError("The language is given as en or de-AT.")
    return raw


async def by_email(connection: AsyncConnection, email: str) -> User | None:
    """Return the user with this normalised e-mail."""
    row = (await connection.execute(_BY_EMAIL, {"email": email})).mappings().one_or_none()
    return None if row is None else User(**row)


async def by_id(connection: AsyncConnection, user_id: UUID) -> User:
    """Return a user; NotFoundError when there is none."""
    row = (await connection.execute(_BY_ID, {"id": user_id})).mappings().one_or_none()
    if row is None:
        raise NotFoundError("There is no such account.")
    return User(**row)


async def known_words(connection: AsyncConnection, user: User) -> list[str]:
    """Return what others know of a person: address, name, and what their businesses are called."""
    names = await connection.scalars(_BUSINESSES, {"id": user.id})
    return [user.email, user.name, *names]


async def insert(
    connection: AsyncConnection,
    *,
    email: str,
    name: str,
    password_hash: str | None,
    locale: str = "en",
    terms_version: str | None = None,
) -> UUID | None:
    """Make a user; None when the e-mail is taken."""
    user_id: UUID | None = await connection.scalar(
        _INSERT,
        {
            "id": ids.uuid7(),
            "email": email,
            "name": name,
            "locale": locale,
            "password_hash": password_hash,
            "terms_version": terms_version,
        },
    )
    return user_id


async def set_password(
    connection: AsyncConnection, user_id: UUID, password_hash: str, *, verifies_email: bool
) -> None:
    """Store a new password's hash; a link from the mailbox also proves the address."""
    await connection.execute(
        _SET_PASSWORD,
        {"id": user_id, "password_hash": password_hash, "verifies": verifies_email},
    )


async def forget_password(connection: AsyncConnection, user_id: UUID) -> None:
    """Leave an account without a password: only a link sets one."""
    await connection.execute(_FORGET_PASSWORD, {"id": user_id})


async def refresh_hash(connection: AsyncConnection, user_id: UUID, *, old: str, new: str) -> None:
    """Replace a hash by one of today's cost, unless the password was changed meanwhile."""
    await connection.execute(_REFRESH_HASH, {"id": user_id, "old": old, "new": new})


async def verify_email(connection: AsyncConnection, user_id: UUID) -> None:
    """Mark the address as confirmed."""
    await connection.execute(_VERIFY, {"id": user_id})


async def change_email(connection: AsyncConnection, user_id: UUID, email: str) -> None:
    """Take over a confirmed new address; RefusedError when somebody else has it by now."""
    done = await connection.execute(_CHANGE_EMAIL, {"id": user_id, "email": email})
    if not done.rowcount:
        raise RefusedError("This e-mail address can no longer be used. Enter another one.")


async def change_profile(
    connection: AsyncConnection, user_id: UUID, *, name: str, locale: str
) -> None:
    """Change what a person is called and in which language they read."""
    values = {"id": user_id, "name": normalise_name(name), "locale": normalise_locale(locale)}
    await connection.execute(_CHANGE_PROFILE, values)


async def set_admin(connection: AsyncConnection, user_id: UUID, *, admin: bool) -> None:
    """Make a user a platform admin, or an ordinary one."""
    await connection.execute(_SET_ADMIN, {"id": user_id, "admin": admin})
