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

    def may_look(self, name: str, path: str) -> bool:
        """Whether a caller's business it is to look after all businesses, on this page."""
        return name == "admin" and path.startswith("/admin")

    def hidden_from(self, name: str, path: str) -> tuple[str, ...]:
        """What must not be on a page: from the console too, customers, words and secrets."""
        seen = ("victim@example.org", self.victim.session)
        return tuple(
            mark for mark in self.marks if mark not in seen or not self.may_look(name, path)
        )


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
        token = await open_session(
            world, f"{name.replace(' ', '-')}@example.org", other, role, admin
        )
        headers[name] = {
            "Cookie": f"{cookies.session}={token}",
            "X-CSRF-Token": make_token(world.settings.secret_keys[0], token),
        }
    headers["other key"] = {"Authorization": f"Bearer {await _key(world, other)}"}
    headers["forged key"] = {"Authorization": f"Bearer {format_key(*new_key())}"}
    own_key = await _key(world, victim)
    owner = await open_session(world, "victim@example.org", victim, Role.OWNER, False)
    ids |= await _people(world, victim)
    ids |= await _knowledge(world, victim)
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
    fact, import_id, export, key, turn = uuid7(), uuid7(), uuid7(), uuid7(), uuid7()
    await world.run(
        "insert into turns (tenant_id, id, conversation_id, channel_id, state, first_at, due_at,"
        " finished_at) values ($1, $2, $3, $4, 'done', now(), now(), now())",
        shop.tenant_id, turn, conversation, shop.channel_id,
    )  # fmt: skip
    await world.run(
        "insert into contact_facts (tenant_id, id, contact_id, key, value)"
        " values ($1, $2, $3, 'words', $4)",
        shop.tenant_id, fact, contact, MARK,
    )  # fmt: skip
    await world.run(
        "insert into contact_imports (tenant_id, id, user_id, file_name, rows, found)"
        " values ($1, $2, $2, $3, '{}', 0)",
        shop.tenant_id, import_id, MARK,
    )  # fmt: skip
    await world.run(
        "insert into business_exports (tenant_id, id, user_id, state, finished_at, expires_at)"
        " values ($1, $2, $2, 'ready', now(), now() + interval '1 day')",
        shop.tenant_id, export,
    )  # fmt: skip
    await world.run(
        "insert into api_keys (tenant_id, id, public_id, name, secret_hash, scopes)"
        " values ($1, $2, 'walk', $3, 'h', '{read}')",
        shop.tenant_id, key, MARK,
    )  # fmt: skip
    campaign = uuid7()
    await world.run(
        "insert into channel_campaigns (tenant_id, id, channel_id, code, label, greeting)"
        " values ($1, $2, $3, 'VCTMPC', $4, 'Hello')",
        shop.tenant_id, campaign, shop.channel_id, MARK,
    )  # fmt: skip
    label, reply, file = uuid7(), uuid7(), uuid7()
    await world.run(
        "insert into labels (tenant_id, id, name) values ($1, $2, $3)", shop.tenant_id, label, MARK
    )
    await world.run(
        "insert into canned_replies (tenant_id, id, shortcut, body) values ($1, $2, 'walk', $3)",
        shop.tenant_id, reply, MARK,
    )  # fmt: skip
    await world.run(
        "insert into message_media (tenant_id, id, message_id, kind, state, name)"
        " values ($1, $2, $3, 'document', 'ready', $4)",
        shop.tenant_id, file, message, MARK,
    )  # fmt: skip
    tool = uuid7()
    await world.run(
        "insert into tenant_tools (tenant_id, id, name, description, parameters, method, url)"
        " values ($1, $2, 'find_order', $3, '{}', 'GET', 'https://shop.example')",
        shop.tenant_id, tool, MARK,
    )  # fmt: skip
    return {
        "tool_id": tool,
        "label_id": label,
        "reply_id": reply,
        "media_id": file,
        "fact_id": fact,
        "turn_id": turn,
        "import_id": import_id,
        "export_id": export,
        "key_id": key,
        "conversation_id": conversation,
        "contact_id": contact,
        "message_id": message,
        "channel_id": shop.channel_id,
        "campaign_id": campaign,
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


async def open_session(
    world: World, email: str, shop: Shop, role: Role | None, admin: bool = False
) -> str:
    """Sign somebody new in, with a role in a business; return the session's token."""
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


async def _knowledge(world: World, shop: Shop) -> dict[str, UUID | str]:
    """What the victim taught: a file, an answer, a question that nobody answered."""
    source, document, answer, question = uuid7(), uuid7(), uuid7(), uuid7()
    await world.run(
        "insert into knowledge_sources (tenant_id, id, kind, title) values ($1, $2, 'file', $3)",
        shop.tenant_id, source, MARK,
    )  # fmt: skip
    await world.run(
        "insert into knowledge_documents (tenant_id, id, source_id, kind, title, state, due_at)"
        " values ($1, $2, $3, 'file', $4, 'ready', null)",
        shop.tenant_id, document, source, MARK,
    )  # fmt: skip
    await world.run(
        "insert into question_answers (tenant_id, id, question, answer) values ($1, $2, $3, $3)",
        shop.tenant_id, answer, MARK,
    )  # fmt: skip
    await world.run(
        "insert into unanswered_questions (tenant_id, id, question, normal, reason)"
        " values ($1, $2, $3, $3, 'missing_knowledge')",
        shop.tenant_id, question, MARK,
    )  # fmt: skip
    return {"source_id": source, "answer_id": answer, "question_id": question}
