"""The change feed: no change is stepped over, whatever the order of commits."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core import live
from app.core.config import Settings
from app.core.ids import uuid7
from app.core.live import Change, ChangeFeed
from tests.conftest import TestDatabase
from workers.scheduler import upkeep

pytestmark = pytest.mark.anyio
SHOP, OTHER = uuid7(), uuid7()
_NOTE = text("insert into tenant_changes (tenant_id, conversation_id) values (:t, :c)")


async def note(connection: AsyncConnection, tenant_id: UUID = SHOP) -> UUID:
    conversation_id = uuid7()
    await connection.execute(_NOTE, {"t": tenant_id, "c": conversation_id})
    return conversation_id


async def told(changes: AsyncGenerator[Change, None]) -> Change:
    return await asyncio.wait_for(anext(changes), 5)


async def test_commits_in_another_order_are_all_told(database: TestDatabase):
    feed = ChangeFeed(database.db, look_every_s=0.01)
    async with aclosing(feed.changes(SHOP, None)) as changes:
        assert (await told(changes)).conversations is None
        async with database.db.tenant(SHOP) as early:
            first = await note(early)
            async with database.db.tenant(SHOP) as late:
                second = await note(late)
            seen = await told(changes)
            assert seen.conversations == {second}
        assert (await told(changes)).conversations == {first}
        # Back with the cursor from between the two: what was open then is told again.
        async with aclosing(feed.changes(SHOP, seen.cursor)) as back:
            assert first in ((await told(back)).conversations or ())
        assert feed.streams == 1
    assert feed.streams == 0


async def test_a_dropped_stream_resumes_without_a_gap(database: TestDatabase):
    feed = ChangeFeed(database.db, look_every_s=0.01)
    async with aclosing(feed.changes(SHOP, None)) as changes:
        cursor = (await told(changes)).cursor
    async with database.db.tenant(SHOP) as connection:
        missed = await note(connection)
    async with database.db.tenant(OTHER) as connection:
        await note(connection, OTHER)
    async with aclosing(feed.changes(SHOP, cursor)) as changes:
        change = await told(changes)
        assert change.conversations == {missed}
    async with aclosing(feed.changes(SHOP, change.cursor)) as changes:
        assert (await told(changes)).conversations == frozenset()


@pytest.mark.parametrize("cursor", ["", "nonsense", "1.5:5:", "99999999999.900000000:900000000:"])
async def test_a_cursor_that_is_no_good_means_everything(database: TestDatabase, cursor: str):
    feed = ChangeFeed(database.db, look_every_s=0.01)
    async with aclosing(feed.changes(SHOP, cursor)) as changes:
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
