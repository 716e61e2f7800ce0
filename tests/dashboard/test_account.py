"""The account's page: what it tells somebody whose mail comes back, or who lacks a factor."""

import pytest

from app.core.mail.blocks import BOUNCED, MailBlocks
from tests.dashboard.browsing import Browsing
from tests.isolation.callers import Callers
from tests.worlds import Api, World

pytestmark = pytest.mark.anyio
EMAIL = "victim@example.org"
RULE = "update tenants set second_factor_since = {since} where id = $1"
JOINED = "update memberships set created_at = created_at - interval '30 days' where tenant_id = $1"


async def test_mail_that_comes_back_is_told_and_tried_again(world: World, owner: Browsing):
    async with world.db.system() as connection:
        await MailBlocks(world.settings.secret_keys).block(connection, EMAIL, BOUNCED)
    assert "comes back" in (await owner.get("/account")).text
    assert "Mail to this address comes back." in (await owner.get("/settings/team")).text
    answer = await owner.send("/account", "/account/email/again")
    assert answer.headers["location"] == "/account"
    after = (await owner.get("/account")).text
    assert "We write to your address again." in after
    assert f"Mail to {EMAIL}" not in after


async def test_who_lacks_the_factor_is_led_to_the_account(world: World, api: Api, callers: Callers):
    (tenant_id,) = await world.column(
        "select tenant_id from memberships m join users u on u.id = m.user_id"
        " where u.email = 'other-agent@example.org'"
    )
    async with Browsing(world, api, cookie=callers.headers["other agent"]["Cookie"]) as agent:
        await world.run(RULE.format(since="now()"), tenant_id)
        assert "asks for a second factor by" in (await agent.get("/inbox")).text
        await world.run(JOINED, tenant_id)
        await world.run(RULE.format(since="now() - interval '8 days'"), tenant_id)
        for path in ("/inbox", "/settings/team", "/contacts"):
            led = await agent.get(path)
            assert (led.status_code, led.headers.get("location")) == (303, "/account"), path
        assert "Set up an authenticator app" in (await agent.get("/account")).text
        part = await agent.get("/inbox", **{"hx-request": "true", "hx-request-type": "partial"})
        assert part.headers["hx-redirect"] == "/account"
        await world.run(RULE.format(since="null"), tenant_id)
        assert (await agent.get("/inbox")).status_code == 200
