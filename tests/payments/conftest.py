"""A shop that sells: the API behind its door, a simulated Stripe that tells it, a processor."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import aiohttp
import pytest
import uvicorn

from app.core.config import Settings, Timings
from app.core.db.engine import Database
from app.core.limits.limiter import build_limiter
from app.core.mail.delivery import MailDelivery
from app.core.mail.outbox import Outbox
from app.core.mail.resend import ResendClient
from app.core.money import UCR_PER_CREDIT
from billing import plans
from billing.ledger import service as ledger
from billing.ledger.invariants import INVARIANTS
from billing.ledger.schemas import Balance
from billing.notices.letters import Notices
from billing.payments.applying import Effects
from billing.payments.books import BOOKS
from billing.payments.charging import Charger
from billing.payments.checkout import Checkout
from billing.payments.door import PATH, StripeDoor
from billing.payments.events import EventProcessor
from billing.payments.receipts import Payment, payments_of
from billing.payments.stripe_api import StripeApi
from billing.verify import verify_tenant
from tenants.service import Actor
from tests.databases import Databases
from tests.outside import Outside, outside_of, running_simulator
from tests.worlds import World, eventually, open_world

SECRET = f"whsec_{'5a' * 20}"
RULES = (*INVARIANTS, *BOOKS)
OWNER = Actor("user", "owner-1")
ADMIN = Actor("admin", "admin-1")
PACKAGE = plans.Package(
    code="c1000", name="1 000 credits", credits_ucr=1000 * UCR_PER_CREDIT, price_minor=2000
)
STARTER = plans.Plan(code="starter", name="Starter", monthly_credits_ucr=100 * UCR_PER_CREDIT)
PRO = plans.Plan(
    code="pro", name="Pro", weight=2, monthly_credits_ucr=500 * UCR_PER_CREDIT, price_minor=4900
)
MAX = plans.Plan(
    code="max", name="Max", weight=4, monthly_credits_ucr=2000 * UCR_PER_CREDIT, price_minor=9900
)


@pytest.fixture(scope="session")
def simulator_url() -> Iterator[str]:
    with running_simulator() as (url, _):
        yield url


@pytest.fixture(scope="module")
async def world(databases: Databases, redis_server_url: str) -> AsyncIterator[World]:
    async with open_world(databases, redis_server_url) as made:
        made.settings = replace(
            made.settings,
            stripe_secret_key="sk_test_simulator",
            stripe_webhook_secret=SECRET,
            resend_api_key="re_test",
            email_from="Parley <frontdesk@parley.invalid>",
            app_url="https://parley.example",
            timings=Timings(retry_base_s=0),
        )
        async with made.db.system() as connection:
            for terms in (STARTER, PRO, MAX):
                await plans.save_plan(connection, terms, ADMIN, "price list")
            await plans.save_package(connection, PACKAGE, ADMIN, "price list")
        yield made


class Bell:
    """A doorbell that remembers."""

    def __init__(self) -> None:
        self.rings: list[str] = []

    async def ring(self, queue: str) -> None:
        self.rings.append(queue)


@dataclass
class Door:
    """Stripe's door, served over a real socket by itself."""

    url: str
    bell: Bell
    door: StripeDoor


@pytest.fixture(scope="module")
async def door(world: World) -> AsyncIterator[Door]:
    bell = Bell()
    limiter = build_limiter(world.settings)
    stripe = StripeDoor(world.settings, world.db, bell, limiter)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        server = uvicorn.Server(
            uvicorn.Config(stripe.app, interface="asgi3", lifespan="off", log_config=None)
        )
        task = asyncio.create_task(server.serve([listener]))
        yield Door(f"http://127.0.0.1:{port}{PATH}", bell, stripe)
        server.should_exit = True
        await task
        await limiter.close()


@pytest.fixture
async def outside(simulator_url: str) -> AsyncIterator[Outside]:
    async with outside_of(simulator_url) as control:
        await control.post("/_sim/stripe/endpoint", {})
        yield control


@dataclass
class Till:
    """One business, and everything that moves its money."""

    world: World
    outside: Outside
    tenant_id: UUID
    checkout: Checkout
    processor: EventProcessor
    mails: MailDelivery
    notices: Notices
    charger: Charger

    @property
    def db(self) -> Database:
        return self.world.db

    async def click(self, **what: Any) -> str:
        """Go to Stripe's page; the session's id."""
        url = await self.checkout.start_checkout(
            self.tenant_id,
            OWNER,
            success_url="https://parley.example/billing?paid=1",
            cancel_url="https://parley.example/billing",
            **what,
        )
        return url.rpartition("/")[2]

    async def happens(self, kind: str, **what: Any) -> None:
        """Something happens at Stripe; return when everything it told was processed."""
        await self.outside.stripe(kind, **what)
        await self.settle()

    async def settle(self) -> None:
        """Wait until all events arrived, then process them."""

        await self.arrived()
        while await self.processor.process_batch():
            pass

    async def arrived(self) -> None:
        """Wait until everything that Stripe told was taken."""

        async def delivered() -> bool:
            events = (await self.outside.get("/_sim/stripe/events"))["events"]
            return all(event["delivered"] for event in events)

        await eventually(delivered, "all events are delivered")

    async def balance(self) -> Balance:
        async with self.db.system() as connection:
            return await ledger.balance(connection, self.tenant_id)

    async def credits(self) -> tuple[float, float, float]:
        """Available, clawed and owed credits."""
        found = await self.balance()
        buckets = (found.available_ucr, found.clawed_ucr, found.owed_ucr)
        return tuple(b / UCR_PER_CREDIT for b in buckets)  # type: ignore[return-value]

    async def payments(self) -> list[Payment]:
        async with self.db.tenant(self.tenant_id) as connection:
            return await payments_of(connection, self.tenant_id)

    async def subjects(self) -> list[str]:
        """Send what waits; the subjects of everything this business was told."""
        while await self.mails.drain_batch():
            pass
        return [mail["subject"] for mail in await self.outside.emails()]

    async def assert_proved(self) -> None:
        async with self.db.system() as connection:
            proof = await verify_tenant(connection, self.tenant_id, invariants=RULES)
        assert not proof.findings


@pytest.fixture
async def till(world: World, door: Door, outside: Outside) -> AsyncIterator[Till]:
    settings: Settings = replace(
        world.settings,
        stripe_api_url=f"{outside.url}/stripe",
        resend_api_url=f"{outside.url}/resend",
    )
    await outside.post("/_sim/stripe/endpoint", {"url": door.url, "secret": SECRET})
    shop = await world.open_shop(balance=0)
    await world.run(
        "update tenants set billing_email = 'owner@bakery.example' where id = $1", shop.tenant_id
    )
    async with aiohttp.ClientSession() as session:
        stripe = StripeApi(settings, session)
        notices = Notices(Outbox(settings.keyring()), settings.app_url)
        yield Till(
            world,
            outside,
            shop.tenant_id,
            Checkout(world.db, stripe, settings),
            EventProcessor(world.db, settings, Effects(stripe, notices)),
            MailDelivery(world.db, settings, ResendClient(settings, session)),
            notices,
            Charger(world.db, settings, stripe, notices),
        )
    await world.run("update stripe_events set state = 'ignored' where state = 'pending'")
