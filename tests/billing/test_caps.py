"""A tenant's caps: exact under any number of turns at once, counted in the tenant's own day."""

import asyncio
from collections import Counter
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy import text

from app.core.errors import NotFoundError, RefusedError
from billing import caps
from billing.caps import Caps
from billing.ledger import service
from tenants.service import Actor
from tests.billing.ledger import CREDIT, Ledger

pytestmark = pytest.mark.anyio
OWNER, OPERATOR = Actor("user", "u1"), Actor("operator", "test")


async def allow(ledger: Ledger, actor: Actor = OPERATOR, **terms) -> caps.CapsNow:
    async with ledger.db.tenant(ledger.tenant_id) as connection:
        return await caps.change(connection, ledger.tenant_id, Caps(**terms), actor=actor)


async def now(ledger: Ledger) -> caps.CapsNow:
    async with ledger.db.tenant(ledger.tenant_id) as connection:
        return await caps.read(connection, ledger.tenant_id)


async def at_once(ledger: Ledger, count: int, **terms) -> Counter:
    return Counter(
        await asyncio.gather(*(ledger.hold(ledger.holding(CREDIT, **terms)) for _ in range(count)))
    )


async def move(database, seconds: float) -> None:
    """Let time pass for what the caps look at."""
    connection = await asyncpg.connect(database.superuser_url)
    by = f"- interval '{seconds} seconds'"
    await connection.execute(
        f"update wallets set day_from = day_from {by}, day_until = day_until {by},"
        f" month_from = month_from {by}, month_until = month_until {by};"
        f"update credit_minutes set minute = minute {by};"
        f"update credit_holds set created_at = created_at {by}"
    )
    await connection.close()


async def test_a_new_tenant_has_no_cap_but_forty_replies_a_contact(ledger):
    await ledger.grant(100 * CREDIT)
    assert (await now(ledger)).caps == Caps(contact_replies_per_day=40)
    assert await at_once(ledger, 45, contact_id=uuid4()) == {"held": 40, "contact_cap": 5}
    assert await at_once(ledger, 5, contact_id=uuid4()) == {"held": 5}
    assert await at_once(ledger, 5) == {"held": 5}
    await ledger.assert_proved()


async def test_the_month_has_a_cap_of_its_own_and_ends(ledger, database):
    await ledger.grant(100 * CREDIT)
    await allow(ledger, monthly_cap_ucr=5 * CREDIT)
    assert await at_once(ledger, 8) == {"held": 5, "monthly_cap": 3}
    assert (await now(ledger)).used_this_month_ucr == 5 * CREDIT
    await ledger.assert_proved()
    await move(database, 33 * 86400)
    assert (await now(ledger)).used_this_month_ucr == 0
    assert await at_once(ledger, 2) == {"held": 2}
    await ledger.assert_proved()


