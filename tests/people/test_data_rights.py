"""Erasing and keeping: after an erasure no column of any table holds the person."""

import asyncio
import json
import logging
import re
import subprocess
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from unittest import mock
from uuid import uuid4

import asyncpg
import pytest

from app.cli.local import install
from app.core import faults
from app.core.config import Settings
from app.core.errors import ConflictError, NotFoundError
from app.core.ids import uuid7
from app.core.live import ChangeFeed
from app.messaging import erasure
from app.messaging.data_rights import enforce_retention, erase_contact, export_contact
from app.messaging.desk.delivering import DeskDelivery
from app.messaging.desk.service import Inbox
from app.messaging.desk.writing import Draft
from tenants.phone_codes import PhoneCodes
from tenants.service import Actor
from tests.database.catalog import connected
from tests.databases import TestDatabase
from tests.engine import events
from tests.engine.bench import Bench, Business, SilentBell
from tests.engine.stepping import die, survive
from tests.people.test_phone_codes import Phone
from tests.persons import person_of

pytestmark = pytest.mark.anyio
NUMBER, OTHER = "4915155501234", "4915155509999"
WORDS = "my Dinner Is At The Lighthouse"
ACTOR = Actor("user", "ada")
_BYTES = re.compile(r"\\\\x([0-9a-f]+)")
_THREAD = "(select id from conversations where tenant_id = :t and contact_id = :c)"
_TRACES = (
    (
        "insert into conversation_notes (tenant_id, id, conversation_id, user_id, body)"
        f" select :t, gen_random_uuid(), id, gen_random_uuid(), :words from {_THREAD} v"
    ),
    (
        "with l as (insert into labels (tenant_id, id, name)"
        " values (:t, gen_random_uuid(), 'VIP') returning id)"
        " insert into conversation_labels (tenant_id, conversation_id, label_id)"
        f" select :t, v.id, l.id from l, {_THREAD} v"
    ),
    (
        "insert into conversation_reads (tenant_id, user_id, conversation_id, seen_at)"
        f" select :t, gen_random_uuid(), id, now() from {_THREAD} v"
    ),
    (
        "insert into conversation_summaries (tenant_id, conversation_id, summary)"
        f" select :t, id, :words from {_THREAD} v"
        " on conflict (tenant_id, conversation_id) do update set summary = excluded.summary"
    ),
    (
        "insert into unanswered_questions"
        " (tenant_id, id, question, normal, reason, conversation_id)"
        f" select :t, gen_random_uuid(), :words, :words, 'test', id from {_THREAD} v"
    ),
    (
        "insert into turn_traces (tenant_id, turn_id, trace)"
        " select :t, id, jsonb_build_object('asked', cast(:words as text)) from turns"
        f" where conversation_id in {_THREAD} on conflict do nothing"
    ),
    (
        "insert into message_media (tenant_id, id, message_id, kind, reading)"
        " select :t, gen_random_uuid(), m.id, 'audio', :words from messages m"
        f" where m.conversation_id in {_THREAD} limit 1"
    ),
    (
        "insert into contact_tags (tenant_id, contact_id, tag)"
        " values (:t, :c, lower(left(:words, 40)))"
    ),
    (
        "insert into contact_facts (tenant_id, id, contact_id, key, value)"
        " values (:t, gen_random_uuid(), :c, 'where', :words)"
    ),
    "insert into contact_verifications (tenant_id, contact_id) values (:t, :c)",
    (
        "insert into contact_imports (tenant_id, id, user_id, file_name, rows, found)"
        " values (:t, gen_random_uuid(), gen_random_uuid(), 'list.csv',"
        f' \'{{"rows": [{{"phone": "{NUMBER}"}}]}}\', 1)'
    ),
    "update contacts set notes = :words, name = :words where id = :c",
    (
        "insert into desk_sends (tenant_id, send_id, conversation_id, user_id, form_key)"
        " select :t, id, conversation_id, gen_random_uuid(), gen_random_uuid() from sends"
        f" where conversation_id in {_THREAD} limit 1"
    ),
    (
        "with e as (insert into business_exports (tenant_id, id, user_id, state)"
        " values (:t, gen_random_uuid(), gen_random_uuid(), 'ready') returning id)"
        " insert into business_export_chunks (tenant_id, export_id, chunk_no, content)"
        " select :t, id, 0, convert_to(:words, 'UTF8') from e"
    ),
)


@pytest.fixture
async def bench(database: TestDatabase, settings: Settings) -> AsyncIterator[Bench]:
    made = Bench(database, replace(settings, secret_key=uuid4().hex * 2))
    yield made
    await made.assert_proved()
    await made.close()


async def dump(url: str) -> str:
    """What a backup made now would hold: pg_dump's text, and what its bytes spell."""
    program = str(install.postgres_bin() / "pg_dump")
    done = await asyncio.to_thread(
        subprocess.run, [program, "--data-only", url], capture_output=True, text=True, check=True
    )
    spelled = (bytes.fromhex(found) for found in _BYTES.findall(done.stdout))
    return "\n".join([done.stdout, *(raw.decode("utf-8", "replace") for raw in spelled)])


