"""The demo's people and its API key: made with the demo business, the same at every start."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.config import Settings
from app.core.passwords import PasswordHasher
from tenants import api_keys, users

_PUBLIC_CHARS, _SECRET_CHARS = 12, 43
_JOIN = text(
    "insert into memberships (tenant_id, user_id, role) values (:tenant_id, :user_id, :role)"
)
_NAMES = {"owner": "Olive Marlow", "agent": "Arthur Finch", "admin": "Ada Operator"}
_ROLES = {"owner": "owner", "agent": "agent"}


@dataclass(frozen=True, slots=True)
class Login:
    """An address and a password to sign in with."""

    email: str
    password: str = field(repr=False)


def logins(settings: Settings) -> Mapping[str, Login]:
    """Return the demo's logins by role. Passwords follow from the installation's secret key."""
    return {
        role: Login(f"{role}@marlow-and-finch.example", _derived(settings, role)[:16])
        for role in _NAMES
    }


def api_key(settings: Settings) -> str:
    """Return the text of the demo's API key (scope ``read``)."""
    return api_keys.format_key(*_key(settings))


async def make(connection: AsyncConnection, settings: Settings, tenant_id: UUID) -> None:
    """Make those of owner, agent and platform admin that are missing, and the owner's key."""
    hasher = PasswordHasher()
    for role, login in logins(settings).items():
        if await users.by_email(connection, login.email) is not None:
            continue
        user_id = await users.insert(
            connection,
            email=login.email,
            name=_NAMES[role],
            password_hash=await hasher.hash(login.password),
            terms_version="demo",
        )
        if user_id is None:
            continue
        await users.verify_email(connection, user_id)
        if role == "admin":
            await users.set_admin(connection, user_id, admin=True)
        else:
            join = {"tenant_id": tenant_id, "user_id": user_id, "role": _ROLES[role]}
            await connection.execute(_JOIN, join)
        if role == "owner":
            await api_keys.insert(
                connection,
                tenant_id,
                _key(settings),
                name="Demo",
                scopes=["read"],
                days=None,
                created_by=user_id,
            )


def _key(settings: Settings) -> tuple[str, str]:
    material = _derived(settings, "api key") + _derived(settings, "api key secret")
    return material[:_PUBLIC_CHARS], material[_PUBLIC_CHARS : _PUBLIC_CHARS + _SECRET_CHARS]


def _derived(settings: Settings, purpose: str) -> str:
    """Letters and digits that only this installation makes for a purpose."""
    key = settings.secret_keys[0].encode()
    digest = hmac.digest(key, f"demo {purpose}".encode(), hashlib.sha512)
    return base64.b64encode(digest, altchars=b"xy").decode().rstrip("=")
