"""Businesses to measure with: a number, a full wallet, limits that do not stand in the way."""

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core import ids
from app.core.config import Settings
from app.core.db.engine import Database
from app.core.money import UCR_PER_CREDIT
from benchmarks.webhooks import Number
from billing import caps
from billing.caps import Caps
from billing.ledger.schemas import Grant
from billing.ledger.service import grant
from tenants.conduct import set_brake
from tenants.service import Actor, NewChannel, NewTenant, create_channel, create_tenant

CREDITS = 1_000_000
_PER_MIN = 6_000_000
_BURST = 1_000_000
_ACTOR = Actor("operator", "benchmark")
_CAPS = Caps(contact_replies_per_day=1_000_000)

_PLAN = text(
    """
    insert into plans (code, name, weight, turn_per_min, turn_burst, max_inflight, send_per_min,
                       send_burst, offered)
    values (:code, 'Benchmark', 1, :per_min, :burst, :max_inflight, :per_min, :burst, false)
    on conflict (code) do nothing
    """
)
_PROFILE = text(
    """
    insert into assistant_profiles (tenant_id, persona, disclosure, greeting, facts)
    values (:tenant_id, 'Friendly and brief.', 'I am the assistant.', 'Hello!',
            jsonb_build_array(jsonb_build_object('key', 'hours', 'value', 'Mo-Sa 8:00-18:00'),
                              jsonb_build_object('key', 'loaf', 'value', 'A loaf costs 4.20 EUR.')))
    """
)


async def open_businesses(
    settings: Settings, count: int, *, max_inflight: int = 1000
) -> list[Number]:
    """Make ``count`` businesses with one number and a full wallet each."""
    database = Database.from_settings(settings, pool_size=2)
    try:
        async with database.system() as connection:
            code = f"bench-{max_inflight}"
            values = {"per_min": _PER_MIN, "burst": _BURST, "max_inflight": max_inflight}
            await connection.execute(_PLAN, {"code": code, **values})
            return [await _open(connection, settings, code) for _ in range(count)]
    finally:
        await database.close()


async def _open(connection: AsyncConnection, settings: Settings, plan: str) -> Number:
    name = ids.secret_token()[:16].lower()
    tenant = NewTenant(slug=f"bench-{name}", name="Bakery", plan_code=plan, time_zone="UTC")
    tenant_id = await create_tenant(connection, tenant, _ACTOR)
    secret, session = ids.secret_token(), f"bench-{str(tenant_id)[-12:]}"
    channel = NewChannel(
        tenant_id=tenant_id,
        name="Front desk",
        session=session,
        webhook_secret=secret,
        hook_per_min=_PER_MIN,
        hook_burst=_BURST,
    )
    channel_id, key = await create_channel(connection, settings.keyring(), channel, _ACTOR)
    await connection.execute(_PROFILE, {"tenant_id": tenant_id})
    await fill_wallet(connection, tenant_id)
    await caps.change(connection, tenant_id, _CAPS, actor=_ACTOR)
    await set_brake(connection, tenant_id, replies_per_hour=1_000_000, repeats=0)
    return Number(str(tenant_id), str(channel_id), f"/webhooks/waha/{key}", session, secret)


async def fill_wallet(connection: AsyncConnection, tenant_id: UUID) -> None:
    """Grant a million credits."""
    await grant(
        connection,
        Grant(
            tenant_id=tenant_id,
            lot_id=ids.uuid7(),
            source="promo",
            source_ref="benchmark",
            amount_ucr=CREDITS * UCR_PER_CREDIT,
            created_by="benchmark",
        ),
    )
