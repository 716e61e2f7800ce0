"""API keys: shown once, stored hashed, found by their public part.

``pk_live_<12 characters>_<43 base62 characters>_<6 base62 characters>``: the public id, 256
random bits, and a CRC-32 of what stands before it, by which a mistyped key is refused without
a look-up and secret scanners recognise a real one.
"""

import hashlib
import hmac
import re
import secrets
import zlib
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core import ids
from app.core.db.engine import Database
from app.core.errors import ForbiddenError, NotFoundError, NotSignedInError, RefusedError, Word
from tenants import service
from tenants.access import Permission
from tenants.businesses import actor_of
from tenants.devices import Device
from tenants.login_sessions import SignedIn
from tenants.users import normalise_name

SCOPES = {
    "read": "Read conversations, messages, contacts and the balance.",
    "write": "Send messages and change conversations and contacts.",
}
KEYS_MAX = 20
DAYS_MAX = 730
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_PUBLIC_CHARS, _SECRET_CHARS, _CHECK_CHARS = 12, 43, 6
_FORM = re.compile(r"(pk_live_([0-9A-Za-z]{12})_([0-9A-Za-z]{43}))_([0-9A-Za-z]{6})", re.ASCII)
_REFUSED = Word("The API key is not valid. Send it as: Authorization: Bearer pk_live_…")

_INSERT = text(
    """
    insert into api_keys (tenant_id, id, public_id, name, secret_hash, scopes, created_by,
                          expires_at)
    values (:tenant_id, :id, :public_id, :name, :secret_hash, :scopes, :created_by,
            now() + make_interval(days => cast(:days as int)))
    """
)
_COUNT = text("select count(*) from api_keys where tenant_id = :tenant_id and revoked_at is null")
_LIST = text(
    """
    select id, public_id, name, scopes, created_at, expires_at, last_used_at, revoked_at,
           coalesce(expires_at < now(), false) as expired
    from api_keys where tenant_id = :tenant_id order by created_at desc limit 200
    """
)
_REVOKE = text(
    """
    update api_keys set revoked_at = now()
    where tenant_id = :tenant_id and id = :id and revoked_at is null returning name
    """
)
_FIND = text(
    """
    select k.tenant_id, k.id, k.name, k.secret_hash, k.scopes, t.status,
           coalesce(k.last_used_at < now() - interval '1 minute', true) as stale
    from api_keys k join tenants t on t.id = k.tenant_id
    where k.public_id = :public_id and k.revoked_at is null
      and (k.expires_at is null or k.expires_at > now())
    """
)
_TOUCH = text("update api_keys set last_used_at = now() where tenant_id = :tenant_id and id = :id")


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made: the only moment at which its text exists."""

    id: UUID
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeyView:
    """A line of the key list."""

    id: UUID
    public_id: str
    name: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None
    expired: bool


@dataclass(frozen=True, slots=True)
class ApiCaller:
    """The program behind a request: whose it is, and what it may do."""

    tenant_id: UUID
    key_id: UUID
    name: str
    scopes: frozenset[str]
    tenant_status: str

    def require(self, scope: str) -> None:
        """Raise ForbiddenError unless the key has a scope."""
        if scope not in self.scopes:
            raise ForbiddenError(
                "The API key lacks the scope “%(scope)s”. Make a key that has it.", scope=scope
            )


async def insert(
    connection: AsyncConnection,
    tenant_id: UUID,
    key: tuple[str, str],
    *,
    name: str,
    scopes: list[str],
    days: int | None,
    created_by: UUID,
) -> UUID:
    """Store a key, given as its public id and its secret; return the row's id."""
    key_id = ids.uuid7()
    await connection.execute(
        _INSERT,
        {
            "tenant_id": tenant_id,
            "id": key_id,
            "public_id": key[0],
            "name": name,
            "secret_hash": hash_secret(key[1]),
            "scopes": scopes,
            "created_by": created_by,
            "days": days,
        },
    )
    return key_id


