"""Who is told what by mail: defaults by role, one's own word, and only those whom it concerns."""

import pytest

from tenants import notifications
from tenants.access import Role
from tenants.notifications import Notice
from tests.people.house import House, device

pytestmark = pytest.mark.anyio


async def told(house: House, tenant_id: object, kind: Notice) -> list[str]:
    async with house.database.db.system() as connection:
        return [r.email for r in await notifications.wants(connection, tenant_id, kind)]  # type: ignore[arg-type]


async def test_roles_have_their_defaults_and_people_the_last_word(house: House):
    owner = await house.owner()
    agent = await house.join(owner, "bob@example.org", Role.AGENT)
    manager = await house.join(owner, "cleo@example.org", Role.MANAGER)
    tenant_id = owner.tenant_id
    everybody = ["ada@example.org", "bob@example.org", "cleo@example.org"]
    assert await told(house, tenant_id, Notice.HANDOVER) == everybody
    assert await told(house, tenant_id, Notice.NUMBER_DOWN) == [everybody[0], everybody[2]]
    assert await told(house, tenant_id, Notice.CREDITS) == [everybody[0]]
    async with house.database.db.tenant(tenant_id) as connection:
        await notifications.choose(connection, manager, {"credits"}, device())
        await notifications.choose(connection, agent, {"credits", "number_down"}, device())
        assert await notifications.choices(connection, agent) == {Notice.HANDOVER: False}
    assert await told(house, tenant_id, Notice.HANDOVER) == [everybody[0]]
    # What a role does not show is not told by mail either, whatever was asked for.
    assert await told(house, tenant_id, Notice.CREDITS) == [everybody[0], everybody[2]]
    assert await told(house, tenant_id, Notice.NUMBER_DOWN) == [everybody[0]]
    entries = await house.rows("select actor_id from audit_log where action = 'member.notices'")
    assert {e["actor_id"] for e in entries} == {str(agent.user_id), str(manager.user_id)}


async def test_who_left_is_told_nothing_and_leaves_no_choice(house: House):
    owner = await house.owner()
    agent = await house.join(owner, "bob@example.org", Role.AGENT)
    async with house.database.db.tenant(owner.tenant_id) as connection:
        await notifications.choose(connection, agent, set(), device())
        await notifications.choose(connection, agent, {"handover"}, device())
    await house.team.remove(owner, agent.user_id, device())
    assert await told(house, owner.tenant_id, Notice.HANDOVER) == ["ada@example.org"]
    assert await house.rows("select 1 from user_notifications") == []
