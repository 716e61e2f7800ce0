"""The whole reply pipeline on one machine: API, one worker, scheduler, the simulator outside.

Webhooks are signed and posted as WAHA would; the simulator answers as the model and takes the
replies, and sends its echoes and acks back, which the worker has to read too.
"""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlencode

import aiohttp
import asyncpg

from app.cli.local.demo_tenant import DemoTenant
from app.cli.local.process import ChildProcess
from app.cli.local.waha_session import pair
from benchmarks.businesses import open_businesses
from benchmarks.servers import Servers
from benchmarks.webhooks import Number, Signed

Result = TypeVar("Result")

_OWN_NUMBER = 353_719_100_200
_POST_AT_ONCE = 32
_POLL_S = 0.05


@dataclass(slots=True)
class Pipeline:
    """The running processes, and the ways to drive and watch them from one event loop."""

    machine: Servers
    worker: ChildProcess
    numbers: list[Number] = field(default_factory=list)
    _http: aiohttp.ClientSession | None = None
    _sql: asyncpg.Connection | None = None

    def run(self, work: Callable[[], Awaitable[Result]]) -> Result:
        """Run ``work`` in a fresh event loop, with connections for it."""

        async def connected() -> Result:
            self._sql = await asyncpg.connect(self.machine.superuser_database_url)
            async with aiohttp.ClientSession() as session:
                self._http = session
                try:
                    return await work()
                finally:
                    await self._sql.close()

        return asyncio.run(connected())

    def open(self, count: int, *, max_inflight: int = 1000) -> list[Number]:
        """Businesses with a number each, paired with the simulator."""
        opened = asyncio.run(
            open_businesses(self.machine.settings, count, max_inflight=max_inflight)
        )
        for number in opened:
            self._pair(number, _OWN_NUMBER + len(self.numbers))
            self.numbers.append(number)
        return opened

    @contextmanager
    def worker_held(self) -> Iterator[None]:
        """Freeze the worker for a block: work is queued meanwhile without costing it CPU."""
        assert self.worker.pid is not None
        os.kill(self.worker.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.worker.pid, signal.SIGCONT)

    async def set_model(self, delay_ms: int) -> None:
        """Let the model repeat what was asked, after a while."""
        url = f"{self.machine.addresses.simulator_url}/_sim/model"
        async with self._session.post(url, json={"mode": "echo", "delay_ms": delay_ms}) as answer:
            answer.raise_for_status()

    async def post(self, signed: Signed) -> None:
        """Deliver one webhook; it must be taken."""
        url = self.machine.addresses.api_url + signed.path
        headers = {"X-Webhook-Hmac": signed.signature, "X-Webhook-Hmac-Algorithm": "sha512"}
        async with self._session.post(url, data=signed.body, headers=headers) as answer:
            answer.raise_for_status()
            await answer.read()

    async def post_all(self, webhooks: Iterable[Signed]) -> None:
        """Deliver many, several at once."""
        waiting = iter(webhooks)

        async def deliver() -> None:
            for signed in waiting:
                await self.post(signed)

        await asyncio.gather(*(deliver() for _ in range(_POST_AT_ONCE)))

    async def model_calls(self) -> list[Mapping[str, Any]]:
        """Calls of the model since the last ``forget_calls``, oldest first."""
        query = urlencode({"service": "openai", "path": "/v1/chat/completions"})
        url = f"{self.machine.addresses.simulator_url}/_sim/calls?{query}"
        async with self._session.get(url) as answer:
            found: list[Mapping[str, Any]] = (await answer.json())["calls"]
            return found

    async def forget_calls(self) -> None:
        """Begin the simulator's list anew; its phones and deliveries too, they only take room."""
        base = f"{self.machine.addresses.simulator_url}/_sim"
        for name in ("calls", "customers", "webhooks"):
            async with self._session.delete(f"{base}/{name}") as answer:
                answer.raise_for_status()

    async def value(self, sql: str, *values: Any) -> Any:
        """One value, with a superuser's eyes."""
        return await self._connection.fetchval(sql, *values)

    async def rows(self, sql: str, *values: Any) -> Sequence[Any]:
        """Rows, with a superuser's eyes."""
        found: Sequence[Any] = await self._connection.fetch(sql, *values)
        return found

    async def execute(self, sql: str, *values: Any) -> None:
        """Change something as superuser."""
        await self._connection.execute(sql, *values)

    async def until(self, sql: str, *values: Any, timeout_s: float) -> None:
        """Wait until a query answers true."""
        async with asyncio.timeout(timeout_s):
            while not await self.value(sql, *values):  # noqa: ASYNC110 - the event is in rows
                await asyncio.sleep(_POLL_S)

    async def settle(self, timeout_s: float = 60.0) -> None:
        """Wait until no event is pending: echoes and acks are read."""
        await self.until(
            "select not exists (select 1 from inbox_keys where pending)", timeout_s=timeout_s
        )

    @property
    def _session(self) -> aiohttp.ClientSession:
        assert self._http is not None
        return self._http

    @property
    def _connection(self) -> asyncpg.Connection:
        assert self._sql is not None
        return self._sql

    def _pair(self, number: Number, own_number: int) -> None:
        described = DemoTenant(
            tenant_id=number.tenant_id,
            name="Benchmark",
            channel_key=number.path.rpartition("/")[2],
            waha_session=number.session,
            webhook_secret=number.secret,
            waha_number=str(own_number),
            idle_s=0,
            cap_s=0,
            turn_per_min=1,
            turn_burst=1,
            hook_per_min=1,
            hook_burst=1,
        )
        addresses, key = self.machine.addresses, self.machine.environment["WAHA_API_KEY"]
        pair(addresses.simulator_url, key, addresses.api_url, described)


@contextmanager
def pipeline(machine: Servers) -> Iterator[Pipeline]:
    """Everything from the webhook to the simulated phone, with one worker, for a block."""
    try:
        machine.start_simulator()
        machine.start_api()
        worker = machine.start_worker()
        machine.start_scheduler()
        bench = Pipeline(machine, worker)
        bench.run(lambda: _wait_for_worker(bench))
        yield bench
    finally:
        machine.stop_all()


async def _wait_for_worker(bench: Pipeline) -> None:
    await bench.until(
        "select count(*) = 2 from process_heartbeats where service in ('worker', 'scheduler')",
        timeout_s=60,
    )
