"""A world for tests of the message path: businesses with numbers, the API over real HTTP.

The API runs as in production (the same uvicorn configuration, its own event loop) in a thread
of the test process; requests travel over loopback sockets.
"""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx

from app.core.config import Limits, Settings, Timings
from app.core.db.engine import Database
from app.core.ids import uuid7
from app.core.money import UCR_PER_CREDIT
from app.core.signing import hmac_sha512_hex
from app.messaging.ingest.normalise import drain_once
from billing.ledger import service as ledger
from billing.ledger.schemas import Grant
from tenants.service import Actor, NewChannel, NewTenant, create_channel, create_tenant
from tests.databases import Databases
from tests.fixtures.waha import Body, WahaSession, encode
from tests.serving import serving

WAIT_S = 30.0
DRAINS_MAX = 30
# What "time passes" moves. The inbox's day is a partition key and stays.
_AGED = ("contacts", "conversations", "messages", "turns", "sends", "send_parts", "send_attempts")
_PLAN = "insert into plans (code, name) values ('test', 'Test') on conflict do nothing"


@dataclass(frozen=True)
class Shop:
    """A business with one number."""

    tenant_id: UUID
    channel_id: UUID
    key: str
    session: str
    secret: str

    @property
    def path(self) -> str:
        """The number's own webhook."""
        return f"/webhooks/waha/{self.key}"

    def waha(self, engine: str = "NOWEB", **more: Any) -> WahaSession:
        """The number's session on a WAHA server."""
        return WahaSession(engine=engine, session=self.session, **more)


def signed(secret: str, raw: bytes) -> dict[str, str]:
    """The headers that WAHA signs a body with."""
    return {
        "Content-Type": "application/json",
        "X-Webhook-Hmac": hmac_sha512_hex(secret, raw),
        "X-Webhook-Hmac-Algorithm": "sha512",
    }


