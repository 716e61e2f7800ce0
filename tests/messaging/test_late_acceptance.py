"""A worker froze in a send, others called it unknown, and then its answer came after all."""

from collections.abc import AsyncIterator

import pytest

from app.core.config import Settings
from app.messaging import conversations
from app.messaging.sends.settling import Acceptance, accept_parts
from tests.databases import TestDatabase
from tests.engine import events
from tests.engine.bench import Bench, Business

pytestmark = pytest.mark.anyio
PHONE = "15550101"


@pytest.fixture
async def bench(database: TestDatabase, settings: Settings) -> AsyncIterator[Bench]:
    bench = Bench(database, settings)
    yield bench
    await bench.assert_proved()
    await bench.close()


async def unknown(bench: Bench) -> Business:
    bench.sender.honours = False
    shop = await bench.business(engine="WEBJS")
    bench.sender.lose(500)
    await bench.write(shop, PHONE, "hello")
    await bench.work()
    await bench.age(91)
    await bench.work()
    assert await bench.part_states(shop) == ["unknown"]
    return shop


async def answer_comes(bench: Bench, shop: Business) -> None:
    """What the worker does when it wakes with WAHA's 201 in its hands."""
    (part,) = await bench.rows(
        "select p.id, s.conversation_id from send_parts p"
        " join sends s on s.tenant_id = p.tenant_id and s.id = p.send_id"
        " where p.tenant_id = :t",
        t=shop.tenant_id,
    )
    async with bench.database.db.tenant(shop.tenant_id) as connection:
        await conversations.lock(connection, shop.tenant_id, part.conversation_id)
        told = Acceptance(part.id, "3EB0LATE", "response")
        await accept_parts(connection, bench.settings, shop.tenant_id, [told])


async def test_it_is_charged_and_called_answered(bench: Bench):
    shop = await unknown(bench)
    await answer_comes(bench, shop)
    assert await bench.part_states(shop) == ["accepted"]
    assert await bench.dispositions(shop) == {"hello": "answered"}
    assert await bench.balance(shop) == (99, 0, 1)


async def test_coming_twice_changes_nothing(bench: Bench):
    shop = await unknown(bench)
    await answer_comes(bench, shop)
    await answer_comes(bench, shop)
    assert await bench.balance(shop) == (99, 0, 1)


async def test_an_error_that_came_before_it_ends_the_doubt_without_a_charge(bench: Bench):
    """An ack of -1 while the send was in doubt: it never arrived, so people answer."""
    shop = await unknown(bench)
    await bench.execute(
        "update send_parts set error = 'ack_error' where tenant_id = :t", t=shop.tenant_id
    )
    await answer_comes(bench, shop)
    assert await bench.part_states(shop) == ["failed"]
    assert await bench.owner_of(shop) == [("open", "tool_failure")]
    assert await bench.dispositions(shop) == {"hello": "failed_handed_off"}
    assert await bench.balance(shop) == (100, 0, 0)


async def test_an_error_told_of_it_afterwards_calls_people(bench: Bench):
    shop = await unknown(bench)
    (wa_id,) = await bench.column("select client_message_id from send_parts")
    await bench.hook(shop, "message.ack", events.ack(f"{PHONE}@c.us", wa_id, -1))
    assert await bench.part_states(shop) == ["failed"]
    assert await bench.dispositions(shop) == {"hello": "failed_handed_off"}
    assert await bench.owner_of(shop) == [("open", "tool_failure")]
    assert await bench.balance(shop) == (100, 0, 0)
