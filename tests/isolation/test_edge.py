"""In front of pages and REST: an address that asks too often, one that is shut out, a busy key."""

import json
from dataclasses import replace

import pytest

from app.core.config import Limits
from app.core.limits import policies
from tests.isolation.callers import Callers
from tests.worlds import World, fresh_settings, open_api, statuses

pytestmark = pytest.mark.anyio
ME = "/api/v1/me"


async def test_an_address_that_asks_too_often_waits_and_webhooks_do_not(
    world: World, callers: Callers
):
    limits = Limits(edge_per_min=60, edge_burst=5)
    settings = fresh_settings(world.settings, limits=limits)
    async with open_api(settings) as api:
        answers = [await api.http.get(ME) for _ in range(7)]
        assert statuses(answers)[:5] == [401] * 5
        assert statuses(answers)[-1] == 429
        assert int(answers[-1].headers["retry-after"]) >= 1
        assert answers[-1].json()["code"] == "rate_limit"
        assert answers[-1].headers["x-content-type-options"] == "nosniff"
        assert (await api.http.get("/healthz")).status_code == 200
        hook = await api.post(callers.victim.path, b"{}", secret=callers.victim.secret)
        assert hook.status_code == 200


async def test_a_denied_network_gets_nothing_but_webhooks_and_health(
    world: World, callers: Callers
):
    entries = json.dumps({"entries": [{"network": "127.0.0.0/8", "note": "test"}]})
    await world.run("insert into platform_settings (name, value) values ('deny_list', $1)", entries)
    try:
        async with open_api(fresh_settings(world.settings)) as api:
            headers = {"Authorization": f"Bearer {callers.own_key}"}
            refused = await api.http.get(ME, headers=headers)
            assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
            assert (await api.http.get("/healthz")).status_code == 200
            hook = await api.post(callers.victim.path, b"{}", secret=callers.victim.secret)
            assert hook.status_code == 200
    finally:
        await world.run("delete from platform_settings where name = 'deny_list'")


async def test_a_key_tells_what_is_left_and_pages_its_lists(world: World, callers: Callers):
    async with open_api(replace(world.settings)) as api:
        headers = {"Authorization": f"Bearer {callers.own_key}"}
        first = await api.http.get(ME, headers=headers)
        assert first.headers["ratelimit-limit"] == str(policies.API_KEY.limit)
        assert int(first.headers["ratelimit-remaining"]) < policies.API_KEY.burst
        page = (await api.http.get("/api/v1/conversations?limit=1", headers=headers)).json()
        assert len(page["conversations"]) == 1
        after = f"/api/v1/conversations?limit=1&after={page['next']}"
        assert (await api.http.get(after, headers=headers)).json() == {
            "conversations": [], "next": None,
        }  # fmt: skip
        for query in ("limit=0", "limit=201", "limit=x", "state=asleep", "after=1"):
            bad = await api.http.get(f"/api/v1/conversations?{query}", headers=headers)
            assert (bad.status_code, bad.json()["code"]) == (400, "invalid"), query