class ApiKeys:
    """Makes, lists, revokes and checks API keys."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(
        self,
        person: SignedIn,
        *,
        name: str,
        scopes: list[str],
        days: int | None,
        device: Device,
    ) -> NewKey:
        """Make a key; ``days`` until it expires, None for never.

        Raises:
            RefusedError: an unknown scope, no scope, too many keys, or a lifetime out of range.
        """
        tenant_id = person.business(Permission.EDIT_API_KEYS)
        name = normalise_name(name)
        chosen = sorted(set(scopes))
        if not chosen or not set(chosen) <= set(SCOPES):
            raise RefusedError(
                "Choose at least one of the scopes %(scopes)s.", scopes=", ".join(SCOPES)
            )
        if days is not None and not 1 <= days <= DAYS_MAX:
            raise RefusedError("A key lasts 1 to %(most)s days, or without end.", most=DAYS_MAX)
        async with self._database.tenant(tenant_id) as connection:
            count = await connection.scalar(_COUNT, {"tenant_id": tenant_id})
            if int(count or 0) >= KEYS_MAX:
                raise RefusedError("There may be at most %(most)s keys; revoke one.", most=KEYS_MAX)
            made = new_key()
            key_id = await insert(
                connection,
                tenant_id,
                made,
                name=name,
                scopes=chosen,
                days=days,
                created_by=person.user_id,
            )
            await service.record(
                connection,
                tenant_id,
                actor_of(person, device),
                action="api_key.create",
                subject=str(key_id),
                after={"name": name, "scopes": chosen, "days": days},
            )
        return NewKey(key_id, format_key(*made))

    async def all_of(self, person: SignedIn) -> list[KeyView]:
        """Return the business's keys, the newest first; never their secrets."""
        tenant_id = person.business(Permission.READ_AUDIT)
        async with self._database.tenant(tenant_id) as connection:
            found = await connection.execute(_LIST, {"tenant_id": tenant_id})
            return [KeyView(**row) for row in found.mappings()]

    async def revoke(self, person: SignedIn, key_id: UUID, device: Device) -> None:
        """Make a key worthless at once; NotFoundError for a foreign or revoked one."""
        tenant_id = person.business(Permission.EDIT_API_KEYS)
        async with self._database.tenant(tenant_id) as connection:
            name = await connection.scalar(_REVOKE, {"tenant_id": tenant_id, "id": key_id})
            if name is None:
                raise NotFoundError("There is no such key.")
            await service.record(
                connection,
                tenant_id,
                actor_of(person, device),
                action="api_key.revoke",
                subject=str(key_id),
                before={"name": name},
            )

    async def check(self, key: str) -> ApiCaller:
        """Return who a key stands for; NotSignedInError, always in the same words, when nobody."""
        parts = parse_key(key)
        if parts is None:
            raise NotSignedInError(_REFUSED)
        public_id, secret = parts
        async with self._database.system_statement() as connection:
            row = (await connection.execute(_FIND, {"public_id": public_id})).one_or_none()
            stored = bytes(row.secret_hash) if row is not None else b"\0" * 32
            right = hmac.compare_digest(hash_secret(secret), stored)
            if row is None or not right or row.status == "closed":
                raise NotSignedInError(_REFUSED)
            if row.stale:
                await connection.execute(_TOUCH, {"tenant_id": row.tenant_id, "id": row.id})
        return ApiCaller(row.tenant_id, row.id, row.name, frozenset(row.scopes), row.status)


def new_key() -> tuple[str, str]:
    """Return a fresh public id and secret."""
    public_id = "".join(secrets.choice(_ALPHABET) for _ in range(_PUBLIC_CHARS))
    return public_id, "".join(secrets.choice(_ALPHABET) for _ in range(_SECRET_CHARS))


def format_key(public_id: str, secret: str) -> str:
    """Return a key's text with its check sum."""
    head = f"pk_live_{public_id}_{secret}"
    return f"{head}_{_check_sum(head)}"


def parse_key(key: str) -> tuple[str, str] | None:
    """Return a key's public id and secret; None when form or check sum are wrong."""
    match = _FORM.fullmatch(key)
    if match is None or _check_sum(match[1]) != match[4]:
        return None
    return match[2], match[3]


def hash_secret(secret: str) -> bytes:
    """Return what is stored of a secret: 256 random bits need no slow hash."""
    return hashlib.sha256(secret.encode()).digest()


def _check_sum(head: str) -> str:
    value, digits = zlib.crc32(head.encode()), ""
    for _ in range(_CHECK_CHARS):
        value, digit = divmod(value, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits
