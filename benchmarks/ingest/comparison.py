"""`parley bench ingest`: webhooks a second, beside an empty handler and a typical one."""

import asyncio
import subprocess
import sys
from dataclasses import dataclass, field, replace

import asyncpg
import msgspec
from sqlalchemy.ext.asyncio import create_async_engine

from app.cli.local.ports import free_port
from app.core.db.engine import async_url
from benchmarks.businesses import open_businesses
from benchmarks.figures import Column, Report, median
from benchmarks.ingest.applications import EMPTY_PATH, READY_PATH, TYPICAL_PREFIX, Account, Base
from benchmarks.ingest.consumption import Meter, Spent, spent
from benchmarks.load import Plan, Result
from benchmarks.servers import Servers, servers
from benchmarks.webhooks import Number

_APPLICATIONS = (sys.executable, "-P", "-m", "benchmarks.ingest.applications")
_LOAD = (sys.executable, "-P", "-m", "benchmarks.load")
_CLEAR = "truncate inbox, inbox_keys, bench_events"
_STORED = {
    "ours": "select count(*) from inbox_keys k join inbox i on i.id = k.inbox_id",
    "typical": "select count(*) from bench_events",
}


@dataclass(frozen=True, slots=True)
class Scale:
    """How much to send. ``rate_max`` bounds the bodies made beforehand, per second of a run.

    Fewer connections do not saturate ours: with 128 its process waits for commits, with nothing
    to do, for a quarter of the time. The empty handler answers as many with 64 as with 256.
    """

    numbers: int = 20
    connections: int = 256
    duration_s: float = 2.0
    rate_max: int = 16_000

    @property
    def requests_max(self) -> int:
        """Bodies for one run."""
        return max(1, int(self.rate_max * self.duration_s))


@dataclass(slots=True)
class _Runs:
    """The results so far, by application."""

    saturated: dict[str, list[Result]] = field(default_factory=dict)
    half: list[Result] = field(default_factory=list)
    spent: dict[str, list[Spent]] = field(default_factory=dict)

    def rps(self, kind: str) -> list[float]:
        return [result.rps for result in self.saturated[kind]]


def run(runs: int) -> Report:
    """Measure on a machine of its own."""
    with servers() as machine:
        return measure(machine, runs, Scale())


def measure(machine: Servers, runs: int, scale: Scale) -> Report:
    """Measure ``runs`` times: empty, typical, ours, ours at half load.

    Raises:
        RuntimeError: an answered event is missing in the database, or a request was refused.
    """
    found = _Runs()
    numbers = asyncio.run(_prepare(machine, scale.numbers))
    bench = _Bench(machine, scale, numbers, Meter(machine))
    try:
        found.saturated["generator"] = [bench.measure("fixed")]
        for _ in range(runs):
            for kind in ("empty", "typical", "ours"):
                found.saturated.setdefault(kind, []).append(bench.measure(kind))
                found.spent.setdefault(kind, []).append(bench.spent)
            rate = found.saturated["ours"][-1].rps / 2
            found.half.append(bench.measure("ours", rate=rate))
    finally:
        machine.stop_all()
    return _report(found)


def _report(found: _Runs) -> Report:
    empty, typical, ours = (found.rps(kind) for kind in ("empty", "typical", "ours"))
    to_empty = [mine / other for mine, other in zip(ours, empty, strict=True)]
    to_typical = [mine / other for mine, other in zip(ours, typical, strict=True)]
    saturated = found.saturated["ours"]
    empty_cpu, our_cpu = found.spent["empty"], found.spent["ours"]
    columns = [
        Column("empty handler, requests/s", empty),
        Column("typical handler, requests/s", typical),
        Column("ours, requests/s", ours),
        Column("ours / empty", to_empty, "≥ 0.6, then 1.0"),
        Column("ours / typical", to_typical, "≥ 10"),
        Column("p50 at saturation, ms", [r.p50_ms for r in saturated]),
        Column("p99 at saturation, ms", [r.p99_ms for r in saturated]),
        Column("p50 at half load, ms", [r.p50_ms for r in found.half]),
        Column("p99 at half load, ms", [r.p99_ms for r in found.half], "< 50"),
        Column("CPU of the empty handler's server, µs/request", [c.server_us for c in empty_cpu]),
        Column("CPU of our server, µs/request", [c.server_us for c in our_cpu]),
        Column("… of PostgreSQL for ours", [c.postgres_us for c in our_cpu]),
        Column("… of Redis for ours", [c.redis_us for c in our_cpu]),
        Column("… of the load generator for ours", [c.generator_us for c in our_cpu]),
    ]
    ceiling = found.saturated["generator"][0].rps
    figures = {
        "empty_rps": median(empty),
        "typical_rps": median(typical),
        "ours_rps": median(ours),
        "ratio_to_empty": median(to_empty),
        "ratio_to_typical": median(to_typical),
        "p99_half_load_ms": median(r.p99_ms for r in found.half),
        "generator_rps": ceiling,
        "empty_cpu_us": median(c.server_us for c in empty_cpu),
        "ours_cpu_us": median(c.server_us for c in our_cpu),
        "postgres_cpu_us": median(c.postgres_us for c in our_cpu),
        "redis_cpu_us": median(c.redis_us for c in our_cpu),
        "generator_cpu_us": median(c.generator_us for c in our_cpu),
    }
    total = sum(r.accepted for r in [*saturated, *found.half])
    notes = [
        f"the load generator alone reaches {ceiling:,.0f} requests/s",
        f"all {total:,} events that ours answered with 200 were found in PostgreSQL",
    ]
    return Report("ingest", figures, columns, notes)