async def test_turns_at_once_do_not_share_the_last_place_of_the_day(ledger):
    await ledger.grant(100 * CREDIT)
    await allow(ledger, daily_cap_ucr=7 * CREDIT + CREDIT // 2)
    assert await at_once(ledger, 30) == {"held": 7, "daily_cap": 23}
    assert (await now(ledger)).used_today_ucr == 7 * CREDIT
    assert await ledger.hold(ledger.holding(CREDIT // 2)) == "held"
    await ledger.assert_proved()


async def test_what_was_released_opens_the_day_and_the_contact_again(ledger):
    await ledger.grant(10 * CREDIT)
    contact = uuid4()
    await allow(ledger, daily_cap_ucr=CREDIT, contact_replies_per_day=1)
    first = ledger.holding(CREDIT, contact_id=contact)
    assert await ledger.hold(first) == "held"
    assert await ledger.hold(ledger.holding(CREDIT, contact_id=contact)) == "daily_cap"
    assert await ledger.hold(ledger.holding(0, contact_id=contact)) == "contact_cap"
    assert await ledger.close(ledger.closing(first.hold_id, 0)) == "released"
    second = ledger.holding(CREDIT, contact_id=contact)
    assert await ledger.hold(second) == "held"
    assert await ledger.close(ledger.closing(second.hold_id, CREDIT // 4)) == "captured"
    assert (await now(ledger)).used_today_ucr == CREDIT // 4
    assert await ledger.hold(ledger.holding(0, contact_id=contact)) == "contact_cap"
    await ledger.assert_proved()


async def test_a_retry_is_answered_as_before_whatever_the_caps_say_by_now(ledger):
    await ledger.grant(10 * CREDIT)
    request = ledger.holding(CREDIT, contact_id=uuid4())
    assert await ledger.hold(request) == "held"
    await allow(ledger, daily_cap_ucr=0, contact_replies_per_day=1, auto_stop_ucr_per_hour=1)
    assert await ledger.hold(request) == "exists:pending"
    assert (await now(ledger)).stopped_at is None
    assert await ledger.close(ledger.closing(request.hold_id, CREDIT)) == "captured"


async def test_a_batch_stops_at_the_cap_in_the_middle(ledger):
    await ledger.grant(10 * CREDIT)
    await allow(ledger, daily_cap_ucr=3 * CREDIT)
    batch = [ledger.holding(CREDIT) for _ in range(5)]
    async with ledger.db.tenant(ledger.tenant_id) as connection:
        outcomes = await service.hold_many(connection, batch)
    found = [outcomes[request.hold_id].verdict.value for request in batch]
    assert found == ["held"] * 3 + ["daily_cap"] * 2


async def test_want_of_credits_is_told_before_a_cap(ledger):
    await ledger.grant(CREDIT)
    await allow(ledger, daily_cap_ucr=0)
    assert await ledger.hold(ledger.holding(2 * CREDIT)) == "insufficient"
    assert await ledger.hold(ledger.holding(CREDIT)) == "daily_cap"


async def test_the_day_ends_at_the_tenants_midnight(database, ledger):
    await ledger.grant(10 * CREDIT)
    async with ledger.db.system() as connection:
        # Far from everybody's midnight: UTC+14 and UTC-11 never share a date with each other.
        await connection.execute(
            text("update tenants set time_zone = 'Pacific/Kiritimati' where id = :id"),
            {"id": ledger.tenant_id},
        )
    await allow(ledger, daily_cap_ucr=CREDIT, contact_replies_per_day=1)
    contact = uuid4()
    assert await ledger.hold(ledger.holding(CREDIT, contact_id=contact)) == "held"
    async with ledger.db.system() as connection:
        border = await connection.execute(
            text(
                "select day_from = date_trunc('day', now() at time zone 'Pacific/Kiritimati')"
                " at time zone 'Pacific/Kiritimati', day_until - day_from = interval '1 day',"
                " extract(epoch from day_until - now())::float8 from wallets"
            )
        )
        starts, lasts, left_s = border.one()
    assert (starts, lasts) == (True, True)
    assert await ledger.hold(ledger.holding(CREDIT, contact_id=contact)) == "daily_cap"
    await move(database, left_s + 1)
    assert (await now(ledger)).used_today_ucr == 0
    assert await ledger.hold(ledger.holding(CREDIT, contact_id=contact)) == "held"
    await ledger.assert_proved()


async def test_a_hold_of_yesterday_closed_today_does_not_touch_today(database, ledger):
    await ledger.grant(10 * CREDIT)
    old = ledger.holding(3 * CREDIT)
    assert await ledger.hold(old) == "held"
    await move(database, 86_400)
    assert await ledger.hold(ledger.holding(CREDIT)) == "held"
    assert await ledger.close(ledger.closing(old.hold_id, CREDIT)) == "captured"
    assert (await now(ledger)).used_today_ucr == CREDIT
    await ledger.assert_proved()


async def test_the_auto_stop_falls_once_and_stays_until_somebody_resumes(database, ledger):
    await ledger.grant(100 * CREDIT)
    await allow(ledger, auto_stop_ucr_per_hour=5 * CREDIT)
    found = await at_once(ledger, 20)
    assert found == {"held": 5, "stopped:now": 1, "stopped": 14}
    stopped = await now(ledger)
    assert stopped.stopped_at is not None
    assert stopped.stopped_reason == "More than 5 credits would have been used within an hour."
    await move(database, 2 * 3600)
    assert await ledger.hold(ledger.holding(CREDIT)) == "stopped"
    async with ledger.db.tenant(ledger.tenant_id) as connection:
        assert await caps.resume(connection, ledger.tenant_id, actor=OWNER)
        assert not await caps.resume(connection, ledger.tenant_id, actor=OWNER)
    assert await at_once(ledger, 6) == {"held": 5, "stopped:now": 1}


async def test_the_auto_stop_looks_at_the_last_sixty_minutes_only(database, ledger):
    await ledger.grant(100 * CREDIT)
    await allow(ledger, auto_stop_ucr_per_hour=5 * CREDIT)
    released = ledger.holding(CREDIT)
    assert await at_once(ledger, 4) == {"held": 4}
    assert await ledger.hold(released) == "held"
    assert await ledger.close(ledger.closing(released.hold_id, 0)) == "released"
    assert await at_once(ledger, 1) == {"held": 1}
    await move(database, 3600)
    assert await at_once(ledger, 5) == {"held": 5}
    assert (await now(ledger)).stopped_at is None


async def test_a_stop_by_hand_holds_too(ledger):
    await ledger.grant(CREDIT)
    async with ledger.db.tenant(ledger.tenant_id) as connection:
        assert await caps.stop(connection, ledger.tenant_id, actor=OWNER)
    assert await ledger.hold(ledger.holding(CREDIT)) == "stopped"
    assert (await now(ledger)).stopped_reason == "Stopped by hand."


async def test_changes_are_on_record_with_what_was_before(ledger):
    await allow(ledger, OWNER, daily_cap_ucr=CREDIT)
    await allow(ledger, OWNER, daily_cap_ucr=CREDIT)
    async with ledger.db.tenant(ledger.tenant_id) as connection:
        entries = (
            await connection.execute(
                text("select actor_id, before, after from audit_log where action = 'caps.change'")
            )
        ).all()
    (entry,) = entries
    assert entry.actor_id == "u1"
    assert (entry.before["daily_cap_ucr"], entry.after["daily_cap_ucr"]) == (None, CREDIT)


async def test_figures_out_of_bounds_are_refused_in_words(ledger):
    for terms, words in (
        ({"contact_replies_per_day": 0}, "between 1 and 1000, not 0"),
        ({"contact_replies_per_day": 1_001}, "between 1 and 1000, not 1001"),
        ({"daily_cap_ucr": -1}, "0 credits or more"),
        ({"auto_stop_ucr_per_hour": 0}, "above 0 credits an hour"),
    ):
        with pytest.raises(RefusedError, match=words):
            await allow(ledger, OWNER, **terms)
    assert (await now(ledger)).caps == Caps()
    # An operator may go further.
    changed = await allow(ledger, OPERATOR, contact_replies_per_day=5_000)
    assert changed.caps.contact_replies_per_day == 5_000


async def test_a_foreign_tenants_caps_are_not_there(ledger):
    other = await Ledger.with_tenant(ledger.db)
    async with ledger.db.tenant(ledger.tenant_id) as connection:
        with pytest.raises(NotFoundError):
            await caps.read(connection, other.tenant_id)
        with pytest.raises(NotFoundError):
            await caps.change(connection, other.tenant_id, Caps(), actor=OWNER)
