"""The change feed: no change is stepped over, whatever the order of commits."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core import live
from app.core.config import Settings
from app.core.ids import uuid7
from app.core.live import Change, ChangeFeed, Reader
from tests.databases import TestDatabase
from workers.scheduler import upkeep

pytestmark = pytest.mark.anyio
SHOP, OTHER = uuid7(), uuid7()
_NOTE = text(
    "insert into tenant_changes (tenant_id, conversation_id) values (:t, :c) on conflict do nothing"
)
_GIVE = text("update conversations set assignee_id = :u where tenant_id = :t and id = :c")
_MAKE = """
insert into conversations (tenant_id, id, assignee_id, channel_id, contact_id, address)
values ($1, $2, $3, gen_random_uuid(), gen_random_uuid(), 'x')
"""


async def note(connection: AsyncConnection, tenant_id: UUID = SHOP) -> UUID:
    conversation_id = uuid7()
    await connection.execute(_NOTE, {"t": tenant_id, "c": conversation_id})
    return conversation_id


async def told(changes: AsyncGenerator[Change, None]) -> Change:
    return await asyncio.wait_for(anext(changes), 30)


async def test_commits_in_another_order_are_all_told(database: TestDatabase):
    feed = ChangeFeed(database.db, look_every_s=0.01)
    async with aclosing(feed.changes(Reader(SHOP), None)) as changes:
        assert (await told(changes)).conversations is None
        async with database.db.tenant(SHOP) as early:
            first = await note(early)
            async with database.db.tenant(SHOP) as late:
                second = await note(late)
            seen = await told(changes)
            assert seen.conversations == {second}
        assert (await told(changes)).conversations == {first}
        # Back with the cursor from between the two: what was open then is told again.
        async with aclosing(feed.changes(Reader(SHOP), seen.cursor)) as back:
            assert first in ((await told(back)).conversations or ())
        assert feed.streams == 1
    assert feed.streams == 0


async def test_a_dropped_stream_resumes_without_a_gap(database: TestDatabase):
    feed = ChangeFeed(database.db, look_every_s=0.01)
    async with aclosing(feed.changes(Reader(SHOP), None)) as changes:
        cursor = (await told(changes)).cursor
    async with database.db.tenant(SHOP) as connection:
        missed = await note(connection)
    async with database.db.tenant(OTHER) as connection:
        await note(connection, OTHER)
    async with aclosing(feed.changes(Reader(SHOP), cursor)) as changes:
        change = await told(changes)
        assert change.conversations == {missed}
    async with aclosing(feed.changes(Reader(SHOP), change.cursor)) as changes:
        assert (await told(changes)).conversations == frozenset()


async def test_an_agent_is_told_of_theirs_and_nobodys_alone(database: TestDatabase):
    feed = ChangeFeed(database.db, look_every_s=0.01)
    agent, colleague, theirs = uuid7(), uuid7(), uuid7()

    async def give(conversation_id: UUID, to: UUID | None) -> None:
        """What assigning does to a conversation: its row, and the change."""
        async with database.db.tenant(SHOP) as connection:
            await connection.execute(_GIVE, {"t": SHOP, "c": conversation_id, "u": to})
            await connection.execute(_NOTE, {"t": SHOP, "c": conversation_id})

    connection = await asyncpg.connect(database.superuser_url)
    await connection.execute("set session_replication_role = replica")
    everything = [theirs, *(uuid7() for _ in range(3))]
    for each, holder in zip(everything, (agent, colleague, None, colleague), strict=True):
        await connection.execute(_MAKE, SHOP, each, holder)
    await connection.close()
    _, other, free, opened = everything
    reader = Reader(SHOP, agent, {opened})
    async with aclosing(feed.changes(reader, None)) as changes:
        await told(changes)
        for conversation_id, holder, ids, others in (
            (theirs, agent, {theirs}, False),
            (other, colleague, set(), True),
            (free, None, {free}, False),
            # Taken away: told once more, and then no more.
            (free, colleague, {free}, False),
            (free, colleague, set(), True),
            # What the page had open when it was read.
            (opened, colleague, {opened}, False),
            (opened, colleague, set(), True),
        ):
            await give(conversation_id, holder)
            change = await told(changes)
            assert (change.conversations, change.others) == (ids, others), ids
    async with aclosing(feed.changes(Reader(SHOP), change.cursor)) as changes:
        await told(changes)
        await give(other, colleague)
        assert (await told(changes)).conversations == {other}


@pytest.mark.parametrize("cursor", ["", "nonsense", "1.5:5:", "99999999999.900000000:900000000:"])
async def test_a_cursor_that_is_no_good_means_everything(database: TestDatabase, cursor: str):
    feed = ChangeFeed(database.db, look_every_s=0.01)
    async with aclosing(feed.changes(Reader(SHOP), cursor)) as changes:
        assert (await told(changes)).conversations is None


def test_a_cursor_stays_short():
    many = ",".join(str(1_000_000 + n) for n in range(100))
    assert live.shortened(f"17.1000000:1000200:{many}") == "17.1000000:1000000:"
    assert live.shortened("17.5:9:6,7") == "17.5:9:6,7"


async def test_old_changes_are_forgotten(database: TestDatabase):
    async with database.db.system() as connection:
        await note(connection)
        await connection.execute(text("update tenant_changes set at = at - interval '25 hours'"))
        kept = await note(connection)
    settings = Settings(environment="test", encryption_keys=f"t1:{'5a' * 32}")
    chore = next(c for c in upkeep.chores(settings) if c.work is live.trim)
    await upkeep.run(database.db, chore)
    async with database.db.system() as connection:
        left = await connection.execute(text("select conversation_id from tenant_changes"))
        assert list(left.scalars()) == [kept]
