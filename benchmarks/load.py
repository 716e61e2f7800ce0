"""The load generator, a process of its own: HTTP/1.1 over raw sockets, bodies signed beforehand.

It reads one JSON object on stdin (a ``Plan``) and prints one on stdout (a ``Result``). Without a
rate it keeps every connection busy; with one it sends at that pace whatever the answers do, and
counts latency from the moment a request was due, so that a slow server cannot hide its queue.
"""

import asyncio
import sys
import time
from collections import Counter, deque
from dataclasses import asdict, dataclass
from typing import Any, cast

import msgspec
import uvloop

from benchmarks.figures import percentile
from benchmarks.webhooks import Number, WebhookMaker

_ANSWER_S = 20.0
_TICK_S = 0.001
_CONTENT_LENGTH = b"content-length: "
_OK = range(200, 300)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to send. ``rate`` in requests a second; None keeps all connections busy."""

    port: int
    numbers: list[Number]
    label: str
    requests_max: int
    duration_s: float
    connections: int
    rate: float | None = None
    first_phone: int = 0


@dataclass(frozen=True, slots=True)
class Result:
    """What came back; times in milliseconds, ``elapsed_s`` until the last answer."""

    accepted: int
    refused: int
    elapsed_s: float
    rps: float
    p50_ms: float
    p99_ms: float
    cpu_s: float


class _Connection(asyncio.Protocol):
    """One keep-alive connection with one request at a time."""

    def __init__(self, load: "_Load") -> None:
        self._load = load
        self._transport: asyncio.Transport | None = None
        self._began_s = 0.0
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way out."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass

    def send(self, request: bytes, began_s: float) -> None:
        """Send a request whose latency counts from ``began_s``."""
        assert self._transport is not None
        self._began_s = began_s
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Wait for the whole answer; its status and time are what counts."""
        self._buffer = buffer = self._buffer + data if self._buffer else data
        head = buffer.find(b"\r\n\r\n")
        if head < 0:
            return
        at = buffer.find(_CONTENT_LENGTH, 0, head + 2)
        length = int(buffer[at + len(_CONTENT_LENGTH) : buffer.index(b"\r\n", at)]) if at > 0 else 0
        if len(buffer) < head + 4 + length:
            return
        self._buffer = b""
        self._load.answered(self, int(buffer[9:12]), self._began_s)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell, unless we closed it ourselves."""
        self._load.lost(exc)

    def close(self) -> None:
        """Close it."""
        if self._transport is not None:
            self._transport.close()


class _Load:
    """Sends what is planned over its connections, and counts."""

    def __init__(self, plan: Plan, requests: "deque[bytes]") -> None:
        self._plan = plan
        self._requests = requests
        self._idle: deque[_Connection] = deque()
        self._due: deque[float] = deque()
        self._statuses: Counter[int] = Counter()
        self._latencies_s: list[float] = []
        self._in_flight = 0
        self._deadline_s = 0.0
        self._last_s = 0.0
        self._sending = False
        self._done = asyncio.Event()
        self._failure: Exception | None = None

    async def run(self) -> Result:
        """Connect, send, wait for the last answer."""
        loop = asyncio.get_running_loop()
        for _ in range(self._plan.connections):
            _, connection = await loop.create_connection(
                lambda: _Connection(self), "127.0.0.1", self._plan.port
            )
            self._idle.append(connection)
        connections = list(self._idle)
        cpu_s, began_s = time.process_time(), time.perf_counter()
        self._deadline_s = began_s + self._plan.duration_s
        self._sending = True
        if self._plan.rate is None:
            self._fill()
        else:
            await self._pace(self._plan.rate, began_s)
        self._sending = self._plan.rate is None
        self._finish_if_idle()
        async with asyncio.timeout(self._plan.duration_s + _ANSWER_S):
            await self._done.wait()
        cpu_s = time.process_time() - cpu_s
        self._sending = False
        for connection in connections:
            connection.close()
        if self._failure is not None:
            raise self._failure
        return self._result(self._last_s - began_s, cpu_s)

    def answered(self, connection: _Connection, status: int, began_s: float) -> None:
        """Count an answer, and give the connection its next request."""
        now_s = self._last_s = time.perf_counter()
        self._statuses[status] += 1
        self._latencies_s.append(now_s - began_s)
        self._in_flight -= 1
        if self._plan.rate is not None:
            self._idle.append(connection)
            self._drain_due()
        elif now_s < self._deadline_s and self._requests:
            self._in_flight += 1
            connection.send(self._requests.popleft(), now_s)
            return
        else:
            self._sending = False
        self._finish_if_idle()

    def lost(self, error: Exception | None) -> None:
        """A connection that breaks while requests are out ends the run."""
        if self._in_flight and not self._done.is_set():
            self._failure = error or ConnectionError("the server closed a connection")
            self._done.set()

    def _fill(self) -> None:
        now_s = time.perf_counter()
        while self._idle and self._requests:
            self._in_flight += 1
            self._idle.popleft().send(self._requests.popleft(), now_s)

    async def _pace(self, rate: float, began_s: float) -> None:
        sent = 0
        while (now_s := time.perf_counter()) < self._deadline_s:
            while sent / rate + began_s <= now_s and sent < self._plan.requests_max:
                self._due.append(began_s + sent / rate)
                sent += 1
            self._drain_due()
            await asyncio.sleep(_TICK_S)

    def _drain_due(self) -> None:
        while self._due and self._idle and self._requests:
            self._in_flight += 1
            self._idle.popleft().send(self._requests.popleft(), self._due.popleft())

    def _finish_if_idle(self) -> None:
        if not self._sending and not self._in_flight and not self._due:
            self._done.set()

    def _result(self, elapsed_s: float, cpu_s: float) -> Result:
        accepted = sum(n for status, n in self._statuses.items() if status in _OK)
        answers = self._statuses.total()
        return Result(
            accepted=accepted,
            refused=answers - accepted,
            elapsed_s=elapsed_s,
            rps=accepted / elapsed_s if elapsed_s else 0.0,
            p50_ms=percentile(self._latencies_s, 0.5) * 1000,
            p99_ms=percentile(self._latencies_s, 0.99) * 1000,
            cpu_s=cpu_s,
        )


def _requests(plan: Plan) -> "deque[bytes]":
    host = f"127.0.0.1:{plan.port}"
    maker = WebhookMaker(plan.numbers, plan.label, first_phone=plan.first_phone)
    return deque(signed.request(host) for signed in maker.take(plan.requests_max))


async def _run(plan: Plan) -> Result:
    return await _Load(plan, _requests(plan)).run()


def main() -> None:
    """Read the plan, run it, print the result."""
    plan: Plan = msgspec.json.decode(sys.stdin.buffer.read(), type=Plan)
    result: Any = asdict(uvloop.run(_run(plan)))
    sys.stdout.write(msgspec.json.encode(result).decode() + "\n")


if __name__ == "__main__":
    main()
