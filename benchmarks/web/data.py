"""A business as large as the dashboard must stand: 100 000 conversations, 1 000 000 messages."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import text

from app.core.config import Settings
from app.core.db.engine import Database
from app.core.ids import secret_token
from app.messaging.numbers import daily
from benchmarks.businesses import open_businesses
from benchmarks.servers import Servers
from benchmarks.web import history
from benchmarks.webhooks import Number
from billing import charge_days
from tenants import login_sessions, users
from tenants.devices import Device

# Without triggers and foreign keys: what is made here is whole, and made by one session.
_NEVER = "no password leads here"
_QUICK = "set session_replication_role = replica"
# A text index is built at once several times quicker than it grows.
_WORDS = "select pg_get_indexdef('ix_messages_words'::regclass)"
_LOT = "select id from credit_lots where tenant_id = $1 limit 1"
_OTHERS = 1_000
_DAYS_MAX = 100
_BORN = "update tenants set created_at = now() - interval '60 days' where id = $1"
_MEMBER = text(
    "insert into memberships (tenant_id, user_id, role) values (:tenant_id, :user_id, :role)"
)
_ADMIN = text("update users set admin = true where id = :user_id")
# Some pages ask for a fresh proof: this one stays fresh for as long as the benchmark runs.
_PROVED = text("update login_sessions set confirmed_at = now() + interval '1 day' where id = :id")
_IDS = """
select c.id as conversation_id, c.contact_id, m.id as message_id, t.id as turn_id,
       (select id from question_answers where tenant_id = $1 limit 1) as answer_id,
       (select id from unanswered_questions where tenant_id = $1 limit 1) as question_id,
       (select id from labels where tenant_id = $1 limit 1) as label_id,
       (select id from knowledge_sources where tenant_id = $1 limit 1) as source_id,
       (select id from tenant_tools where tenant_id = $1 limit 1) as tool_id,
       (select id from channel_campaigns where tenant_id = $1 limit 1) as campaign_id,
       (select id from contact_imports where tenant_id = $1 limit 1) as import_id,
       (select id from business_exports where tenant_id = $1 limit 1) as export_id
from conversations c
join messages m on m.tenant_id = c.tenant_id and m.conversation_id = c.id and m.direction = 'in'
join turns t on t.tenant_id = m.tenant_id and t.id = m.turn_id
where c.tenant_id = $1 and c.state = 'open' order by c.last_message_at desc, m.sent_at limit 1
"""


@dataclass(frozen=True, slots=True)
class _Size:
    conversations: int
    messages_each: int


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is signed in."""

    user_id: UUID
    token: str


@dataclass(frozen=True, slots=True)
class Business:
    """The large business, who looks at it, and what parameters of pages name in it."""

    tenant_id: UUID
    owner: Person
    agent: Person
    admin: Person
    number: Number
    ids: dict[str, Any]


async def open_large(machine: Servers, *, conversations: int, messages_each: int) -> Business:
    """Make the business; its statistics are read, so that the planner knows how large it is."""
    settings = machine.settings
    (number,) = await open_businesses(settings, 1)
    tenant_id, channel_id = UUID(number.tenant_id), UUID(number.channel_id)
    owner = await _person(settings, tenant_id, "owner")
    agent = await _person(settings, tenant_id, "agent")
    admin = await _person(settings, None, "admin")
    connection = await asyncpg.connect(machine.superuser_database_url)
    try:
        size = _Size(conversations, messages_each)
        await _fill(connection, tenant_id, channel_id, agent.user_id, size)
        ids = await _ids(connection, tenant_id)
    finally:
        await connection.close()
    await _add_up(settings)
    known = {**ids, "tenant_id": tenant_id, "channel_id": channel_id}
    return Business(tenant_id, owner, agent, admin, number, known)


async def _fill(
    connection: Any,
    tenant_id: UUID,
    channel_id: UUID,
    agent_id: UUID,
    size: _Size,
) -> None:
    lot_id = await connection.fetchval(_LOT, tenant_id)
    await connection.execute(_QUICK)
    words = await connection.fetchval(_WORDS)
    await connection.execute("drop index ix_messages_words")
    await connection.execute(history.CONTACTS, tenant_id, size.conversations)
    await connection.execute(history.ADDRESSES, tenant_id)
    await connection.execute(history.CONVERSATIONS, tenant_id, channel_id, agent_id)
    await connection.execute(history.REPLIES, tenant_id, size.messages_each)
    for statement in (*history.OF_HISTORY, *history.OF_BUSINESS):
        await connection.execute(statement, tenant_id)
    for statement in (history.HOLD_PARTS, history.JOURNAL):
        await connection.execute(statement, tenant_id, lot_id)
    await connection.execute(_BORN, tenant_id)
    await connection.execute(history.BUSINESSES, tenant_id, _OTHERS)
    await connection.execute(words)
    await connection.execute("vacuum analyze")


async def _ids(connection: Any, tenant_id: UUID) -> dict[str, Any]:
    """What the parameters of pages name, by their names."""
    row = await connection.fetchrow(_IDS, tenant_id)
    return dict(row)


async def _person(settings: Settings, tenant_id: UUID | None, role: str) -> Person:
    """Somebody of the business, or of the platform, signed in with every factor."""
    database = Database.from_settings(settings, pool_size=2)
    email = f"{role}-{secret_token()[:12].lower()}@example.org"
    try:
        async with database.system() as transaction:
            user_id = await users.insert(transaction, email=email, name=role, password_hash=_NEVER)
            if user_id is None:
                raise RuntimeError("this person is there already")
            await users.verify_email(transaction, user_id)
            values = {"tenant_id": tenant_id, "user_id": user_id, "role": role}
            await transaction.execute(_MEMBER if tenant_id else _ADMIN, values)
            opened = await login_sessions.open_session(
                transaction,
                user_id,
                Device("127.0.0.1", "Benchmark"),
                factor="totp",
                second_factor=True,
            )
            await transaction.execute(_PROVED, {"id": opened.id})
    finally:
        await database.close()
    return Person(user_id, opened.token)


async def _add_up(settings: Settings) -> None:
    """What the scheduler does as days pass: charges and figures by the day."""
    database = Database.from_settings(settings, pool_size=2)
    try:
        for _ in range(_DAYS_MAX):
            async with database.system() as transaction:
                await charge_days.add_up(transaction)
        async with database.system() as transaction:
            await daily.count_days(transaction)
    finally:
        await database.close()
