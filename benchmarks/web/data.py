"""A business as large as the dashboard must stand: 100 000 conversations, 1 000 000 messages."""

from dataclasses import dataclass
from uuid import UUID

import asyncpg

from app.core.config import Settings
from app.core.db.engine import Database
from benchmarks.businesses import open_businesses
from benchmarks.servers import Servers
from tenants import login_sessions, users
from tenants.devices import Device

# Without triggers and foreign keys: what is made here is whole, and made by one session.
_NEVER = "no password leads here"
_QUICK = "set session_replication_role = replica"
# A text index is built at once several times quicker than it grows.
_WORDS = "select pg_get_indexdef('ix_messages_words'::regclass)"
_CONTACTS = """
insert into contacts (tenant_id, id, push_name, created_at)
select $1, gen_random_uuid(),
       (array['Ana','Luis','Marta','João','Kim','Noa'])[1 + n % 6] || ' ' ||
       (array['Reis','Lima','Berg','Silva','Costa'])[1 + n % 5] || ' ' || n,
       now() - interval '1 day'
from generate_series(1, $2::int) n
"""
_ADDRESSES = """
insert into contact_addresses (tenant_id, id, contact_id, kind, address)
select $1, gen_random_uuid(), id, 'phone',
       (34600000000 + row_number() over ())::text || '@c.us'
from contacts where tenant_id = $1
"""
_CONVERSATIONS = """
insert into conversations (tenant_id, id, channel_id, contact_id, state, address, handover_reason,
                           last_message_at)
select a.tenant_id, gen_random_uuid(), $2, a.contact_id,
       case when n % 20 = 0 then 'open' when n % 10 < 3 then 'pending' else 'resolved' end,
       a.address, case when n % 20 = 0 then 'customer_request' end,
       now() - n * interval '20 seconds'
from (select *, row_number() over (order by id) as n from contact_addresses where tenant_id = $1) a
"""
_MESSAGES = """
insert into messages (tenant_id, id, conversation_id, channel_id, direction, author, wa_id, kind,
                      body, sent_at, received_at, disposition)
select c.tenant_id, gen_random_uuid(), c.id, c.channel_id,
       case when k % 2 = 1 then 'in' else 'out' end,
       case when k % 2 = 1 then 'customer' else 'assistant' end,
       md5(c.id::text || k), 'text',
       'word' || (hashint4(k + hashtext(c.id::text)) & 4095) || ' order '
           || (hashtext(c.id::text) & 65535) || ' open tomorrow',
       c.last_message_at - ($2 - k) * interval '30 seconds',
       c.last_message_at - ($2 - k) * interval '30 seconds',
       case when k % 2 = 1 then 'answered' end
from conversations c cross join generate_series(1, $2::int) k
where c.tenant_id = $1
"""


@dataclass(frozen=True, slots=True)
class Business:
    """The large business, somebody who owns it, and what parameters of pages name in it."""

    tenant_id: UUID
    user_id: UUID
    token: str
    ids: dict[str, UUID]


async def open_large(machine: Servers, *, conversations: int, messages_each: int) -> Business:
    """Make the business; its statistics are read, so that the planner knows how large it is."""
    settings = machine.settings
    (number,) = await open_businesses(settings, 1)
    tenant_id, channel_id = UUID(number.tenant_id), UUID(number.channel_id)
    connection = await asyncpg.connect(machine.superuser_database_url)
    try:
        await connection.execute(_QUICK)
        await connection.execute(_CONTACTS, tenant_id, conversations)
        await connection.execute(_ADDRESSES, tenant_id)
        await connection.execute(_CONVERSATIONS, tenant_id, channel_id)
        words = await connection.fetchval(_WORDS)
        await connection.execute("drop index ix_messages_words")
        await connection.execute(_MESSAGES, tenant_id, messages_each)
        await connection.execute(words)
        await connection.execute("vacuum analyze contacts, contact_addresses")
        await connection.execute("vacuum analyze conversations, messages")
        conversation = await connection.fetchrow(
            "select id, contact_id from conversations where tenant_id = $1 and state = 'open'"
            " order by last_message_at desc limit 1",
            tenant_id,
        )
    finally:
        await connection.close()
    user_id, token = await _owner(settings, tenant_id)
    ids = {
        "conversation_id": conversation["id"],
        "contact_id": conversation["contact_id"],
        "channel_id": channel_id,
    }
    return Business(tenant_id, user_id, token, ids)


async def _owner(settings: Settings, tenant_id: UUID) -> tuple[UUID, str]:
    database = Database.from_settings(settings, pool_size=2)
    connection = await asyncpg.connect(settings.database_system_url)
    try:
        async with database.system() as transaction:
            user_id = await users.insert(
                transaction, email=f"{tenant_id}@example.org", name="Owner", password_hash=_NEVER
            )
            if user_id is None:
                raise RuntimeError("the business has an owner already")
            await users.verify_email(transaction, user_id)
        await connection.execute(
            "insert into memberships (tenant_id, user_id, role) values ($1, $2, 'owner')",
            tenant_id,
            user_id,
        )
        async with database.system() as transaction:
            opened = await login_sessions.open_session(
                transaction,
                user_id,
                Device("127.0.0.1", "Benchmark"),
                factor="totp",
                second_factor=True,
            )
    finally:
        await connection.close()
        await database.close()
    return user_id, opened.token
