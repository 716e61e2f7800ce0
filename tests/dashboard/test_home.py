"""Home and numbers as pages: few queries, the way to a first answer, what each role sees."""

from collections.abc import AsyncIterator

import pytest

from app.core.ids import uuid7
from tests.dashboard.browsing import Browsing
from tests.isolation.callers import Callers
from tests.worlds import Api, World

pytestmark = pytest.mark.anyio
QUERIES_MAX = 10


@pytest.fixture
async def agent(world: World, api: Api, callers: Callers) -> AsyncIterator[Browsing]:
    cookie = callers.headers["other agent"]["Cookie"]
    async with Browsing(world, api, cookie=cookie) as browsing:
        yield browsing


async def test_pages_ask_little(owner: Browsing, callers: Callers):
    one = f"/numbers/{callers.victim.channel_id}"
    for path in ("/home", "/home?days=30", "/numbers", one, "/numbers/new"):
        asked = await owner.statements(path)
        assert len(asked) <= QUERIES_MAX, (path, len(asked), asked)


async def test_home_shows_the_steps_until_the_first_answer(owner: Browsing):
    home = (await owner.get("/home")).text
    assert "To your first answer" in home
    assert "/numbers/" in home
    assert "Credits" in home


async def test_home_shows_what_needs_somebody(world: World, owner: Browsing, callers: Callers):
    tenant_id = callers.victim.tenant_id
    await world.run(
        "update conversations set state = 'open', handover_reason = 'missing_knowledge'"
        " where tenant_id = $1",
        tenant_id,
    )
    down = (
        "update channels set connected_at = $2::timestamptz, status = $3, down_since = $2"
        " where tenant_id = $1"
    )
    moment = await world.column("select now() - interval '20 minutes'")
    await world.run(down, tenant_id, moment[0], "FAILED")
    home = (await owner.get("/home?days=7")).text
    assert "The assistant did not know the answer." in home
    assert "Front desk is not connected" in home
    assert "Down for 20 min" in home
    assert "without an answer" in home
    await world.run(down, tenant_id, None, "unknown")
    await world.run("update conversations set state = 'pending', handover_reason = null")


async def test_agents_do_not_see_who_waits_for_a_colleague(world: World, agent: Browsing):
    shop = await world.one(
        "select tenant_id, user_id from memberships m join users u on u.id = m.user_id"
        " where u.email = 'other-agent@example.org'"
    )
    channel = await world.one("select id from channels where tenant_id = $1", shop["tenant_id"])
    contact, conversation = uuid7(), uuid7()
    await world.run(
        "insert into contacts (tenant_id, id, name) values ($1, $2, 'Grete Waits')",
        shop["tenant_id"], contact,
    )  # fmt: skip
    await world.run(
        "insert into conversations (tenant_id, id, channel_id, contact_id, address, state)"
        " values ($1, $2, $3, $4, '4915155501234@c.us', 'open')",
        shop["tenant_id"], conversation, channel["id"], contact,
    )  # fmt: skip
    assign = "update conversations set assignee_id = $2 where id = $1"
    assert "Grete Waits" in (await agent.get("/home")).text
    await world.run(assign, conversation, uuid7())
    assert "Grete Waits" not in (await agent.get("/home")).text
    await world.run(assign, conversation, shop["user_id"])
    assert "Grete Waits" in (await agent.get("/home")).text
    await world.run("delete from conversations where id = $1", conversation)


async def test_agents_see_who_waits_and_no_money(agent: Browsing):
    home = (await agent.get("/home")).text
    assert "Nobody is waiting" in home
    assert "/billing" not in home
    assert (await agent.get("/numbers")).status_code == 403


async def test_a_number_that_waha_cannot_tell_of_is_shown(owner: Browsing, callers: Callers):
    page = await owner.get(f"/numbers/{callers.victim.channel_id}")
    assert page.status_code == 200
    assert "The WhatsApp server does not answer." in page.text
    refused = await owner.send("/numbers/new", "/numbers/new", name="Desk", server="own")
    assert refused.status_code == 400
    assert "Give the address of your WAHA server." in refused.text


async def test_a_poster_needs_a_paired_phone(world: World, owner: Browsing, callers: Callers):
    campaign, channel = callers.ids["campaign_id"], callers.victim.channel_id
    path = f"/numbers/{channel}/posters/{campaign}"
    assert (await owner.get(path)).status_code == 404
    await world.run("update channels set own_address = '12025550123@c.us' where id = $1", channel)
    assert "wa.me/12025550123" in (await owner.get(path)).text
    drawn = {kind: await owner.get(f"{path}/{kind}") for kind in ("svg", "pdf", "gif")}
    assert drawn["svg"].text.startswith("<?xml")
    assert drawn["pdf"].content.startswith(b"%PDF-1.4")
    assert drawn["gif"].status_code == 404
    await world.run("update channels set own_address = null where id = $1", channel)