async def trace_everywhere(bench: Bench, shop: Business) -> None:
    """Rows about the person in the tables that a short talk leaves empty."""
    for statement in _TRACES:
        await bench.execute(
            statement, t=shop.tenant_id, c=await contact_of(bench, NUMBER), words=WORDS
        )


async def talked(bench: Bench) -> Business:
    """A business that two customers wrote to, one of whom was answered and got a code."""
    shop = await bench.business()
    await bench.write(shop, NUMBER, WORDS)
    await bench.work()
    await bench.echo(shop, bench.sender.phone[-1])
    await bench.ack(shop, bench.sender.phone[-1], 3)
    await bench.write(shop, OTHER, "a stranger's words stay")
    await bench.work()
    phone = Phone()
    codes = PhoneCodes(bench.database.db, bench.limiter, bench.settings, phone)
    await codes.send(shop.tenant_id, shop.channel_id, NUMBER, purpose="identity", business="B")
    return shop


async def contact_of(bench: Bench, number: str) -> Any:
    (found,) = await bench.column(
        "select contact_id from contact_addresses where address = :a", a=f"{number}@c.us"
    )
    return found


async def erase(bench: Bench, shop: Business, contact_id: Any) -> dict[str, int]:
    async with bench.database.db.tenant(shop.tenant_id) as connection:
        return await erase_contact(
            connection, shop.tenant_id, contact_id, ACTOR, secret_key=bench.settings.secret_key
        )


