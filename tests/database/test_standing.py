"""A standing connection: kept over refusals, made anew after everything else."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from app.core.db.away import is_away
from app.core.db.standing import StandingConnection, StatementRefusedError
from tests.worlds import World, eventually

pytestmark = pytest.mark.anyio
_PID = "select pg_backend_pid()"


@pytest.fixture
async def standing(world: World) -> AsyncIterator[StandingConnection]:
    connection = world.db.standing()
    yield connection
    await connection.close()


async def pid(connection: StandingConnection) -> int:
    ((found,),) = await connection.fetch(_PID)
    return int(found)


async def test_it_is_the_system_logins_and_stays(standing: StandingConnection) -> None:
    assert await pid(standing) == await pid(standing)
    ((login,),) = await standing.fetch("select current_user")
    assert login == "parley_system"


async def test_a_refused_statement_costs_no_connection(standing: StandingConnection) -> None:
    before = await pid(standing)
    with pytest.raises(StatementRefusedError):
        await standing.fetch("select 1 / $1::int", 0)
    with pytest.raises(StatementRefusedError):
        await standing.fetch("select $1::int", "no number")
    assert await pid(standing) == before


async def test_a_connection_that_the_server_ends_is_away_once(
    world: World, standing: StandingConnection
) -> None:
    before = await pid(standing)
    asking = asyncio.create_task(standing.fetch("select pg_sleep(30)"))
    await _until_asleep(world, before)
    await world.run("select pg_terminate_backend($1)", before)
    with pytest.raises(Exception) as caught:  # noqa: PT011 - is_away is what tells
        await asking
    assert is_away(caught.value)
    assert await pid(standing) != before


async def test_who_may_only_read_is_not_the_primary_any_more(
    standing: StandingConnection,
) -> None:
    before = await pid(standing)
    await standing.fetch("set default_transaction_read_only = on")
    with pytest.raises(Exception) as caught:  # noqa: PT011 - is_away is what tells
        await standing.fetch("delete from inbox_keys where false")
    assert is_away(caught.value)
    assert await pid(standing) != before


async def test_an_answer_nobody_waits_for_reaches_nobody_else(
    world: World, standing: StandingConnection
) -> None:
    before = await pid(standing)
    asking = asyncio.create_task(standing.fetch("select pg_sleep(30)"))
    await _until_asleep(world, before)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert await pid(standing) != before


async def _until_asleep(world: World, backend: int) -> None:
    async def asleep() -> bool:
        return bool(
            await world.column(
                "select 1 from pg_stat_activity where pid = $1 and wait_event = 'PgSleep'", backend
            )
        )

    await eventually(asleep, "the statement's start")
