"""Notices: once per crossing, armed again by a rise; credits that expire; stops."""

from typing import Any

import pytest

from app.core.ids import uuid7
from billing.ledger import service as ledger
from billing.ledger.schemas import Clawback, Grant
from billing.notices import watching
from billing.notices.watching import watch_balances, watch_expiries, watch_stops
from tests.payments.conftest import Till

pytestmark = pytest.mark.anyio
CREDIT = 1_000_000


@pytest.fixture
async def quiet(till: Till) -> Till:
    """Only this test's business is looked at."""
    await till.world.run("update tenants set status = 'suspended' where id <> $1", till.tenant_id)
    return till


async def grant(till: Till, amount: int, source: str = "purchase", days: int | None = None) -> None:
    async with till.db.system() as connection:
        lot = Grant(
            tenant_id=till.tenant_id,
            lot_id=uuid7(),
            source=source,
            source_ref=str(uuid7()),
            amount_ucr=amount * CREDIT,
            created_by="test",
        )
        await ledger.grant(connection, lot)
    if days is not None:
        await till.world.run(
            "update credit_lots set effective_at = now() - interval '99 days',"
            " expires_at = now() + make_interval(days => $2) - interval '1 hour'"
            " where tenant_id = $1 and expires_at is null",
            till.tenant_id,
            days,
        )


async def use(till: Till, amount: int) -> None:
    async with till.db.system() as connection:
        claw = Clawback(
            tenant_id=till.tenant_id,
            op_id=uuid7(),
            amount_ucr=amount * CREDIT,
            reason="used",
            created_by="test",
        )
        await ledger.claw(connection, claw)


async def look(till: Till, watch: Any = watch_balances) -> list[str]:
    """Run the chore twice; the subjects of what is new."""
    known = len(await till.subjects())
    for _ in range(2):
        async with till.db.system() as connection:
            await watch(connection, notices=till.notices)
    return (await till.subjects())[known:]


async def test_each_mark_is_told_once(quiet: Till):
    await grant(quiet, 100)
    assert await look(quiet) == []
    told = []
    for amount in (49, 1, 10, 20, 14, 1, 4, 1):
        await use(quiet, amount)
        told += await look(quiet)
    assert told == [
        "50 % of your credits are left",
        "20 % of your credits are left",
        "5 % of your credits are left",
        "Your credits are used up: the assistant has stopped answering",
    ]


async def test_a_fall_through_several_marks_tells_the_lowest(quiet: Till):
    await grant(quiet, 100)
    await use(quiet, 97)
    assert await look(quiet) == ["5 % of your credits are left"]


async def test_a_rise_arms_again(quiet: Till):
    await grant(quiet, 100)
    await use(quiet, 60)
    assert await look(quiet) == ["50 % of your credits are left"]
    await grant(quiet, 100)
    assert await look(quiet) == []
    await use(quiet, 95)
    assert await look(quiet) == ["50 % of your credits are left"]


async def test_the_base_is_what_came_with_the_last_top_up_and_since(quiet: Till):
    await grant(quiet, 1000)
    await use(quiet, 990)
    await grant(quiet, 100)
    await grant(quiet, 100, "promo")
    assert await look(quiet) == []
    await use(quiet, 110)
    assert await look(quiet) == ["50 % of your credits are left"]
    row = await quiet.world.one(
        "select base_ucr from balance_marks where tenant_id = $1", quiet.tenant_id
    )
    assert row["base_ucr"] == 200 * CREDIT


async def test_without_an_address_the_owners_are_written_to(quiet: Till):
    await quiet.world.run("update tenants set billing_email = null where id = $1", quiet.tenant_id)
    for email, role in (("ada", "owner"), ("bob", "owner"), ("eve", "agent")):
        await quiet.world.run(
            "with u as (insert into users (id, email, name, email_verified_at)"
            " values (gen_random_uuid(), $2, 'x', now()) returning id)"
            " insert into memberships (tenant_id, user_id, role) select $1, id, $3 from u",
            quiet.tenant_id,
            f"{email}@{quiet.tenant_id}.example",
            role,
        )
    await grant(quiet, 100)
    await use(quiet, 60)
    assert len(await look(quiet)) == 2
    mails = await quiet.outside.emails()
    assert sorted(m["to"][0].partition("@")[0] for m in mails) == ["ada", "bob"]


async def test_credits_that_expire_are_announced_three_times(quiet: Till):
    await grant(quiet, 40, days=40)
    told = []
    for days in (31, 30, 8, 7, 2, 1):
        await quiet.world.run(
            "update credit_lots set expires_at = now() + make_interval(days => $2)"
            " - interval '1 hour' where tenant_id = $1",
            quiet.tenant_id,
            days,
        )
        told += await look(quiet, watch_expiries)
    assert told == [
        "40 credits expire within 30 days",
        "40 credits expire within 7 days",
        "40 credits expire tomorrow",
    ]


async def test_used_or_short_lived_credits_are_not_announced(quiet: Till):
    await grant(quiet, 40, days=5)
    await use(quiet, 40)
    assert await look(quiet, watch_expiries) == []
    await grant(quiet, 40)
    await quiet.world.run(
        "update credit_lots set expires_at = effective_at + interval '20 days'"
        " where tenant_id = $1 and expires_at is null",
        quiet.tenant_id,
    )
    assert await look(quiet, watch_expiries) == [], "a month's notice is longer than their life"


async def test_a_stop_is_told_once(quiet: Till):
    await grant(quiet, 100)
    await quiet.world.run(
        "update wallets set stopped_at = now(), stopped_reason = 'More than 50 credits in an hour.'"
        " where tenant_id = $1",
        quiet.tenant_id,
    )
    assert await look(quiet, watch_stops) == ["Your assistant was stopped by the rule you set"]
    (mail,) = await quiet.outside.emails()
    assert "More than 50 credits in an hour." in mail["html"]
    await quiet.world.run(
        "update wallets set stopped_at = stopped_at - interval '91 days' where tenant_id = $1",
        quiet.tenant_id,
    )
    await quiet.world.run("delete from mails where tenant_id = $1", quiet.tenant_id)
    assert await look(quiet, watch_stops) == [], "a pruned mail is not written again"


async def test_whoever_cannot_be_told_keeps_nobody_else_waiting(
    quiet: Till, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(watching, "_BATCH", 1)
    await grant(quiet, 9, days=1)
    # The one that comes first has nobody to write to; the other one was made later.
    await quiet.world.run("update tenants set billing_email = null where id = $1", quiet.tenant_id)
    other = await quiet.world.open_shop(balance=40)
    assert quiet.tenant_id < other.tenant_id
    await quiet.world.run(
        "update tenants set billing_email = 'other@bakery.example' where id = $1", other.tenant_id
    )
    await quiet.world.run(
        "update credit_lots set effective_at = now() - interval '99 days',"
        " expires_at = now() + interval '1 hour' where tenant_id = $1",
        other.tenant_id,
    )
    assert await look(quiet, watch_expiries) == ["40 credits expire tomorrow"]
    assert await look(quiet, watch_expiries) == []


async def test_what_the_letters_say(quiet: Till):
    await grant(quiet, 100)
    await use(quiet, 60)
    await look(quiet)
    (mail,) = await quiet.outside.emails()
    assert mail["to"] == ["owner@bakery.example"]
    assert "Harbour Bakery has 40 credits left" in mail["text"]
    assert "Top up credits:\nhttps://parley.example/billing\n" in mail["text"]
    assert "Harbour Bakery has 40 credits left" in mail["html"]
