"""The whole product as real processes, and what a test does to it from outside."""

import asyncio
import itertools
import os
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import asyncpg

from app.cli.local.delivery import Delivery, customer_message
from app.cli.local.demo_tenant import DemoTenant
from app.cli.local.http_client import Answer, request
from app.cli.local.ports import free_port
from app.cli.local.service import Service
from app.cli.local.stack import LocalStack
from app.cli.local.stack_environment import Addresses
from app.cli.local.waha_session import pair
from app.core import ids
from app.core.config import Settings
from app.core.db.engine import Database
from billing.ledger import service as ledger
from billing.ledger.schemas import Grant
from billing.verify import tenant_ids, verify_tenant
from tenants.service import Actor, NewChannel, NewTenant, create_channel, create_tenant

CREDIT = 1_000_000
POLL_S = 0.02
WAIT_S = 30.0
TIMINGS = {
    "PARLEY_IDLE_S": "0.1",
    "PARLEY_CAP_S": "3",
    "PARLEY_LEASE_S": "3",
    "PARLEY_RENEW_S": "1",
    "PARLEY_SWEEP_S": "1",
    "PARLEY_TYPING_MAX_S": "0",
    "PARLEY_RETRY_BASE_S": "0.2",
    "PARLEY_MODEL_GIVE_UP_S": "1",
    "PARLEY_SEND_TIMEOUT_S": "2",
    "PARLEY_UNKNOWN_AFTER_S": "12",
}
_PLAN = (
    "insert into plans (code, name, max_inflight, turn_per_min, turn_burst, send_per_min,"
    " send_burst) values ($1, 'Journey', 64, $2, $3, 60000, 1000)"
)

Result = TypeVar("Result")


@dataclass(frozen=True)
class Figures:
    """Credits of a business."""

    available: float
    held: float
    spent: float


