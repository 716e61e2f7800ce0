"""Numbers against the simulated WAHA, whose events come in at the running API's door."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import httpx
import pytest

from app.channels.waha.client import WahaClient
from app.channels.waha.sessions import WahaSessions
from app.core.config import Settings
from app.core.outbound import outbound_session
from app.messaging.numbers.keeping import NumberKeeper
from app.messaging.numbers.pairing import NumberPairing
from app.messaging.numbers.reading import Access, Number, NumberState
from app.messaging.numbers.service import NewNumber, Numbers
from app.messaging.reconcile import Reconciler
from tenants.devices import Device
from tests.databases import Databases
from tests.outside import Outside, outside_of
from tests.persons import person_of
from tests.simulator.conftest import running_simulator
from tests.worlds import Shop, World, eventually, open_api, open_world

PHONE = "12025550123"
DEVICE = Device("203.0.113.7", "Firefox on Linux", "req_test")


@pytest.fixture(scope="package")
def simulator_url() -> Iterator[str]:
    with running_simulator("--waha-api-key", "the key") as (url, _):
        yield url


_PASSES_MAX = 10


@dataclass
class Counter:
    """A business at its counter: what its owner and our keeper can do."""

    world: World
    outside: Outside
    settings: Settings
    numbers: Numbers
    pairing: NumberPairing
    keeper: NumberKeeper
    reconciler: Reconciler

    async def connect(self, shop: Shop, **form: Any) -> UUID:
        person = person_of(shop.tenant_id)
        new = NewNumber(name="Front desk", agreed=True, **form)
        return await self.numbers.connect(person, new, DEVICE)

    async def scan(self, number: Number, **how: Any) -> None:
        path = f"/_sim/sessions/{number.session}/scan"
        await self.outside.post(path, {"phone": PHONE, **how})

    async def connected(self, shop: Shop) -> Number:
        """A number whose phone was paired."""
        channel_id = await self.connect(shop)
        await self.until(shop, channel_id, NumberState.SCAN_QR)
        await self.scan(await self.of(shop, channel_id))
        return await self.until(shop, channel_id, NumberState.WORKING)

    async def of(self, shop: Shop, channel_id: UUID) -> Number:
        return await self.numbers.one(person_of(shop.tenant_id), channel_id)

    async def until(self, shop: Shop, channel_id: UUID, state: NumberState) -> Number:
        """Wait for a state that events alone tell of: nobody asks WAHA meanwhile."""

        async def reached() -> bool:
            await self.world.drain()
            return (await self.of(shop, channel_id)).state is state

        await eventually(reached, state.value)
        return await self.of(shop, channel_id)

    async def tend(self) -> None:
        """Let the keeper look at every number now: as many passes as there are numbers for."""
        await self.world.run("update channels set check_due_at = now() where managed")
        for _ in range(_PASSES_MAX):
            if not await self.keeper.run_once():
                break

    async def session(self, number: Number) -> dict[str, Any]:
        """What WAHA holds of a number's session."""
        answer = await self.outside.http.get(
            f"/api/sessions/{number.session}", headers={"X-Api-Key": "the key"}
        )
        found: dict[str, Any] = answer.json() if answer.status_code == httpx.codes.OK else {}
        return found


@pytest.fixture(scope="package")
async def counter(
    databases: Databases, redis_server_url: str, simulator_url: str
) -> AsyncIterator[Counter]:
    async with AsyncExitStack() as stack:
        world = await stack.enter_async_context(open_world(databases, redis_server_url))
        api = await stack.enter_async_context(open_api(world.settings))
        outside = await stack.enter_async_context(outside_of(simulator_url))
        settings = replace(
            world.settings,
            app_url=f"http://127.0.0.1:{api.port}",
            waha_api_url=simulator_url,
            waha_api_key="the key",
        )
        http = [outbound_session(settings, guarded=guarded) for guarded in (False, True)]
        for session in http:
            stack.push_async_callback(session.close)
        client = WahaClient(trusted=http[0], guarded=http[1], send_timeout_s=20)
        sessions, keyring = WahaSessions(client.calls), settings.keyring()
        numbers = Numbers(world.db, sessions, settings, keyring)
        access = Access(settings, keyring)
        yield Counter(
            world=world,
            outside=outside,
            settings=settings,
            numbers=numbers,
            pairing=NumberPairing(world.db, numbers, sessions, client, access),
            keeper=NumberKeeper(world.db, sessions, settings, keyring),
            reconciler=Reconciler(world.db, client, settings, keyring),
        )


@pytest.fixture
async def shop(counter: Counter) -> Shop:
    return await counter.world.open_shop()