class World:
    """A database with businesses in it, seen with a superuser's eyes."""

    def __init__(self, db: Database, settings: Settings, superuser: asyncpg.Connection) -> None:
        self.db = db
        self.settings = settings
        self._superuser = superuser

    async def open_shop(
        self,
        *,
        balance: int = 100,
        session: str | None = None,
        secret: str | None = None,
        hook_per_min: int | None = None,
        hook_burst: int | None = None,
        **terms: Any,
    ) -> Shop:
        """Make a business with a number and credits; ``terms`` are ``NewTenant``'s."""
        name = session or f"desk-{uuid4().hex[:12]}"
        secret = secret or f"secret-{uuid4().hex}"
        actor = Actor("system")
        await self.run(_PLAN)
        async with self.db.system() as connection:
            tenant = NewTenant(
                slug=f"shop-{uuid4().hex}",
                name="Harbour Bakery",
                plan_code="test",
                time_zone="Europe/Berlin",
                **terms,
            )
            tenant_id = await create_tenant(connection, tenant, actor)
            channel = NewChannel(
                tenant_id=tenant_id,
                name="Front desk",
                session=name,
                webhook_secret=secret,
                hook_per_min=hook_per_min,
                hook_burst=hook_burst,
            )
            keyring = self.settings.keyring()
            channel_id, key = await create_channel(connection, keyring, channel, actor)
            await ledger.open_wallet(connection, tenant_id)
        shop = Shop(tenant_id, channel_id, key, name, secret)
        if balance:
            await self.top_up(shop, balance)
        return shop

    async def top_up(self, shop: Shop, amount: int) -> None:
        """Grant credits."""
        async with self.db.system() as connection:
            await ledger.grant(
                connection,
                Grant(
                    tenant_id=shop.tenant_id,
                    lot_id=uuid7(),
                    source="promo",
                    source_ref=str(uuid4()),
                    amount_ucr=amount * UCR_PER_CREDIT,
                    created_by="test",
                ),
            )

    async def run(self, sql: str, *values: Any) -> None:
        """Execute as superuser."""
        await self._superuser.execute(sql, *values)

    async def all(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        """Read rows as superuser."""
        return [dict(row) for row in await self._superuser.fetch(sql, *values)]

    async def one(self, sql: str, *values: Any) -> dict[str, Any]:
        """Read the only row there is."""
        (row,) = await self.all(sql, *values)
        return row

    async def column(self, sql: str, *values: Any) -> list[Any]:
        """Read the first column."""
        return [row[0] for row in await self._superuser.fetch(sql, *values)]

    async def snapshot(self) -> dict[str, tuple[int, str]]:
        """Every table's row count and a fingerprint of its content."""
        tables = await self.column(
            "select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace"
            " where n.nspname = 'public' and c.relkind in ('r', 'p') and not c.relispartition"
            " order by 1"
        )
        parts = [
            f"select '{t}', count(*), coalesce(sum(hashtextextended(x::text, 0)), 0)::text from"
            f' "{t}" x'
            for t in tables
        ]
        rows = await self._superuser.fetch(" union all ".join(parts))
        return {name: (rows_n, content) for name, rows_n, content in rows}

    async def drain(self) -> int:
        """Normalise until nothing is pending; return how many calls that took."""
        for calls in range(1, DRAINS_MAX + 1):
            await drain_once(self.db, self.settings)
            if not await self.column("select 1 from inbox_keys where pending limit 1"):
                return calls
        raise AssertionError(f"events are pending after {DRAINS_MAX} drains")

    async def outcomes(self, shop: Shop) -> list[str]:
        """What the inbox says became of each event, oldest first."""
        return await self.column(
            "select coalesce(outcome, 'pending') from inbox_keys where channel_id = $1"
            " and outcome is distinct from 'overtook' order by received_at, inbox_id",
            shop.channel_id,
        )

    async def messages(self, shop: Shop) -> list[dict[str, Any]]:
        """A business's messages in the order in which they were sent."""
        return await self.all(
            "select * from messages where tenant_id = $1 order by sent_at, id", shop.tenant_id
        )

    async def turns(self, shop: Shop) -> list[dict[str, Any]]:
        """A business's turns in the order of their making."""
        return await self.all(
            "select *, extract(epoch from due_at - first_at)::float8 as due_s,"
            " extract(epoch from now() - first_at)::float8 as age_s"
            " from turns where tenant_id = $1 order by created_at, id",
            shop.tenant_id,
        )

    async def conversations(self, shop: Shop) -> list[dict[str, Any]]:
        """A business's conversations, oldest first."""
        return await self.all(
            "select * from conversations where tenant_id = $1 order by created_at, id",
            shop.tenant_id,
        )

    async def assert_whole(self, shop: Shop) -> None:
        """Nothing is half done: each message has its end or its turn, each turn its messages."""
        assert not await self.all(
            "select k.inbox_id from inbox_keys k left join inbox i on i.id = k.inbox_id"
            " where k.channel_id = $1 and (i.id is null or k.pending or k.outcome is null)",
            shop.channel_id,
        )
        assert not await self.all(
            "select m.id from messages m left join turns t on t.id = m.turn_id"
            " and t.state in ('waiting', 'due', 'claimed', 'held', 'generated', 'sending')"
            " where m.tenant_id = $1 and m.direction = 'in'"
            " and (m.disposition is null) <> (t.id is not null)",
            shop.tenant_id,
        )
        assert not await self.all(
            "select t.id from turns t left join messages m on m.turn_id = t.id"
            " and m.direction = 'in' where t.tenant_id = $1 and t.state = 'waiting'"
            " group by t.tenant_id, t.id having count(m.id) <> t.message_count",
            shop.tenant_id,
        )

    async def age(self, seconds: float) -> None:
        """Let time pass: every stored moment of the message path moves into the past."""
        for table in _AGED:
            columns = await self.column(
                "select column_name from information_schema.columns where table_name = $1"
                " and table_schema = 'public' and data_type = 'timestamp with time zone'",
                table,
            )
            changes = ", ".join(f"{c} = {c} - make_interval(secs => $1)" for c in columns)
            await self.run(f"update {table} set {changes}", float(seconds))


class Api:
    """The running API, and WAHA's way of talking to it."""

    def __init__(self, port: int, client: httpx.AsyncClient) -> None:
        self.port = port
        self.http = client

    async def post(
        self,
        path: str,
        raw: bytes,
        *,
        secret: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Post raw bytes; with a secret they are signed."""
        signature = signed(secret, raw) if secret else {}
        return await self.http.post(path, content=raw, headers={**signature, **(headers or {})})

    async def deliver(self, shop: Shop, body: Body | bytes) -> httpx.Response:
        """Deliver an event at the number's own door, signed with its secret."""
        raw = body if isinstance(body, bytes) else encode(body)
        return await self.post(shop.path, raw, secret=shop.secret)

    async def accept(self, shop: Shop, *bodies: Body) -> None:
        """Deliver events one after the other; each must be taken."""
        for body in bodies:
            response = await self.deliver(shop, body)
            assert response.status_code == 200, response.text


def fresh_settings(settings: Settings, **changes: Any) -> Settings:
    """Settings whose limiter buckets for addresses are nobody else's."""
    return replace(settings, secret_key=uuid4().hex * 2, **changes)


@asynccontextmanager
async def open_world(databases: Databases, redis_url: str) -> AsyncIterator[World]:
    """A world on a database of its own, which a whole module of tests may share."""
    async with AsyncExitStack() as stack:
        lent = await stack.enter_async_context(databases.lend())
        files = stack.enter_context(tempfile.TemporaryDirectory(prefix="parley-files-"))
        settings = Settings(
            environment="test",
            database_url=lent.app_url,
            database_system_url=lent.system_url,
            redis_url=redis_url,
            secret_key=uuid4().hex * 2,
            encryption_keys=f"t1:{'5a' * 32}",
            media_url=Path(files).as_uri(),
            waha_webhook_secret=f"platform-{uuid4().hex}",
            openai_api_key="simulator",
            timings=Timings(idle_s=0, cap_s=5, sweep_s=0.5, typing_max_s=0, retry_base_s=0.1),
            # All tests come from one address; the tests of the limit bring their own figures.
            limits=Limits(hook_bad_per_min=60_000, hook_bad_burst=60_000),
        )
        yield World(lent.db, settings, lent.superuser)


@asynccontextmanager
async def open_api(settings: Settings) -> AsyncIterator[Api]:
    """Serve the API on a free port, and stop it cleanly."""
    with serving(settings) as port:
        url = f"http://127.0.0.1:{port}"
        limits = httpx.Limits(max_connections=100)
        async with httpx.AsyncClient(base_url=url, timeout=20, limits=limits) as client:
            yield Api(port, client)


async def eventually(attempt: Callable[[], Awaitable[bool]], what: str) -> None:
    """Try again and again until it holds, at most 30 s."""
    deadline = time.monotonic() + WAIT_S
    while not await attempt():
        assert time.monotonic() < deadline, f"{what} did not come true within {WAIT_S:g} s"
        await asyncio.sleep(0.05)


def without(body: Body, *names: str) -> Body:
    """A body that lacks fields of the envelope."""
    return {name: value for name, value in body.items() if name not in names}


def statuses(responses: Iterable[httpx.Response]) -> list[int]:
    """The status codes of answers."""
    return [r.status_code for r in responses]
