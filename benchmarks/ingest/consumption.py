"""Who spends the CPU of a request: our server, PostgreSQL, Redis, and the load itself."""

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import redis

from benchmarks.figures import process_cpu_s
from benchmarks.load import Result
from benchmarks.servers import Servers

# Fields behind the process's name in /proc/<pid>/stat: user and system time, then the same of
# the children that have ended.
_PARENT, _OWN, _OWN_AND_ENDED = 1, slice(11, 13), slice(11, 15)
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Spent:
    """CPU of one run, in microseconds a request that was accepted."""

    server_us: float = 0.0
    postgres_us: float = 0.0
    redis_us: float = 0.0
    generator_us: float = 0.0


class Meter:
    """Reads what the parts of a machine have spent so far.

    PostgreSQL's part holds all its processes: those that serve us, the log writer, the others.
    """

    def __init__(self, machine: Servers) -> None:
        self._postmaster = asyncio.run(_postmaster(machine.superuser_database_url))
        self._redis = redis.Redis.from_url(machine.redis_url)

    def read(self, server: int) -> tuple[float, float, float]:
        """CPU seconds so far: of a server of ours (its process id), PostgreSQL, Redis."""
        postgres_s = _family_cpu_s(self._postmaster)
        info = self._redis.info("cpu")
        redis_s = float(info["used_cpu_sys"]) + float(info["used_cpu_user"])
        return process_cpu_s(server), postgres_s, redis_s


def spent(
    before: tuple[float, float, float], after: tuple[float, float, float], result: Result
) -> Spent:
    """What a run cost, from two readings around it and the load generator's own account."""
    requests = max(1, result.accepted)
    server, postgres, store = (
        (then - now) / requests * 1e6 for now, then in zip(before, after, strict=True)
    )
    return Spent(server, postgres, store, result.cpu_s / requests * 1e6)


def _family_cpu_s(parent: int) -> float:
    """CPU of a process and its children, of those that have ended by now, too."""
    ticks = 0
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # ended while we looked
            continue
        if int(entry.name) == parent:
            ticks += sum(map(int, fields[_OWN_AND_ENDED]))
        elif int(fields[_PARENT]) == parent:
            ticks += sum(map(int, fields[_OWN]))
    return ticks / _TICKS_PER_S


async def _postmaster(url: str) -> int:
    connection = await asyncpg.connect(url)
    first_line = "select split_part(pg_read_file('postmaster.pid'), chr(10), 1)::int"
    pid: int = await connection.fetchval(first_line)
    await connection.close()
    return pid
