"""The inbox over HTTP: what who sees, what is sent, what is found, and what it costs to show."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from uuid import UUID, uuid4

import pytest

from app.llm.openai import OpenAIModel
from app.llm.port import ChatAnswer, ChatRequest
from benchmarks.counting import statements_sent
from simulator.model.modes import ScriptItem
from tenants.access import Role
from tests.assistant.desk import SimulatedModel
from tests.dashboard.browsing import Browsing
from tests.isolation.callers import open_session
from tests.worlds import Api, Shop, World

pytestmark = pytest.mark.anyio
QUERIES_MAX = 10
PARTIAL = {"HX-Request": "true", "HX-Request-Type": "partial"}


@dataclass
class Desk:
    world: World
    api: Api
    shop: Shop
    owner: Browsing
    agent: Browsing
    conversation: UUID

    async def user(self, role: str) -> UUID:
        row = await self.world.one(
            "select user_id from memberships where tenant_id = $1 and role = $2",
            self.shop.tenant_id,
            role,
        )
        return UUID(str(row["user_id"]))


@pytest.fixture(scope="module")
async def desk(world: World, api: Api) -> AsyncIterator[Desk]:
    shop = await world.open_shop()
    waha = shop.waha()
    await api.accept(shop, waha.message("Have you got crème brûlée today?"))
    await api.accept(shop, waha.message("And open late?"))
    await world.drain()
    (conversation,) = await world.conversations(shop)
    await world.run("update conversations set state = 'open' where id = $1", conversation["id"])
    async with AsyncExitStack() as stack:
        people = []
        for role in (Role.OWNER, Role.AGENT):
            token = await open_session(world, f"{uuid4().hex}@example.org", shop, role, False)
            cookie = f"parley_session={token}"
            browsing = Browsing(world, api, cookie=cookie)
            people.append(await stack.enter_async_context(browsing))
        yield Desk(world, api, shop, *people, conversation["id"])


async def test_every_page_asks_little(desk: Desk):
    paths = {
        "/inbox": {},
        "/inbox?view=all": {},
        "/inbox?q=brulee": {},
        "/inbox/replies": {},
        f"/inbox/{desk.conversation}": {},
        f"/inbox/{desk.conversation}/thread": PARTIAL,
        "/inbox/list?view=mine": PARTIAL,
        "/inbox/unread": {},
    }
    asked = {}
    for path, headers in paths.items():
        with statements_sent() as seen:
            answer = await desk.owner.http.get(path, headers=headers)
        assert answer.status_code == 200, path
        asked[path] = len(seen)
    assert max(asked.values()) <= QUERIES_MAX, asked


async def test_search_finds_words_names_and_numbers(desk: Desk, callers: object):
    del callers  # another business whose words must not be found
    for words, found in (
        ("brulee", 1),
        ("CRÈME brûl", 1),
        ("crème lighthouse", 0),
        ("lighthouse", 0),
        ("!?", 0),
    ):
        page = (await desk.owner.get(f"/inbox?q={words}")).text
        assert page.count("data-row") == found, words
    digits = (await desk.world.conversations(desk.shop))[0]["address"].partition("@")[0]
    page = (await desk.owner.get(f"/inbox?q=0{digits[2:]}")).text
    assert page.count("data-row") == 1


async def test_a_double_click_sends_once_and_takes_over(desk: Desk):
    here, key = f"/inbox/{desk.conversation}", str(uuid4())
    fields = {"body": "Yes, until ten.", "form_key": key}
    for _ in range(2):
        sent = await desk.owner.send(here, f"{here}/messages", **fields)
        assert sent.status_code == 303
    rows = await desk.world.all(
        "select m.body, m.author, p.state from messages m"
        " join send_parts p on p.message_id = m.id where m.conversation_id = $1",
        desk.conversation,
    )
    assert rows == [{"body": "Yes, until ten.", "author": "agent", "state": "queued"}]
    page = (await desk.owner.get(here)).text
    assert "Waiting to be sent" in page
    empty = await desk.owner.send(here, f"{here}/messages", body=" ", form_key=str(uuid4()))
    assert (empty.status_code, "Write something first." in empty.text) == (400, True)


async def test_agents_see_theirs_and_nobodys(desk: Desk):
    here = f"/inbox/{desk.conversation}"
    owner, agent = await desk.user("owner"), await desk.user("agent")
    assert (await desk.owner.send(here, f"{here}/assign", assignee="")).status_code == 303
    assert (await desk.agent.get(here)).status_code == 200
    handed = await desk.agent.send(here, f"{here}/assign", assignee=str(owner))
    assert handed.headers["location"] == "/inbox"
    assert (await desk.agent.get(here)).status_code == 404
    assert "data-row" not in (await desk.agent.get("/inbox?view=all")).text
    assert "data-row" not in (await desk.agent.get("/inbox?q=brulee")).text
    token = await desk.agent.token("/inbox/replies")
    refused = await desk.agent.http.post(f"{here}/resolve", data={"csrf_token": token})
    assert refused.status_code == 404
    assert (await desk.owner.send(here, f"{here}/assign", assignee=str(agent))).status_code == 303
    assert (await desk.agent.get(here)).status_code == 200


async def test_notes_labels_and_canned_replies(desk: Desk):
    here = f"/inbox/{desk.conversation}"
    await desk.owner.send(here, f"{here}/notes", body="A regular, be kind")
    await desk.owner.send(here, f"{here}/labels", name="  VIP ")
    page = (await desk.owner.get(here)).text
    assert "A regular, be kind" in page
    assert "VIP" in page
    label = await desk.world.one("select id from labels where name = 'VIP'")
    assert (await desk.owner.get(f"/inbox?view=all&label={label['id']}")).text.count("data-row")
    await desk.owner.send(here, f"{here}/labels/{label['id']}/remove")
    shown = (await desk.owner.get(f"/inbox?view=all&label={label['id']}")).text
    assert "data-row" not in shown
    page = "/inbox/replies"
    added = await desk.owner.send(page, page, shortcut="/Late", body="Until ten.")
    assert added.status_code == 303
    again = await desk.owner.send(page, page, shortcut="late", body="x")
    assert (again.status_code, "This shortcut is taken" in again.text) == (409, True)
    assert 'data-shortcut="late"' in (await desk.owner.get(here)).text
    reply = await desk.world.one("select id from canned_replies where shortcut = 'late'")
    await desk.owner.send(page, f"{page}/{reply['id']}/remove")
    assert "/late" not in (await desk.owner.get(page)).text


async def test_a_reply_is_suggested_and_never_sent(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    here = f"/inbox/{desk.conversation}"
    # Another test of this file may have given it to somebody.
    unassigned = "update conversations set assignee_id = null, state = 'open' where id = $1"
    await desk.world.run(unassigned, desk.conversation)
    said = {"body": "We open at eight.", "form_key": str(uuid4())}
    await desk.agent.send(here, f"{here}/messages", **said)
    await desk.world.run(unassigned, desk.conversation)
    model = SimulatedModel("script", [ScriptItem(reply="Yes, two are left.")])

    async def complete(_: OpenAIModel, request: ChatRequest) -> ChatAnswer:
        return await model.complete(request)

    monkeypatch.setattr(OpenAIModel, "complete", complete)
    nothing = await desk.owner.send(here, f"{here}/suggestion")
    assert (nothing.status_code, "the last word is yours" in nothing.text) == (400, True)
    assert model.requests == []
    waha = desk.shop.waha()
    await desk.api.accept(desk.shop, waha.message("Any baguettes left?"))
    await desk.world.drain()
    before = await desk.world.snapshot()
    for person in (desk.owner, desk.agent):
        token = await person.token(here)
        asked = await person.http.post(
            f"{here}/suggestion", data={"csrf_token": token}, headers=PARTIAL
        )
        assert (asked.status_code, asked.text) == (200, "Yes, two are left.")
    assert "Any baguettes left?" in str(model.requests[0]["messages"])
    page = await desk.agent.send(here, f"{here}/suggestion")
    assert ">Yes, two are left.</textarea>" in page.text
    after = await desk.world.snapshot()
    kept = ("messages", "sends", "send_parts", "turns", "credit_holds", "conversations")
    assert [name for name in kept if after[name] != before[name]] == []
    model.mode.replace("script", 0, [ScriptItem(reply="", action="handover")])
    unknown = await desk.agent.send(here, f"{here}/suggestion")
    assert (unknown.status_code, "knows no answer" in unknown.text) == (400, True)
    owner = await desk.user("owner")
    await desk.owner.send(here, f"{here}/assign", assignee=str(owner))
    token = await desk.agent.token("/inbox/replies")
    hidden = await desk.agent.http.post(f"{here}/suggestion", data={"csrf_token": token})
    assert hidden.status_code == 404
    assert (await desk.owner.send(here, f"{here}/assign", assignee="")).status_code == 303


async def test_a_new_message_is_told_and_a_dropped_stream_resumes(desk: Desk):
    page = (await desk.owner.get("/inbox?view=all")).text
    found = re.search(r'data-cursor="([^"]+)"', page)
    assert found
    sse = {"Accept": "text/event-stream"}
    url = f"/inbox/stream?after={found[1]}"

    async def heard(headers: dict[str, str]) -> tuple[str, list[str]]:
        """The first event that names a conversation: its id, and which."""
        event_id = ""
        async with desk.owner.http.stream("GET", url, headers=headers) as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            async for line in stream.aiter_lines():
                if line.startswith("id: "):
                    event_id = line[4:]
                if line.startswith("data: ") and (ids := json.loads(line[6:])):
                    return event_id, ids
        raise AssertionError("the stream ended")

    async def write(text: str) -> None:
        await desk.api.accept(desk.shop, desk.shop.waha().message(text))
        await desk.world.drain()

    listening = asyncio.create_task(heard(sse))
    await write("one more")
    event_id, ids = await asyncio.wait_for(listening, 10)
    assert ids == [str(desk.conversation)]
    await write("while nobody listens")
    _, ids = await asyncio.wait_for(heard({**sse, "Last-Event-ID": event_id}), 10)
    assert ids == [str(desk.conversation)]
    plain = await desk.owner.get("/inbox/stream")
    assert plain.status_code == 400
