"""One process's engine on a real database: businesses, customers who write, turns that run."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from obstore.store import MemoryStore
from sqlalchemy import text

from app.core import ids
from app.core.config import Settings
from app.core.limits.limiter import build_limiter
from app.core.limits.types import Limiter
from app.core.media.bucket import BucketStore
from app.core.media.store import MediaStore
from app.messaging.charges import PROOF
from app.messaging.ingest.group_commit import Delivery, GroupCommit
from app.messaging.ingest.normalise import drain_once
from app.messaging.turns.claiming import claim
from app.messaging.turns.model import ClaimedTurn, Engine
from billing.ledger import service
from billing.ledger.schemas import Balance, Grant
from billing.verify import tenant_ids, verify_tenant
from tenants.service import Actor, NewChannel, NewTenant, create_channel, create_tenant
from tests.databases import TestDatabase
from tests.engine import clock, events
from tests.engine.ports import ScriptedAnswerer, ScriptedSender
from workers.scheduler import upkeep
from workers.turns import TurnRunner

CREDIT = 1_000_000
OWNER = "worker:test:1"
_PLAN = text(
    """
    insert into plans (code, name, weight, max_inflight, turn_per_min, turn_burst, send_per_min,
                       send_burst)
    values (:code, 'Test', :weight, :max_inflight, :turn_per_min, :turn_burst, 60000, 1000)
    """
)
_ROUNDS_MAX = 40


def about(left_s: Sequence[Any], planned_s: Sequence[float]) -> bool:
    """Whether waits read a moment after they began were planned so; the machine may be busy."""
    pairs = zip(left_s, planned_s, strict=True)
    return all(planned - 5 < float(left) <= planned for left, planned in pairs)


class SilentBell:
    """Nobody listens: tests let work happen when they say so."""

    async def ring(self, queue: str) -> None:
        del queue


@dataclass(frozen=True)
class Business:
    tenant_id: UUID
    channel_id: UUID
    session: str
    engine: str = "NOWEB"


@dataclass
class Bench:
    database: TestDatabase
    settings: Settings
    answerer: ScriptedAnswerer = field(default_factory=ScriptedAnswerer)
    sender: ScriptedSender = field(default_factory=ScriptedSender)
    limiter: Limiter = field(init=False)
    store: MediaStore = field(init=False)
    ingest: GroupCommit = field(init=False)
    _businesses: int = 0

    def __post_init__(self) -> None:
        self.limiter = build_limiter(self.settings)
        self.store = BucketStore(MemoryStore())
        self.ingest = GroupCommit(
            self.database.db, self.limiter, SilentBell(), self.settings.limits
        )

    async def close(self) -> None:
        await self.ingest.close()
        await self.limiter.close()

    # The world.

    async def business(
        self,
        *,
        credits_: float = 100,
        plan: Mapping[str, int] | None = None,
        engine: str = "NOWEB",
        **more: Any,
    ) -> Business:
        """A business with a number, a plan of its own and credits."""
        self._businesses += 1
        name = f"b{self._businesses}"
        terms = {"weight": 1, "max_inflight": 64, "turn_per_min": 6000, "turn_burst": 1000}
        actor = Actor("operator", "test")
        async with self.database.db.system() as connection:
            await connection.execute(_PLAN, {"code": name, **terms, **(plan or {})})
            tenant = NewTenant(slug=name, name=name, plan_code=name, time_zone="UTC", **more)
            tenant_id = await create_tenant(connection, tenant, actor)
            channel = NewChannel(
                tenant_id=tenant_id, name="Desk", session=name, webhook_secret="s" * 32
            )
            channel_id, _ = await create_channel(
                connection, self.settings.keyring(), channel, actor
            )
            await service.open_wallet(connection, tenant_id)
        if credits_:
            await self.grant(tenant_id, credits_)
        return Business(tenant_id, channel_id, name, engine)

    async def grant(self, tenant_id: UUID, credits_: float) -> None:
        async with self.database.db.system() as connection:
            lot_id = ids.uuid7()
            await service.grant(
                connection,
                Grant(
                    tenant_id=tenant_id,
                    lot_id=lot_id,
                    source="purchase",
                    source_ref=str(lot_id),
                    amount_ucr=int(credits_ * CREDIT),
                    created_by="test",
                ),
            )

    async def hook(self, business: Business, event: str, payload: dict[str, Any]) -> None:
        """WAHA tells of an event, and it is normalised."""
        await self.receive(business, event, payload)
        await self.drain()

    async def receive(self, business: Business, event: str, payload: dict[str, Any]) -> None:
        """Store an event as the webhook's door does."""
        body = events.envelope(event, business.session, payload, engine=business.engine)
        await self.ingest.submit(
            Delivery(
                tenant_id=business.tenant_id,
                channel_id=business.channel_id,
                key=ids.uuid7().bytes,
                inbox_id=ids.uuid7(),
                event=event,
                body=body,
                request_id=ids.request_id(),
            )
        )

    async def write(self, business: Business, phone: str, *texts: str, age_s: float = 0) -> None:
        """A customer writes."""
        for each in texts:
            payload = events.message(f"{phone}@c.us", each, age_s=age_s)
            await self.receive(business, "message", payload)
        await self.drain()

    async def owner_types(self, business: Business, phone: str, text_: str) -> None:
        """The owner answers on the paired phone."""
        payload = events.message(f"{phone}@c.us", text_, from_me=True)
        await self.hook(business, "message.any", payload)

    async def echo(self, business: Business, shown: Any) -> None:
        """WAHA shows a message that we sent."""
        payload = events.message(
            shown.chat, shown.text, from_me=True, wa_id=shown.wa_id, source="api"
        )
        await self.hook(business, "message.any", payload)

    async def ack(self, business: Business, shown: Any, level: int) -> None:
        await self.hook(business, "message.ack", events.ack(shown.chat, shown.wa_id, level))

    async def drain(self) -> None:
        while (await drain_once(self.database.db, self.settings)).more:
            pass

    async def age(self, seconds: float) -> None:
        await clock.age(self.database.superuser_url, seconds)

    # The engine.

    def engine(self, owner: str = OWNER) -> Engine:
        return Engine(
            database=self.database.db,
            answerer=self.answerer,
            sender=self.sender,
            limiter=self.limiter,
            settings=self.settings,
            keyring=self.settings.keyring(),
            owner=owner,
            store=self.store,
        )

    async def claim(
        self, owner: str = OWNER, *, turns_max: int = 64, lease_s: float | None = None
    ) -> list[ClaimedTurn]:
        return await claim(
            self.database.db,
            owner=owner,
            lease_s=self.settings.timings.lease_s if lease_s is None else lease_s,
            turns_max=turns_max,
        )

    async def run(self, turns: Sequence[ClaimedTurn], owner: str = OWNER) -> None:
        """Run claimed turns side by side, as the runner does."""
        runner = TurnRunner(self.engine(owner))
        await asyncio.gather(*(runner._run(turn) for turn in turns))

    async def work(self, owner: str = OWNER) -> int:
        """Claim and run until nothing is due; return how many turns were run."""
        done = 0
        for _ in range(_ROUNDS_MAX):
            turns = await self.claim(owner)
            if not turns:
                return done
            await self.run(turns, owner)
            done += len(turns)
        raise AssertionError("turns never come to an end")

    async def work_on(self, step_s: float = 35, steps: int = 12) -> None:
        """Work, let time pass, and work again, as a worker would over some minutes."""
        for _ in range(steps):
            await self.work()
            await self.age(step_s)
        await self.work()

    async def chore(self, name: str) -> None:
        chore = next(c for c in upkeep.chores(self.settings) if c.name == name)
        await upkeep.run(self.database.db, chore)

    def with_timings(self, **seconds: float) -> None:
        timings = replace(self.settings.timings, **seconds)
        self.settings = replace(self.settings, timings=timings)

    # What is there.

    async def rows(self, sql: str, **values: Any) -> list[Any]:
        async with self.database.db.system() as connection:
            return list(await connection.execute(text(sql), values))

    async def column(self, sql: str, **values: Any) -> list[Any]:
        return [row[0] for row in await self.rows(sql, **values)]

    async def execute(self, sql: str, **values: Any) -> None:
        async with self.database.db.system() as connection:
            await connection.execute(text(sql), values)

    async def turn_states(self, business: Business) -> list[str]:
        return await self.column(
            "select state from turns where tenant_id = :t order by id", t=business.tenant_id
        )

    async def part_states(self, business: Business) -> list[str]:
        return await self.column(
            "select state from send_parts where tenant_id = :t order by id", t=business.tenant_id
        )

    async def dispositions(self, business: Business) -> dict[str, str | None]:
        rows = await self.rows(
            "select body, disposition from messages where tenant_id = :t and direction = 'in'",
            t=business.tenant_id,
        )
        return {row.body: row.disposition for row in rows}

    async def owner_of(self, business: Business) -> list[tuple[str, str | None]]:
        rows = await self.rows(
            "select state, handover_reason from conversations where tenant_id = :t order by id",
            t=business.tenant_id,
        )
        return [(row.state, row.handover_reason) for row in rows]

    async def balance(self, business: Business) -> tuple[float, float, float]:
        """Available, held and spent, in credits."""
        async with self.database.db.tenant(business.tenant_id) as connection:
            found: Balance = await service.balance(connection, business.tenant_id)
        return (
            found.available_ucr / CREDIT,
            found.held_ucr / CREDIT,
            found.spent_ucr / CREDIT,
        )

    async def assert_proved(self) -> None:
        """`parley credits verify` over every tenant."""
        async with self.database.db.system() as connection:
            for tenant_id in await tenant_ids(connection):
                proof = await verify_tenant(connection, tenant_id, invariants=PROOF)
                assert proof.findings == ()
