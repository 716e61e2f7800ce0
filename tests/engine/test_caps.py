"""The tenant's caps along a turn: no model call above them, people asked, and till when."""

import pytest

from billing import caps
from billing.caps import Caps
from tenants.service import Actor
from tests.engine.bench import CREDIT, Bench

pytestmark = pytest.mark.anyio
PHONE = "15550101"
OWNER = Actor("user", "owner")


async def allow(bench: Bench, shop, **terms) -> None:
    async with bench.database.db.tenant(shop.tenant_id) as connection:
        await caps.change(connection, shop.tenant_id, Caps(**terms), actor=OWNER)


async def test_the_daily_cap_is_exact_for_turns_at_once(bench: Bench):
    shop = await bench.business()
    await allow(bench, shop, daily_cap_ucr=3 * CREDIT)
    for n in range(8):
        await bench.write(shop, f"155501{n:02d}", f"question {n}")
    turns = await bench.claim()
    await bench.run(turns)
    assert len(bench.answerer.asked) == 3
    dispositions = sorted((await bench.dispositions(shop)).values())
    assert dispositions == ["answered"] * 3 + ["daily_cap"] * 5
    reasons = await bench.column("select end_reason from turns where state = 'cancelled'")
    assert set(reasons) == {"daily_cap"}
    assert await bench.balance(shop) == (97, 0, 3)


async def test_a_contact_above_its_cap_goes_to_people_until_midnight(bench: Bench):
    shop = await bench.business()
    await allow(bench, shop, contact_replies_per_day=2)
    for n in range(3):
        await bench.write(shop, PHONE, f"question {n}")
        await bench.work()
    assert await bench.dispositions(shop) == {
        "question 0": "answered",
        "question 1": "answered",
        "question 2": "daily_cap",
    }
    assert await bench.owner_of(shop) == [("open", "usage_limit")]
    assert await bench.column("select end_reason from turns where state = 'cancelled'") == [
        "contact_cap"
    ]
    await bench.write(shop, PHONE, "and more")
    assert (await bench.dispositions(shop))["and more"] == "human_owned"
    (from_midnight_s,) = await bench.column(
        "select abs(extract(epoch from human_until"
        " - date_trunc('day', human_until + interval '1 minute')))::float8 from conversations"
    )
    assert from_midnight_s < 0.01
    await bench.age(86_400)
    await bench.write(shop, PHONE, "next day")
    await bench.work()
    assert (await bench.dispositions(shop))["next day"] == "answered"


async def test_others_are_answered_while_one_contact_is_above_its_cap(bench: Bench):
    shop = await bench.business()
    await allow(bench, shop, contact_replies_per_day=1)
    for text in ("one", "two"):
        await bench.write(shop, PHONE, text)
        await bench.work()
    await bench.write(shop, "15550102", "other")
    await bench.work()
    assert bench.sender.texts() == ["one", "other"]


async def test_the_auto_stop_pauses_the_business_until_somebody_resumes(bench: Bench):
    shop = await bench.business()
    await allow(bench, shop, auto_stop_ucr_per_hour=2 * CREDIT)
    for n in range(4):
        await bench.write(shop, f"1555010{n}", f"question {n}")
        await bench.work()
    assert sorted((await bench.dispositions(shop)).values()) == ["answered"] * 2 + ["paused"] * 2
    assert await bench.column("select action from audit_log where action like 'assistant%'") == [
        "assistant.auto_stop"
    ]
    async with bench.database.db.tenant(shop.tenant_id) as connection:
        await caps.resume(connection, shop.tenant_id, actor=OWNER)
    await bench.write(shop, "15550109", "after")
    await bench.work()
    assert (await bench.dispositions(shop))["after"] == "answered"
    await bench.age(12 * 3600 + 1)
    await bench.write(shop, "15550103", "people had it")
    await bench.work()
    assert (await bench.dispositions(shop))["people had it"] == "answered"


async def test_one_business_stopped_is_no_other_stopped(bench: Bench):
    stopped, other = await bench.business(), await bench.business()
    async with bench.database.db.tenant(stopped.tenant_id) as connection:
        await caps.stop(connection, stopped.tenant_id, actor=OWNER)
    await bench.write(stopped, PHONE, "to the stopped")
    await bench.write(other, PHONE, "to the other")
    await bench.work()
    assert bench.sender.texts() == ["to the other"]