@dataclass
class Journey:
    """One running stack. All waiting is done in ``until``, which also restarts what died."""

    data_dir: Path
    host: str = ""
    stack: LocalStack = field(init=False)
    _phones: Any = field(default_factory=lambda: itertools.count(1))
    _businesses: Any = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        addresses = Addresses(free_port(), free_port())
        simulator = addresses.simulator_url
        outside = {
            "OPENAI_API_KEY": "simulator",
            "OPENAI_BASE_URL": f"{simulator}/v1",
            "SENTRY_DSN": f"http://public@127.0.0.1:{addresses.simulator_port}/sentry/1",
        }
        if self.host:
            outside["APP_URL"] = f"http://{self.host}:{addresses.api_port}"
        self.stack = LocalStack(self.data_dir, addresses, overrides={**TIMINGS, **outside})

    # Processes.

    def start(self) -> None:
        self.stack.start()
        self.stack.wait_ready()
        self.sim("POST", "/_sim/clock", {"retry_scale": 0.1})
        self.settle()

    def stop(self) -> None:
        self.stack.stop()

    @property
    def simulator_url(self) -> str:
        return self.stack.addresses.simulator_url

    @property
    def api_url(self) -> str:
        return self.stack.addresses.api_url

    def service(self, name: str) -> Service:
        watched = self.stack.supervisor._watched
        return next(w.service for w in watched if w.service.name == name)

    def signal(self, name: str, number: signal.Signals) -> int:
        """Send a signal and wait for the end; returns the exit status, restarts nothing."""
        service = self.service(name)
        assert service.pid is not None
        os.kill(service.pid, number)
        deadline = time.monotonic() + WAIT_S
        while (status := service.poll()) is None:
            assert time.monotonic() < deadline, f"{name} ignores {number.name}"
            time.sleep(0.005)
        return status

    def kill(self, name: str) -> None:
        assert self.signal(name, signal.SIGKILL) == -signal.SIGKILL

    def settle(self) -> None:
        """Wait until every process is up and at work."""
        self.until(lambda: self._beats("worker"), "the worker is at work")
        self.until(lambda: self._beats("scheduler"), "the scheduler is at work")
        self.until(lambda: self.get("/readyz").status == 200, "the API is ready")
        self.until(lambda: self.sim("GET", "/_sim/health"), "the simulator is up")

    def _beats(self, service: str) -> bool:
        process = self.service(service)
        found = self.rows(
            "select 1 from process_heartbeats where instance like $1",
            f"{service}:%:{process.pid}:%",
        )
        return bool(found) and process.poll() is None

    def until(
        self, condition: Callable[[], Result | None], what: str, wait_s: float = WAIT_S
    ) -> Result:
        """Poll until the condition is true; servers that are away count as "not yet"."""
        deadline = time.monotonic() + wait_s
        value: Any = None
        while time.monotonic() < deadline:
            self.stack.supervisor.check()
            try:
                if value := condition():
                    return value
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                value = type(error).__name__
            time.sleep(POLL_S)
        raise AssertionError(f"not within {wait_s:g} s: {what} (last seen: {value!r})")

    # HTTP.

    def get(self, path: str) -> Answer:
        return request("GET", f"{self.api_url}{path}", timeout_s=5)

    def sim(self, method: str, path: str, payload: Any = None) -> Any:
        answer = request(method, f"{self.simulator_url}{path}", payload=payload, timeout_s=5)
        assert answer.status < 300, f"{method} {path}: {answer.status} {answer.body[:300]!r}"
        return answer.json()

    def model(self, mode: str = "echo", delay_ms: int = 0, script: Sequence[Any] = ()) -> None:
        payload = {"mode": mode, "delay_ms": delay_ms, "script": list(script)}
        self.sim("POST", "/_sim/model", payload)

    def calls(self, service: str, path: str | None = None) -> list[dict[str, Any]]:
        query = f"service={service}" + (f"&path={path}" if path else "")
        found: list[dict[str, Any]] = self.sim("GET", f"/_sim/calls?{query}")["calls"]
        return found

    def model_calls(self, text: str) -> int:
        """How often the model was asked about a text."""
        calls = self.calls("openai", "/v1/chat/completions")
        return sum(text in str(call["body"]) for call in calls)

    # The database.

    def rows(self, sql: str, *values: Any) -> list[asyncpg.Record]:
        url = self.stack.environment["DATABASE_SYSTEM_URL"]

        async def fetch() -> list[asyncpg.Record]:
            connection = await asyncpg.connect(url, timeout=5)
            try:
                return list(await connection.fetch(sql, *values))
            finally:
                await connection.close()

        return asyncio.run(fetch())

    def in_database(self, work: Callable[[Database], Awaitable[Result]]) -> Result:
        settings = Settings.from_environ(self.stack.environment)

        async def run() -> Result:
            database = Database.from_settings(settings, pool_size=1)
            try:
                return await work(database)
            finally:
                await database.close()

        return asyncio.run(run())

    # Businesses and their customers.

    def business(
        self,
        *,
        credits_: float = 1000,
        turn_per_min: int = 6000,
        turn_burst: int = 1000,
        handover_text: str | None = None,
    ) -> DemoTenant:
        """A business of its own, with its number connected to the simulated WAHA."""
        n = next(self._businesses)
        name, secret, number = f"journey-{n}", ids.secret_token(), f"4930555{n:05d}"
        keyring = Settings.from_environ(self.stack.environment).keyring()
        self.rows(_PLAN, name, turn_per_min, turn_burst)
        actor = Actor("operator", "test")

        async def make(database: Database) -> tuple[UUID, str]:
            async with database.system() as connection:
                tenant_id = await create_tenant(
                    connection,
                    NewTenant(
                        slug=name,
                        name=name,
                        plan_code=name,
                        time_zone="UTC",
                        handover_text=handover_text,
                    ),
                    actor,
                )
                _, key = await create_channel(
                    connection,
                    keyring,
                    NewChannel(tenant_id=tenant_id, name=name, session=name, webhook_secret=secret),
                    actor,
                )
                await ledger.open_wallet(connection, tenant_id)
                if credits_:
                    await ledger.grant(
                        connection,
                        Grant(
                            tenant_id=tenant_id,
                            lot_id=ids.uuid7(),
                            source="purchase",
                            source_ref=name,
                            amount_ucr=int(credits_ * CREDIT),
                            created_by="test",
                        ),
                    )
            return tenant_id, key

        tenant_id, key = self.in_database(make)
        business = DemoTenant(
            tenant_id=str(tenant_id),
            name=name,
            channel_key=key,
            waha_session=name,
            webhook_secret=secret,
            waha_number=number,
            idle_s=0.1,
            cap_s=3,
            turn_per_min=turn_per_min,
            turn_burst=turn_burst,
            hook_per_min=1200,
            hook_burst=300,
        )
        pair(
            self.simulator_url,
            self.stack.environment["WAHA_API_KEY"],
            self.stack.environment["APP_URL"],
            business,
        )
        return business

    def phone(self) -> str:
        """A number nobody in this run has used."""
        return f"1202555{next(self._phones):05d}"

    def write(self, business: DemoTenant, phone: str, text: str, **more: Any) -> dict[str, Any]:
        payload = {"text": text, "session": business.waha_session, **more}
        found: dict[str, Any] = self.sim("POST", f"/_sim/customers/{phone}/messages", payload)
        return found

    def owner_types(self, business: DemoTenant, phone: str, text: str) -> None:
        payload = {"text": text, "session": business.waha_session}
        self.sim("POST", f"/_sim/owner/{phone}/messages", payload)

    def delivery(self, business: DemoTenant, phone: str, text: str) -> Delivery:
        return customer_message(business, phone, text)

    def deliver(self, business: DemoTenant, delivery: Delivery) -> int:
        return delivery.send(self.api_url, business.channel_key, business.webhook_secret)

    def replies(self, phone: str) -> list[str]:
        messages = self.sim("GET", f"/_sim/customers/{phone}/messages")["messages"]
        return [m["text"] for m in messages if m["author"] == "assistant"]

    def wait_replies(self, phone: str, count: int = 1) -> list[str]:
        return self.until(
            lambda: found if len(found := self.replies(phone)) >= count else None,
            f"{count} replies on {phone}",
        )

    # What the database says afterwards.

    def messages(self, business: DemoTenant) -> dict[str, str | None]:
        found = self.rows(
            "select body, disposition from messages where tenant_id = $1 and direction = 'in'",
            UUID(business.tenant_id),
        )
        return {row["body"]: row["disposition"] for row in found}

    def wait_dispositions(self, business: DemoTenant, count: int = 1) -> dict[str, str | None]:
        """Wait until ``count`` messages have come to their end."""

        def ended() -> dict[str, str | None] | None:
            found = self.messages(business)
            return found if len(found) >= count and all(found.values()) else None

        return self.until(ended, f"{count} messages of {business.name} have a disposition")

    def wait_idle(self, business: DemoTenant) -> None:
        """Wait until no turn of the business lives and no event waits."""
        self.until(
            lambda: (
                not self.rows(
                    "select 1 from turns where tenant_id = $1 and finished_at is null"
                    " union all select 1 from inbox_keys where tenant_id = $1 and pending",
                    UUID(business.tenant_id),
                )
            ),
            f"{business.name} has nothing under way",
        )

    def balance(self, business: DemoTenant) -> Figures:
        (row,) = self.rows(
            "select available_ucr, held_ucr, spent_ucr from wallets where tenant_id = $1",
            UUID(business.tenant_id),
        )
        return Figures(*(value / CREDIT for value in row))

    def assert_proved(self) -> None:
        """`parley credits verify` over every tenant."""

        async def verify(database: Database) -> None:
            async with database.system() as connection:
                for tenant_id in await tenant_ids(connection):
                    assert (await verify_tenant(connection, tenant_id)).findings == ()

        self.in_database(verify)