@dataclass(slots=True)
class _Bench:
    """All applications at once, one of them under load at a time; the others cost nothing.

    So what is compared lies two seconds apart, which matters on a machine that others use too.
    """

    machine: Servers
    scale: Scale
    numbers: list[Number]
    meter: Meter
    spent: Spent = field(default_factory=Spent)
    _running: dict[str, tuple[int, int]] = field(default_factory=dict)
    _rounds: int = 0

    def measure(self, kind: str, *, rate: float | None = None) -> Result:
        """Load an application, and count what it stored."""
        if kind not in self._running:
            self._running[kind] = self._start(kind)
            # The first requests connect pools and fill caches.
            generate(replace(self._plan(kind, None), requests_max=2 * self.scale.connections))
        asyncio.run(_execute(self.machine, _CLEAR))
        pid = self._running[kind][0]
        plan = self._plan(kind, rate)
        before = self.meter.read(pid)
        result = generate(plan)
        self.spent = spent(before, self.meter.read(pid), result)
        self._verify(kind, result)
        return result

    def _plan(self, kind: str, rate: float | None) -> Plan:
        self._rounds += 1
        return Plan(
            port=self._running[kind][1],
            numbers=self._doors(kind),
            label=f"{self._rounds:04x}",
            requests_max=self.scale.requests_max,
            duration_s=self.scale.duration_s,
            connections=self.scale.connections,
            rate=rate,
        )

    def _verify(self, kind: str, result: Result) -> None:
        if result.refused:
            raise RuntimeError(f"{kind} refused {result.refused} requests")
        if kind not in _STORED:
            return
        stored = asyncio.run(_count(self.machine, _STORED[kind]))
        if stored != result.accepted:
            raise RuntimeError(f"{kind} answered {result.accepted} requests and stored {stored}")

    def _doors(self, kind: str) -> list[Number]:
        if kind == "ours":
            return self.numbers
        if kind == "typical":
            return [
                replace(n, path=TYPICAL_PREFIX + n.path.rpartition("/")[2]) for n in self.numbers
            ]
        return [replace(n, path=EMPTY_PATH) for n in self.numbers]

    def _start(self, kind: str) -> tuple[int, int]:
        """Start an application; its process and port."""
        if kind == "ours":
            child, port = self.machine.start_api(), self.machine.addresses.api_port
        else:
            port = free_port()
            argv = [*_APPLICATIONS, kind]
            child = self.machine.start_server(kind, argv, port=port, ready=READY_PATH)
        assert child.pid is not None
        return child.pid, port


def generate(plan: Plan) -> Result:
    """Run the load generator in a process of its own."""
    done = subprocess.run(
        _LOAD, input=msgspec.json.encode(plan), stdout=subprocess.PIPE, check=True
    )
    return msgspec.json.decode(done.stdout, type=Result)


async def _prepare(machine: Servers, numbers: int) -> list[Number]:
    """Businesses for us, and tables with the same numbers for the typical application."""
    opened = await open_businesses(machine.settings, numbers)
    engine = create_async_engine(async_url(machine.databases.admin))
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
        await connection.exec_driver_sql(
            "grant select, insert on bench_accounts, bench_events to parley_system"
        )
        await connection.exec_driver_sql(
            "grant usage on sequence bench_events_id_seq to parley_system"
        )
        rows = [{"key": n.path.rpartition("/")[2], "secret": n.secret} for n in opened]
        await connection.execute(Account.__table__.insert(), rows)  # type: ignore[attr-defined]
    await engine.dispose()
    return opened


async def _execute(machine: Servers, sql: str) -> None:
    connection = await asyncpg.connect(machine.superuser_database_url)
    await connection.execute(sql)
    # Every run begins with the disk at rest.
    await connection.execute("checkpoint")
    await connection.close()


async def _count(machine: Servers, sql: str) -> int:
    connection = await asyncpg.connect(machine.superuser_database_url)
    value: int = await connection.fetchval(sql)
    await connection.close()
    return value