async def test_an_erased_contact_leaves_no_trace(bench: Bench, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    shop = await talked(bench)
    await trace_everywhere(bench, shop)
    before = await dump(bench.database.superuser_url)
    assert NUMBER in before
    assert WORDS in before
    balance = await bench.balance(shop)
    counts = await erase(bench, shop, await contact_of(bench, NUMBER))
    assert min(counts.values()) >= 1, counts
    after = await dump(bench.database.superuser_url)
    for trace in (NUMBER, WORDS, NUMBER.encode().hex(), WORDS.encode().hex()):
        assert trace not in after
    assert OTHER in after
    assert "a stranger's words stay" in after
    assert await bench.balance(shop) == balance
    assert await bench.column("select count(*) from phone_codes") == [0]
    logged = "\n".join(str(record.__dict__) for record in caplog.records)
    assert NUMBER not in logged
    assert WORDS not in logged


async def test_no_table_can_be_forgotten(bench: Bench):
    """A new table with a tenant has to say what an erasure does to it."""
    found = await bench.column(
        "select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace"
        " join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id'"
        " where n.nspname = 'public' and c.relkind in ('r', 'p') and not c.relispartition"
    )
    named = [*erasure.ERASED, *erasure.BY_HAND, *erasure.NOBODY]
    assert len(named) == len(set(named))
    assert {*found, "tenants"} == set(named), "name it in app/messaging/erasure.py"


async def test_an_old_event_does_not_come_back(bench: Bench):
    shop = await talked(bench)
    keys = await bench.column("select count(*) from inbox_keys")
    await erase(bench, shop, await contact_of(bench, NUMBER))
    assert await bench.column("select count(*) from inbox_keys") == keys
    await bench.drain()
    assert NUMBER not in await dump(bench.database.superuser_url)


async def test_an_event_that_waits_is_erased_with_its_person(bench: Bench):
    shop = await talked(bench)
    await bench.receive(shop, "message", events.message(f"{NUMBER}@c.us", "one more thing"))
    await erase(bench, shop, await contact_of(bench, NUMBER))
    await bench.drain()
    assert NUMBER not in await dump(bench.database.superuser_url)
    assert "erased" in await bench.column("select outcome from inbox_keys")


async def test_a_short_address_does_not_take_the_events_of_others(bench: Bench):
    shop = await talked(bench)
    contact_id = await contact_of(bench, NUMBER)
    await bench.column(
        "insert into contact_addresses (tenant_id, id, contact_id, kind, address)"
        f" values ('{shop.tenant_id}', gen_random_uuid(), '{contact_id}', 'lid', '0@lid')"
        " returning 1"
    )
    await bench.receive(shop, "message", events.message(f"{OTHER}@c.us", "this one must stay"))
    await erase(bench, shop, contact_id)
    await bench.drain()
    dumped = await dump(bench.database.superuser_url)
    assert "this one must stay" in dumped
    assert NUMBER not in dumped


async def test_nothing_is_erased_under_a_reply_that_is_being_written(bench: Bench):
    shop = await talked(bench)
    await bench.write(shop, NUMBER, "and?")
    await bench.claim()
    with pytest.raises(ConflictError, match="being written"):
        await erase(bench, shop, await contact_of(bench, NUMBER))
    await bench.age(3600)
    await erase(bench, shop, await contact_of(bench, NUMBER))
    await bench.work()


async def test_what_was_on_its_way_comes_to_an_end(bench: Bench):
    """A worker died in a send, a person's message waits: no credits stay held, nothing is tried."""
    shop = await bench.business()
    await bench.write(shop, NUMBER, WORDS)
    faults.install_plan("send.before_provider_call=kill")
    with mock.patch("os.kill", die):
        await survive(bench.work)
    faults.install_plan("")
    await bench.write(shop, OTHER, "and mine?")
    await bench.work()
    await bench.age(200)
    contact_id = await contact_of(bench, NUMBER)
    (conversation_id,) = await bench.column(
        "select id from conversations where contact_id = :c", c=contact_id
    )
    inbox = Inbox(bench.database.db, SilentBell(), ChangeFeed(bench.database.db))
    draft = Draft(body="One moment", form_key=uuid7())
    await inbox.send(person_of(shop.tenant_id), conversation_id, draft)
    assert (await bench.balance(shop))[1] == 1
    await erase(bench, shop, contact_id)
    assert await DeskDelivery(bench.engine()).claim(sends_max=8) == []
    await bench.age(25 * 3600)
    await bench.chore("settle_doubt")
    assert await bench.balance(shop) == (99, 0, 1)
    assert sorted(await bench.part_states(shop)) == ["accepted", "failed", "unknown"]


async def test_a_foreign_contact_is_not_there(bench: Bench):
    await talked(bench)
    other = await bench.business()
    contact = await contact_of(bench, NUMBER)
    for contact_id in (contact, uuid7()):
        with pytest.raises(NotFoundError):
            await erase(bench, other, contact_id)
        async with bench.database.db.tenant(other.tenant_id) as connection:
            with pytest.raises(NotFoundError):
                await export_contact(connection, other.tenant_id, contact_id, ACTOR)
    assert NUMBER in await dump(bench.database.superuser_url)


async def test_an_export_holds_what_we_hold_of_one_person(bench: Bench):
    shop = await talked(bench)
    async with bench.database.db.tenant(shop.tenant_id) as connection:
        export = await export_contact(
            connection, shop.tenant_id, await contact_of(bench, NUMBER), ACTOR
        )
    text = json.dumps(export, default=str)
    assert WORDS in text
    assert bench.sender.phone[0].text in text
    assert OTHER not in text
    assert [m["direction"] for m in export["messages"]] == ["in", "out"]
    actions = await bench.column("select action from audit_log where actor_id = 'ada'")
    assert actions == ["contact.export"]


async def test_messages_leave_with_their_tenants_retention(bench: Bench):
    shop = await talked(bench)
    short = await bench.business()
    await bench.execute("update tenants set retention_days = 3 where id = :t", t=short.tenant_id)
    await bench.write(short, NUMBER, "soon gone")
    await bench.work()
    await bench.age(4 * 86400)
    await bench.write(short, OTHER, "new and unanswered")
    async with bench.database.db.system() as connection:
        assert await enforce_retention(connection) >= 2
    bodies = await bench.column("select body from messages where tenant_id = :t", t=short.tenant_id)
    assert bodies == ["new and unanswered"]
    assert await bench.column(
        "select count(*) from turns where tenant_id = :t and result is not null",
        t=short.tenant_id,
    ) == [0]
    kept = await bench.column(
        "select count(*) from messages where tenant_id = :t", t=shop.tenant_id
    )
    assert kept == [4]


async def test_the_scheduler_does_it_by_itself(bench: Bench):
    shop = await talked(bench)
    await bench.execute(
        "update phone_codes set expires_at = now() - interval '2 days' where tenant_id = :t",
        t=shop.tenant_id,
    )
    await bench.age(40 * 86400)
    for chore in ("prune_sign_in", "enforce_retention", "erase_closed"):
        await bench.chore(chore)
    assert await bench.column("select count(*) from phone_codes") == [0]
    assert await bench.column("select count(*) from messages") == [0]


async def test_our_code_is_an_echo_and_no_takeover(bench: Bench):
    shop = await bench.business()
    phone = Phone()
    codes = PhoneCodes(bench.database.db, bench.limiter, bench.settings, phone)
    await codes.send(shop.tenant_id, shop.channel_id, NUMBER, purpose="identity", business="B")
    payload = events.message(
        f"{NUMBER}@c.us", phone.sent[0][1], from_me=True, wa_id=phone.sent[0][2], source="api"
    )
    await bench.hook(shop, "message.any", payload)
    assert await bench.column("select outcome from inbox_keys") == ["echo"]
    assert await bench.owner_of(shop) == []


async def test_append_only_holds_for_the_new_trail_too(bench: Bench):
    for url in (bench.database.app_url, bench.database.system_url):
        async with connected(url) as connection:
            for statement in ("update account_log set action = 'x'", "delete from account_log"):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.execute(statement)
