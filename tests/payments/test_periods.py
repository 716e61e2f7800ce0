"""Periods of plans that nobody is charged for: begun by the clock, granted once, never twice."""

import asyncio
from datetime import datetime

import pytest

from billing.payments.periods import roll_periods
from tests.payments.conftest import ADMIN, STARTER, Till

pytestmark = pytest.mark.anyio


@pytest.fixture
async def starter(till: Till) -> Till:
    """A business on a free plan with 100 credits a month, its first period begun."""
    await till.world.run("update tenants set plan_code = 'test'")
    await till.world.run(
        "update tenants set plan_code = $2 where id = $1", till.tenant_id, STARTER.code
    )
    await roll(till)
    return till


async def roll(till: Till) -> None:
    async with till.db.system() as connection:
        await roll_periods(connection)


async def begin_at(till: Till, anchor: str, months: int) -> None:
    """Let the plan have begun then, and its period number ``months`` be the one on record."""
    await till.world.run(
        "update subscriptions set anchor_at = $2,"
        " period_start = $2::timestamptz + make_interval(months => $3),"
        " period_end = $2::timestamptz + make_interval(months => $3 + 1) where tenant_id = $1",
        till.tenant_id,
        datetime.fromisoformat(anchor),
        months,
    )


async def periods(till: Till) -> list[str]:
    return await till.world.column(
        "select source_ref from credit_lots where tenant_id = $1 order by source_ref",
        till.tenant_id,
    )


async def test_a_grant_run_twice_grants_once(starter: Till):
    assert await starter.credits() == (100, 0, 0)
    await roll(starter)
    await asyncio.gather(*(roll(starter) for _ in range(4)))
    assert await starter.credits() == (100, 0, 0)
    await starter.assert_proved()


async def test_the_next_month_is_granted_and_the_last_expires(starter: Till):
    await starter.world.run(
        "update subscriptions set anchor_at = now() - interval '1 month',"
        " period_start = now() - interval '1 month', period_end = now() where tenant_id = $1",
        starter.tenant_id,
    )
    await starter.world.run(
        "update credit_lots set source_ref = 'plan:starter:2020-01-01' where tenant_id = $1",
        starter.tenant_id,
    )
    await asyncio.gather(*(roll(starter) for _ in range(4)))
    assert await starter.credits() == (200, 0, 0)
    assert len(await periods(starter)) == 2


async def test_after_a_downtime_only_the_running_period_is_granted(starter: Till):
    await begin_at(starter, "2020-01-31T10:00:00+00:00", 0)
    await starter.world.run(
        "update credit_lots set source_ref = 'plan:starter:2020-01-31' where tenant_id = $1",
        starter.tenant_id,
    )
    await roll(starter)
    now = await starter.world.one(
        "select period_start <= now() and period_end > now() as runs, period_start, period_end"
        " from subscriptions where tenant_id = $1",
        starter.tenant_id,
    )
    assert now["runs"]
    assert now["period_start"].day in {28, 29, 30, 31}, "the last day of a shorter month"
    assert len(await periods(starter)) == 2
    await roll(starter)
    assert len(await periods(starter)) == 2


async def test_a_planned_change_holds_from_the_next_period(starter: Till):
    assert await starter.checkout.change_plan(starter.tenant_id, "test", ADMIN) == ("at_period_end")
    plan = "select plan_code from tenants where id = $1"
    assert await starter.world.column(plan, starter.tenant_id) == ["starter"]
    await begin_at(starter, "2020-01-31T10:00:00+00:00", 0)
    await roll(starter)
    assert await starter.world.column(plan, starter.tenant_id) == ["test"]
    assert await starter.credits() == (100, 0, 0), "plan test has no monthly credits"


async def test_a_suspended_business_is_not_granted(starter: Till):
    await begin_at(starter, "2020-01-31T10:00:00+00:00", 0)
    await starter.world.run(
        "update tenants set status = 'suspended' where id = $1", starter.tenant_id
    )
    await roll(starter)
    assert len(await periods(starter)) == 1
