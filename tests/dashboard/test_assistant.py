"""The assistant's pages: versions, tools, the playground; and who may open them."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest

from app.assistant.tools.http import Called
from app.llm.openai import OpenAIModel
from tenants.access import Role
from tests.assistant.desk import SimulatedModel
from tests.dashboard.browsing import Browsing
from tests.isolation.callers import open_session
from tests.worlds import Api, Shop, World

pytestmark = pytest.mark.anyio
HERE = "/assistant"
TOOLS = "/assistant/tools"
PLAY = "/assistant/playground"
SECRET = "Bearer very-secret-4711"
TOOL = {
    "name": "find_order",
    "description": "Finds an order of this shop by its number.",
    "method": "GET",
    "url": "https://orders.example.com/{{order_id}}",
    "parameters": '{"properties": {"order_id": {"type": "string"}}, "required": ["order_id"]}',
    "header-0": "Authorization",
    "secret-0": SECRET,
}


@pytest.fixture(scope="module")
async def shop(world: World) -> Shop:
    return await world.open_shop()


async def browsing_as(world: World, api: Api, shop: Shop, role: Role) -> Browsing:
    token = await open_session(world, f"{uuid4().hex}@example.org", shop, role, False)
    return Browsing(world, api, cookie=f"parley_session={token}")


@pytest.fixture(scope="module")
async def manager(world: World, api: Api, shop: Shop) -> AsyncIterator[Browsing]:
    async with await browsing_as(world, api, shop, Role.MANAGER) as browsing:
        yield browsing


async def test_a_version_is_published_compared_and_rolled_back(manager: Browsing):
    for number, address in enumerate(("14 Lantern Street", "2 Harbour Walk"), 1):
        draft = {"tone": "warm", "key-0": "address", "value-0": address}
        assert (await manager.send(HERE, HERE, **draft)).status_code == 303
        published = await manager.send(HERE, f"{HERE}/publish", note=f"Move {number}")
        assert published.status_code == 303
    none_left = await manager.send(HERE, f"{HERE}/publish")
    assert (none_left.status_code, "no draft to publish" in none_left.text) == (409, True)
    first = (await manager.get(f"{HERE}/versions/1")).text
    assert "14 Lantern Street" in first
    assert "2 Harbour Walk" in first  # the live one, beside it
    back = f"{HERE}/versions/1/restore"
    assert (await manager.send(f"{HERE}/versions/1", back)).status_code == 303
    listed = (await manager.get(f"{HERE}/versions")).text
    assert "↩ 1" in listed
    third = (await manager.get(f"{HERE}/versions/3")).text
    assert "14 Lantern Street" in third
    assert "2 Harbour Walk" not in third
    assert (await manager.get(f"{HERE}/versions/4")).status_code == 404


async def test_a_tool_is_tried_before_it_is_on_and_keeps_its_secrets(
    world: World, manager: Browsing, monkeypatch: pytest.MonkeyPatch
):
    made = await manager.send(f"{TOOLS}/new", f"{TOOLS}/new", **TOOL)
    assert made.status_code == 303
    tool = made.headers["location"]
    early = await manager.send(tool, f"{tool}/switch", on="yes")
    assert early.status_code == 409
    sent: list[dict[str, str]] = []

    async def answers(*_: Any, headers: dict[str, str], **__: Any) -> Called:
        sent.append(headers)
        return Called("ok", 200, "Order 1042 is on its way.")

    monkeypatch.setattr("app.assistant.tool_settings.call", answers)
    wrong = await manager.send(tool, f"{tool}/try", arguments='{"order": 1}')
    assert (wrong.status_code, sent) == (400, [])
    tried = await manager.send(tool, f"{tool}/try", arguments='{"order_id": "1042"}')
    assert "Order 1042 is on its way." in tried.text
    assert sent == [{"Authorization": SECRET}]
    assert (await manager.send(tool, f"{tool}/switch", on="yes")).status_code == 303
    # A change of what was tried switches it off again.
    changed = {**TOOL, "description": "Finds an order.", "header-0": "", "secret-0": ""}
    changed["keep-Authorization"] = "yes"
    assert (await manager.send(tool, tool, **changed)).status_code == 303
    row = await world.one(
        "select enabled, tried_at, headers from tenant_tools where id = $1",
        UUID(tool.rpartition("/")[2]),
    )
    assert (row["enabled"], row["tried_at"]) == (False, None)
    assert "4711" not in str(row["headers"])
    pages = [tried.text, *[(await manager.get(page)).text for page in (TOOLS, tool)]]
    pages.append((await manager.get("/settings/audit")).text)
    assert not [page for page in pages if "4711" in page]
    elsewhere = await manager.send(tool, tool, **{**changed, "url": "https://other.example.com/"})
    assert (elsewhere.status_code, "Give its headers again" in elsewhere.text) == (400, True)


async def test_a_rehearsal_sends_keeps_and_charges_nothing(
    world: World, manager: Browsing, monkeypatch: pytest.MonkeyPatch
):
    model = SimulatedModel("demo")

    async def complete(_: OpenAIModel, request: Any) -> Any:
        return await model.complete(request)

    monkeypatch.setattr(OpenAIModel, "complete", complete)
    before = await world.snapshot()
    shown = await manager.send(PLAY, PLAY, message="What is your address?", who="live")
    assert shown.status_code == 200
    assert len(model.requests) >= 1
    after = await world.snapshot()
    assert {name for name in after if after[name] != before[name]} <= {"login_sessions"}


async def test_agents_and_strangers_open_none_of_it(
    world: World, api: Api, shop: Shop, manager: Browsing
):
    own = {**TOOL, "name": "another_tool"}
    tool = (await manager.send(f"{TOOLS}/new", f"{TOOLS}/new", **own)).headers["location"]
    pages = (HERE, f"{HERE}/versions", f"{HERE}/versions/1", TOOLS, f"{TOOLS}/new", PLAY)
    async with await browsing_as(world, api, shop, Role.AGENT) as agent:
        assert {(await agent.get(page)).status_code for page in pages} == {403}
        token = await agent.token("/inbox/replies")
        for action in (HERE, f"{HERE}/publish", f"{HERE}/versions/1/restore", TOOLS + "/new", PLAY):
            answer = await agent.http.post(action, data={"csrf_token": token, "message": "Hi"})
            assert answer.status_code == 403, action
    async with await browsing_as(world, api, await world.open_shop(), Role.OWNER) as other:
        assert (await other.get(tool)).status_code == 404
        assert (await other.get(f"{HERE}/versions/1")).status_code == 404
