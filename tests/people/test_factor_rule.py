"""A business that asks for a second factor, and what becomes of who has none or lost it."""

import asyncio

import pytest

from app.core.errors import ForbiddenError, NotFoundError, RefusedError
from app.core.ids import uuid7
from tenants.access import Permission, Role
from tenants.admins import Admins
from tenants.factor_rule import FactorRule
from tenants.login_sessions import FactorNeededError
from tests.people.house import House, device

pytestmark = pytest.mark.anyio
A_DAY = 24 * 3600


@pytest.fixture
def rule(house: House) -> FactorRule:
    return FactorRule(house.accounts)


async def begun(house: House, rule: FactorRule):
    """An owner with a factor, an agent without one, and the rule."""
    owner, _, _ = await house.enrol(await house.owner())
    agent = await house.join(owner, "grace@example.org", Role.AGENT)
    await rule.change(owner, wanted=True, device=device())
    return owner, agent


async def test_who_has_none_gets_a_week_and_is_then_led_to_their_account(
    house: House, rule: FactorRule
):
    owner, agent = await begun(house, rule)
    assert "asks for a second factor" not in (await house.mails(owner.email))[-1]
    assert "wants everybody in its team" in (await house.mails(agent.email))[-1]
    agent = await house.refreshed(agent)
    assert agent.factor_due_at is not None
    assert agent.business(Permission.READ_INBOX)
    for table in ("tenants", "memberships"):
        await house.age(table, 8 * A_DAY)
    agent = await house.refreshed(agent)
    for permission in (Permission.READ_INBOX, Permission.READ_TEAM):
        with pytest.raises(FactorNeededError):
            agent.business(permission)
    assert (await house.refreshed(owner)).business(Permission.READ_TEAM)
    agent, _, _ = await house.enrol(agent)
    assert agent.business(Permission.READ_INBOX)
    assert agent.factor_due_at is None


async def test_who_joins_later_has_a_week_of_their_own(house: House, rule: FactorRule):
    owner, _ = await begun(house, rule)
    await house.age("tenants", 30 * A_DAY)
    later = await house.join(owner, "joan@example.org", Role.AGENT)
    assert later.business(Permission.READ_INBOX)
    assert later.factor_due_at is not None


async def test_only_an_owner_with_a_factor_decides_it(house: House, rule: FactorRule):
    owner = await house.owner()
    manager = await house.join(owner, "grace@example.org", Role.MANAGER)
    with pytest.raises(ForbiddenError):
        await rule.change(manager, wanted=True, device=device())
    with pytest.raises(RefusedError, match="your own second factor first"):
        await rule.change(owner, wanted=True, device=device())
    owner, _, _ = await house.enrol(owner)
    await rule.change(owner, wanted=True, device=device())
    assert await rule.since(await house.refreshed(manager)) is not None
    (entry,) = await house.rows(
        "select before, after from audit_log where action = 'business.second_factor'"
    )
    assert (entry["before"], entry["after"]) == ({"required": False}, {"required": True})


async def test_the_last_factor_stays_while_a_business_asks_for_it(house: House, rule: FactorRule):
    owner, _ = await begun(house, rule)
    with pytest.raises(RefusedError, match="asks for a second factor"):
        await house.factor.remove(owner, device())
    await rule.change(owner, wanted=False, device=device())
    await house.factor.remove(owner, device())


async def test_of_two_factors_removed_at_once_one_stays(house: House, rule: FactorRule):
    owner, _ = await begun(house, rule)
    passkey = uuid7()
    await house.execute(
        "insert into passkeys (id, user_id, credential_id, public_key, sign_count, name, backed_up)"
        " values (:id, :user_id, :key, :key, 0, 'Laptop', false)",
        id=passkey, user_id=owner.user_id, key=b"key",
    )  # fmt: skip
    ends = await asyncio.gather(
        house.passkeys.remove(owner, passkey, device()),
        house.factor.remove(owner, device()),
        return_exceptions=True,
    )
    assert [type(end) for end in ends if end] == [RefusedError]


async def test_an_admin_resets_a_lost_factor_with_a_reason(house: House):
    person, _, _ = await house.enrol(await house.signed_in())
    admin, admins = await house.admin(), Admins(house.accounts)
    reason = "Showed her passport in a video call."
    with pytest.raises(NotFoundError):
        await admins.reset_factor(person, admin.user_id, reason=reason, device=device())
    with pytest.raises(RefusedError):
        await admins.reset_factor(admin, person.user_id, reason=" ", device=device())
    with pytest.raises(RefusedError):
        await admins.reset_factor(admin, admin.user_id, reason=reason, device=device())
    await admins.reset_factor(admin, person.user_id, reason=reason, device=device())
    assert "was removed by Parley" in (await house.mails(person.email))[-1]
    assert (
        await house.rows("select 1 from recovery_codes where user_id = :id", id=person.user_id)
        == []
    )
    assert not (await house.sign_in()).awaiting_factor
    (entry,) = await house.rows(
        "select reason from account_log where action = 'account.reset_factor'"
    )
    assert entry["reason"] == reason
    sessions = "select 1 from login_sessions where user_id = :id and id = :session"
    assert await house.rows(sessions, id=person.user_id, session=person.session_id) == []
