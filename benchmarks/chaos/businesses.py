"""The businesses of a drill: made by the product's own services, paired as a tenant would."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.cli.local.demo_tenant import DemoTenant
from app.cli.local.phone import AREA_CODES
from app.cli.local.waha_session import pair
from app.core import ids
from app.core.config import Settings
from app.core.db.engine import Database
from app.core.money import UCR_PER_CREDIT
from benchmarks.chaos.marks import tail_of
from benchmarks.chaos.outside import Outside
from benchmarks.chaos.stage import Stage
from billing import caps
from billing.caps import Caps
from billing.ledger.schemas import Grant
from billing.ledger.service import grant
from tenants.channels import api_key_ref
from tenants.conduct import set_brake
from tenants.service import Actor, NewChannel, NewTenant, create_channel, create_tenant

CREDITS = 1_000_000
PHONES_PER_AREA = 100
BUSINESSES_MAX = 50
# The paired numbers stand in a block of their own, so that no customer is the business itself.
_FIRST_NUMBER = 353_719_100_200
_PLAN = text(
    """
    insert into plans (code, name, weight, turn_per_min, turn_burst, max_inflight, send_per_min,
                       send_burst, offered)
    values ('drill', 'Drill', 1, 60000, 6000, 64, 60000, 6000, false)
    on conflict do nothing
    """
)
# Long replies leave as several messages, so that their order can be lost.
_BUBBLES = text("update tenant_conduct set bubbles = true where tenant_id = :tenant_id")
_OWN_WAHA = text(
    "update channels set api_url = :api_url, api_key = :api_key"
    " where tenant_id = :tenant_id and id = :id"
)


@dataclass(frozen=True, slots=True)
class Business:
    """A tenant with one number on one of the two WAHAs."""

    tenant_id: UUID
    channel_id: UUID
    channel_key: str
    session: str
    number: str
    secret: str
    waha: Outside
    keeps_client_ids: bool


@dataclass(frozen=True, slots=True)
class Customer:
    """A person who writes to one business."""

    phone: str
    business: Business
    as_lid: bool = False
    at_length: bool = False

    def words(self, token: str) -> str:
        """What this customer says around a token; at length it makes two bubbles of an answer."""
        if not self.at_length:
            return f"{token} please"
        return f"{token} please, and a second matter that goes with it below\n\n{tail_of(token)}"

    def write(self, words: str, *, duplicate: int = 0) -> None:
        """Send a message."""
        self.business.waha.write(
            self.business.session, self.phone, words, as_lid=self.as_lid, duplicate=duplicate
        )

    @property
    def webhook_path(self) -> str:
        """The path that WAHA delivers this customer's messages to."""
        return f"/webhooks/waha/{self.business.channel_key}"


def open_businesses(stage: Stage, count: int, *, first: int = 0) -> list[Business]:
    """Make and pair businesses `first` …; the last of several is on the WAHA without client ids."""
    made = asyncio.run(_make(stage, range(first, first + count)))
    for business in made:
        pair(
            business.waha.url,
            stage.environment["WAHA_API_KEY"],
            stage.environment["APP_URL"],
            _as_pairing(business),
        )
    return made


def invite(businesses: Sequence[Business], count: int, *, first: int = 0) -> list[Customer]:
    """Customers `first` … of the businesses in turn.

    A third of them hide their number; of each business's every second one writes at length.
    """
    return [
        Customer(
            phone_of(first + n),
            businesses[n % len(businesses)],
            as_lid=n % 3 == 2,
            at_length=n // len(businesses) % 2 == 1,
        )
        for n in range(count)
    ]


def phone_of(number: int) -> str:
    """The n-th number reserved for fiction, in digits."""
    area, line = divmod(number, PHONES_PER_AREA)
    return f"1{AREA_CODES[area]}55501{line:02d}"


async def _make(stage: Stage, numbers: range) -> list[Business]:
    settings = Settings.from_environ(stage.environment)
    database = Database.from_settings(settings, pool_size=1)
    try:
        async with database.system() as connection:
            await connection.execute(_PLAN)
            return [
                await _make_one(
                    connection, settings, stage, n, elsewhere=numbers[0] < n == numbers[-1]
                )
                for n in numbers
            ]
    finally:
        await database.close()


async def _make_one(
    connection: AsyncConnection, settings: Settings, stage: Stage, n: int, *, elsewhere: bool
) -> Business:
    actor, name, secret = Actor("operator", "drill"), f"drill-{n}", ids.secret_token()
    tenant_id = await create_tenant(
        connection,
        NewTenant(slug=name, name=f"Drill {n}", plan_code="drill", time_zone="UTC"),
        actor,
    )
    channel_id, key = await create_channel(
        connection,
        settings.keyring(),
        NewChannel(
            tenant_id=tenant_id,
            name="Front desk",
            session=name,
            webhook_secret=secret,
            hook_per_min=60_000,
            hook_burst=6_000,
        ),
        actor,
    )
    waha = stage.other_waha if elsewhere else stage.waha
    if elsewhere:
        sealed = settings.keyring().encrypt(settings.waha_api_key, api_key_ref(channel_id))
        values = {"api_url": waha.url, "api_key": sealed}
        await connection.execute(_OWN_WAHA, {"tenant_id": tenant_id, "id": channel_id, **values})
    await grant(
        connection,
        Grant(
            tenant_id=tenant_id,
            lot_id=ids.uuid7(),
            source="promo",
            source_ref="drill",
            amount_ucr=CREDITS * UCR_PER_CREDIT,
            created_by="drill",
        ),
    )
    await caps.change(connection, tenant_id, Caps(contact_replies_per_day=10_000), actor=actor)
    await set_brake(connection, tenant_id, replies_per_hour=10_000, repeats=0)
    await connection.execute(_BUBBLES, {"tenant_id": tenant_id})
    number = str(_FIRST_NUMBER + n)
    return Business(tenant_id, channel_id, key, name, number, secret, waha, not elsewhere)


def _as_pairing(business: Business) -> DemoTenant:
    """The business as pairing wants it described; its limits and waits are not looked at."""
    return DemoTenant(
        tenant_id=str(business.tenant_id),
        name=business.session,
        channel_key=business.channel_key,
        waha_session=business.session,
        webhook_secret=business.secret,
        waha_number=business.number,
        idle_s=0,
        cap_s=0,
        turn_per_min=0,
        turn_burst=0,
        hook_per_min=0,
        hook_burst=0,
    )
