"""Seeding the demo business: once, and found again at every later start."""

import asyncio
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.assistant.profiles import Fact, Profile
from app.assistant.versions import publish
from app.cli import demo_business as demo
from app.cli import demo_people
from app.cli.local.demo_tenant import DemoTenant
from app.core import ids
from app.core.config import Settings
from app.core.db.engine import Database
from app.core.money import UCR_PER_CREDIT
from billing import caps, plans
from billing.caps import Caps
from billing.ledger.schemas import Grant
from billing.ledger.service import grant
from tenants.channels import webhook_secret_ref
from tenants.conduct import set_brake
from tenants.service import Actor, NewChannel, NewTenant, create_channel, create_tenant

IDLE_S = 1.0
CAP_S = 10.0
TURN_PER_MIN = 600
TURN_BURST = 60
MAX_INFLIGHT = 64
CREDITS = 100_000
WAHA_NUMBER = "353719100142"

_PLAN = text(
    """
    insert into plans (code, name, weight, turn_per_min, turn_burst, max_inflight, send_per_min,
                       send_burst, offered)
    values (:code, 'Demo', 1, :per_min, :burst, :max_inflight, :per_min, :burst, false)
    on conflict (code) do update set turn_per_min = excluded.turn_per_min,
        turn_burst = excluded.turn_burst, send_per_min = excluded.send_per_min,
        send_burst = excluded.send_burst, max_inflight = excluded.max_inflight
    """
)
_QUESTION = text(
    "insert into question_answers (tenant_id, id, question, answer)"
    " values (:tenant_id, :id, :question, :answer)"
)
_FIND = text(
    """
    select t.id as tenant_id, c.id as channel_id, c.key, c.session, c.webhook_secret
    from tenants t join channels c on c.tenant_id = t.id
    where t.slug = :slug order by c.created_at limit 1
    """
)


def seed(environment: Mapping[str, str]) -> DemoTenant:
    """Make the demo business with its number, knowledge and credits, unless it is there."""
    return asyncio.run(_seed(Settings.from_environ(environment)))


async def _seed(settings: Settings) -> DemoTenant:
    database = Database.from_settings(settings, pool_size=2)
    try:
        async with database.system() as connection:
            row = (await connection.execute(_FIND, {"slug": demo.SLUG})).one_or_none()
            if row is None:
                await _make(connection, settings)
                row = (await connection.execute(_FIND, {"slug": demo.SLUG})).one()
            await demo_people.make(connection, settings, row.tenant_id)
            return _describe(row, settings)
    finally:
        await database.close()


async def _make(connection: AsyncConnection, settings: Settings) -> None:
    actor = Actor("operator", "demo")
    await connection.execute(
        _PLAN,
        {
            "code": demo.PLAN_CODE,
            "per_min": TURN_PER_MIN,
            "burst": TURN_BURST,
            "max_inflight": MAX_INFLIGHT,
        },
    )
    tenant = NewTenant(
        slug=demo.SLUG,
        name=demo.NAME,
        plan_code=demo.PLAN_CODE,
        time_zone=demo.TIME_ZONE,
        country=demo.COUNTRY,
        idle_s=IDLE_S,
        cap_s=CAP_S,
        handover_text=demo.HANDOVER_TEXT,
    )
    tenant_id = await create_tenant(connection, tenant, actor)
    channel = NewChannel(
        tenant_id=tenant_id,
        name="Front desk",
        session=demo.SESSION,
        webhook_secret=ids.secret_token(),
    )
    await create_channel(connection, settings.keyring(), channel, actor)
    await _teach(connection, tenant_id)
    await _offer(connection, actor)
    await grant(
        connection,
        Grant(
            tenant_id=tenant_id,
            lot_id=ids.uuid7(),
            source="promo",
            source_ref="demo",
            amount_ucr=CREDITS * UCR_PER_CREDIT,
            created_by="demo",
        ),
    )
    # Whoever tries it out writes from one phone, and a lot.
    await caps.change(connection, tenant_id, Caps(contact_replies_per_day=10_000), actor=actor)
    await set_brake(connection, tenant_id, replies_per_hour=10_000, repeats=0)


async def _offer(connection: AsyncConnection, actor: Actor) -> None:
    """Something to buy: the simulator stands in for Stripe."""
    for plan in demo.PLANS:
        await plans.save_plan(connection, plan, actor, "demo")
    for package in demo.PACKAGES:
        await plans.save_package(connection, package, actor, "demo")


async def _teach(connection: AsyncConnection, tenant_id: UUID) -> None:
    profile = Profile(
        persona=demo.PERSONA,
        disclosure=demo.DISCLOSURE,
        greeting=demo.GREETING,
        facts=[Fact(key, value) for key, value in demo.FACTS],
    )
    await publish(connection, tenant_id, profile, Actor("operator", "demo"))
    for question, answer in demo.QUESTIONS:
        await connection.execute(
            _QUESTION,
            {
                "tenant_id": tenant_id,
                "id": ids.uuid7(),
                "question": question,
                "answer": answer,
            },
        )


def _describe(row: Any, settings: Settings) -> DemoTenant:
    secret = settings.keyring().decrypt(
        bytes(row.webhook_secret), webhook_secret_ref(row.channel_id)
    )
    return DemoTenant(
        tenant_id=str(row.tenant_id),
        name=demo.NAME,
        channel_key=row.key,
        waha_session=row.session,
        webhook_secret=secret,
        waha_number=WAHA_NUMBER,
        idle_s=IDLE_S,
        cap_s=CAP_S,
        turn_per_min=TURN_PER_MIN,
        turn_burst=TURN_BURST,
        hook_per_min=settings.limits.hook_per_min,
        hook_burst=settings.limits.hook_burst,
        sample_questions=demo.SAMPLE_QUESTIONS,
        api_key=demo_people.api_key(settings),
        logins={
            role: (login.email, login.password)
            for role, login in demo_people.logins(settings).items()
        },
    )
