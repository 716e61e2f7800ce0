"""What the assistant left to people waits in the inbox and on the home page, until one answered."""

import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import uuid4

import pytest

from tenants.access import Role
from tests.dashboard.browsing import Browsing
from tests.fixtures.waha import WahaSession
from tests.isolation.callers import open_session
from tests.worlds import Api, Shop, World

pytestmark = pytest.mark.anyio
TOO_LATE = "The message arrived too late to be answered by the assistant."
UNCONFIRMED = "The reply went to WhatsApp, but its arrival is not confirmed."


@dataclass
class Desk:
    world: World
    api: Api
    shop: Shop
    owner: Browsing
    waha: WahaSession

    async def written(self, chat: str, *, ago_s: float = 0, body: str = "Are you there?") -> None:
        """A customer writes, some time ago; the message is understood."""
        sent_s = int(time.time() - ago_s)
        message = self.waha.message(body, chat=chat, push_name=f"P{chat[:6]}", sent_s=sent_s)
        await self.api.accept(self.shop, message)
        await self.world.drain()

    async def waiting(self, view: str = "people") -> list[str]:
        """Names in a view of the inbox."""
        page = (await self.owner.get(f"/inbox?view={view}")).text
        return re.findall(r'class="inbox-name" dir="auto">(P\d{6})<', page)

    async def unread(self) -> str:
        """What the badge of the inbox says."""
        return (await self.owner.get("/inbox/unread")).text


@pytest.fixture
async def desk(world: World, api: Api) -> AsyncIterator[Desk]:
    shop = await world.open_shop()
    token = await open_session(world, f"{uuid4().hex}@example.org", shop, Role.OWNER, False)
    async with Browsing(world, api, cookie=f"parley_session={token}") as owner:
        yield Desk(world, api, shop, owner, shop.waha())


async def test_what_came_too_late_waits_until_a_person_answers(desk: Desk):
    await desk.written("491110@c.us")
    await desk.written("491111@c.us", ago_s=7200)
    assert await desk.waiting() == await desk.waiting("unassigned") == ["P491111"]
    page = (await desk.owner.get("/inbox")).text
    assert 'data-count="people">1<' in page
    assert "inbox-unread" in page
    home = (await desk.owner.get("/home")).text
    assert ("P491111" in home, TOO_LATE in home, "P491110" in home) == (True, True, False)
    (late,) = await desk.world.column(
        "select id from conversations where tenant_id = $1 and address = $2",
        desk.shop.tenant_id,
        "491111@c.us",
    )
    here = f"/inbox/{late}"
    shown = (await desk.owner.get(here)).text
    assert "Waiting for a person." in shown
    # Looked at is not answered.
    assert await desk.waiting() == ["P491111"]
    assert "inbox-unread" not in (await desk.owner.get("/inbox")).text
    await desk.owner.send(here, f"{here}/messages", body="Here now.", form_key=str(uuid4()))
    await desk.owner.send(here, f"{here}/give-back")
    assert await desk.waiting() == []
    assert "P491111" not in (await desk.owner.get("/home")).text


async def test_who_waits_by_what_became_of_their_message(desk: Desk):
    left = ("paused", "out_of_hours", "opted_out", "suspended", "send_unknown")
    others = ("answered", "blocked", "empty")
    for n, disposition in enumerate((*left, *others)):
        chat = f"49112{n}@c.us"
        await desk.written(chat)
        await desk.world.run(
            "update messages set disposition = $3 where tenant_id = $1 and conversation_id ="
            " (select id from conversations where tenant_id = $1 and address = $2)",
            desk.shop.tenant_id,
            chat,
            disposition,
        )
    names = sorted(f"P49112{n}" for n in range(len(left)))
    assert sorted(await desk.waiting()) == names
    assert str(len(names)) in await desk.unread()
    assert UNCONFIRMED in (await desk.owner.get("/home")).text
    await desk.world.run(
        "update conversations set state = 'open' where tenant_id = $1 and address = $2",
        desk.shop.tenant_id,
        "491120@c.us",
    )
    # A pause that runs has its own view; who is blocked waits for nobody; what is resolved is done.
    for change in (
        "update conversations set paused_until = now() + interval '1 hour' where address = $2",
        "update conversations set state = 'resolved' where address = $2",
    ):
        await desk.world.run(
            f"{change} and tenant_id = $1", desk.shop.tenant_id, f"{names.pop()[1:]}@c.us"
        )
        assert sorted(await desk.waiting()) == names
    await desk.world.run(
        "update contacts set blocked_at = now() where tenant_id = $1", desk.shop.tenant_id
    )
    assert await desk.waiting() == []


async def test_a_stop_asks_for_nothing_and_what_follows_does(desk: Desk):
    await desk.written("491131@c.us", body="STOP")
    assert await desk.waiting() == []
    opted = (await desk.owner.get("/inbox?view=all")).text
    assert "P491131" in opted
    await desk.world.run(
        "update turns set state = 'done' where tenant_id = $1", desk.shop.tenant_id
    )
    await desk.world.run(
        "update messages set disposition = 'opted_out' where tenant_id = $1", desk.shop.tenant_id
    )
    assert await desk.waiting() == []
    await desk.written("491131@c.us", body="Is my cake ready?")
    assert await desk.waiting() == ["P491131"]
