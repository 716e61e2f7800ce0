"""Who calls in the walk over all routes, and what must never reach them.

The victim is a business with a conversation, contacts, keys and credits; its rows carry marks.
The callers are everybody else.
"""

from dataclasses import dataclass, field
from uuid import UUID

from app.core.ids import uuid7
from app.core.passwords import HashCost, PasswordHasher
from app.http.csrf import make_token
from app.http.sessions import Cookies
from tenants import login_sessions, users
from tenants.access import Role
from tenants.api_keys import format_key, hash_secret, new_key
from tenants.devices import Device
from tests.worlds import Shop, World

MARK = "lighthouse-secret-words"
NUMBER = "4915155507777"


@dataclass
class Callers:
    """Request headers by caller, the victim's ids by parameter name, and its marks."""

    headers: dict[str, dict[str, str]]
    victim: Shop
    ids: dict[str, UUID | str]
    owner: dict[str, str]
    own_key: str = field(repr=False)
    marks: tuple[str, ...] = ()


async def two_businesses(world: World) -> Callers:
    """Make the victim and the callers."""
    victim, other = await world.open_shop(), await world.open_shop()
    ids = await _conversation(world, victim)
    cookies = Cookies(world.settings.app_url)
    headers: dict[str, dict[str, str]] = {"anonymous": {}}
    for name, role, admin in (
        ("other owner", Role.OWNER, False),
        ("other agent", Role.AGENT, False),
        ("admin", None, True),
    ):
        token = await _session(world, f"{name.replace(' ', '-')}@example.org", other, role, admin)
        headers[name] = {
            "Cookie": f"{cookies.session}={token}",
            "X-CSRF-Token": make_token(world.settings.secret_keys[0], token),
        }
    headers["other key"] = {"Authorization": f"Bearer {await _key(world, other)}"}
    headers["forged key"] = {"Authorization": f"Bearer {format_key(*new_key())}"}
    own_key = await _key(world, victim)
    owner = await _session(world, "victim@example.org", victim, Role.OWNER, False)
    ids |= await _people(world, victim)
    return Callers(
        headers=headers,
        victim=victim,
        ids=ids,
        owner={"Cookie": f"{cookies.session}={owner}"},
        own_key=own_key,
        marks=(MARK, NUMBER, victim.session, victim.secret, "victim@example.org"),
    )


async def _conversation(world: World, shop: Shop) -> dict[str, UUID | str]:
    contact, conversation, message = uuid7(), uuid7(), uuid7()
    await world.run(
        "insert into contacts (tenant_id, id, push_name) values ($1, $2, $3)",
        shop.tenant_id, contact, MARK,
    )  # fmt: skip
    await world.run(
        "insert into contact_addresses (tenant_id, id, contact_id, kind, address)"
        " values ($1, $2, $3, 'phone', $4)",
        shop.tenant_id, uuid7(), contact, f"{NUMBER}@c.us",
    )  # fmt: skip
    await world.run(
        "insert into conversations (tenant_id, id, channel_id, contact_id, address)"
        " values ($1, $2, $3, $4, $5)",
        shop.tenant_id, conversation, shop.channel_id, contact, f"{NUMBER}@c.us",
    )  # fmt: skip
    await world.run(
        "insert into messages (tenant_id, id, conversation_id, channel_id, direction, author,"
        " wa_id, kind, body, sent_at, disposition)"
        " values ($1, $2, $3, $4, 'in', 'customer', 'ABCDEF0123', 'text', $5, now(), 'empty')",
        shop.tenant_id, message, conversation, shop.channel_id, MARK,
    )  # fmt: skip
    return {
        "conversation_id": conversation,
        "contact_id": contact,
        "message_id": message,
        "channel_id": shop.channel_id,
        "tenant_id": shop.tenant_id,
        "channel_key": shop.key,
    }


async def _people(world: World, shop: Shop) -> dict[str, UUID | str]:
    """The victim's owner, their session and passkey, and an open invitation."""
    row = await world.one(
        "select s.id, s.user_id from login_sessions s join users u on u.id = s.user_id"
        " where u.email = 'victim@example.org'"
    )
    passkey, invitation = uuid7(), uuid7()
    await world.run(
        "insert into passkeys (id, user_id, credential_id, public_key, sign_count, name)"
        " values ($1, $2, 'c', 'k', 0, $3)",
        passkey, row["user_id"], MARK,
    )  # fmt: skip
    await world.run(
        "insert into invitations (tenant_id, id, email, role, token_hash, invited_by, expires_at)"
        " values ($1, $2, 'guest-of-victim@example.org', 'agent', 'h', $3, now() + interval '1 d')",
        shop.tenant_id, invitation, row["user_id"],
    )  # fmt: skip
    return {
        "user_id": row["user_id"],
        "session_id": row["id"],
        "passkey_id": passkey,
        "invitation_id": invitation,
    }


async def _session(world: World, email: str, shop: Shop, role: Role | None, admin: bool) -> str:
    password = await PasswordHasher(HashCost(memory_kib=64, passes=1)).hash("unused")
    async with world.db.system() as connection:
        user_id = await users.insert(connection, email=email, name="N", password_hash=password)
        assert user_id is not None
        await users.verify_email(connection, user_id)
        await users.set_admin(connection, user_id, admin=admin)
        opened = await login_sessions.open_session(
            connection, user_id, Device("127.0.0.1", "Test"), factor="totp", second_factor=True
        )
    if role is not None:
        await world.run(
            "insert into memberships (tenant_id, user_id, role) values ($1, $2, $3)",
            shop.tenant_id, user_id, role.value,
        )  # fmt: skip
        await world.run(
            "update login_sessions set business_id = $1 where user_id = $2",
            shop.tenant_id, user_id,
        )  # fmt: skip
    return opened.token


async def _key(world: World, shop: Shop) -> str:
    public_id, secret = new_key()
    await world.run(
        "insert into api_keys (tenant_id, id, public_id, name, secret_hash, scopes)"
        " values ($1, $2, $3, 'Walk', $4, '{read,write}')",
        shop.tenant_id, uuid7(), public_id, hash_secret(secret),
    )  # fmt: skip
    return format_key(public_id, secret)
