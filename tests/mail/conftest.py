"""A database, an outbox and a worker's delivery that talks to a simulated Resend."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace

import aiohttp
import pytest

from app.core.config import Settings, Timings
from app.core.db.engine import Database
from app.core.mail.delivery import MailDelivery
from app.core.mail.letter import Action, Letter
from app.core.mail.outbox import Outbox
from app.core.mail.resend import ResendClient
from tests.outside import Outside, outside_of, running_simulator

LETTER = Letter(
    subject="You are invited to Harbour Bakery",
    preheader="Ada invites you",
    paragraphs=("Ada invites you to answer customers of Harbour Bakery & Sons.",),
    action=Action("Accept the invitation", "https://parley.example/join?t=1&u=2"),
    footnote="You get this mail because somebody invited you.",
)


@pytest.fixture(scope="session")
def simulator_url() -> Iterator[str]:
    with running_simulator() as (url, _):
        yield url


@pytest.fixture
async def outside(simulator_url: str) -> AsyncIterator[Outside]:
    async with outside_of(simulator_url) as control:
        yield control


@dataclass
class Post:
    """The outbox and its delivery."""

    db: Database
    settings: Settings
    outbox: Outbox
    delivery: MailDelivery

    async def queue(self, key: str = "invite:1", to: str = "ada@example.org") -> bool:
        async with self.db.system() as connection:
            return await self.outbox.queue(connection, to=to, letter=LETTER, key=key)


@pytest.fixture
async def post(settings: Settings, outside: Outside) -> AsyncIterator[Post]:
    mine = replace(
        settings,
        resend_api_key="re_test",
        resend_api_url=f"{outside.url}/resend",
        email_from="Parley <frontdesk@parley.invalid>",
        # No pause between attempts.
        timings=Timings(retry_base_s=0),
    )
    database = Database.from_settings(mine, pool_size=6)
    async with aiohttp.ClientSession() as session:
        delivery = MailDelivery(database, mine, ResendClient(mine, session))
        yield Post(database, mine, Outbox(mine.keyring()), delivery)
    await database.close()
