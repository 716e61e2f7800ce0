"""What happens while the shared store is away, wrong or slow."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from app.core.config import Settings
from app.core.limits.breaker import CircuitBreaker
from app.core.limits.limiter import SharedLimiter, build_limiter
from app.core.limits.transports import Arguments, RedisTransport, UpstashTransport
from app.core.limits.types import (
    Check,
    Fallback,
    LimitStoreAuthError,
    LimitStoreError,
    LimitStoreQuotaError,
    LimitStoreTimeoutError,
    Policy,
)
from tests.core.limits.rest_endpoint import TOKEN, RestEndpoint
from tests.pace import stretched

pytestmark = pytest.mark.anyio

POLICY = Policy("p", limit=60, per_s=60, burst=20)


@contextmanager
def black_hole() -> Iterator[int]:
    """Listen and never answer: connections open, requests vanish."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(64)
        yield server.getsockname()[1]


@asynccontextmanager
async def answering(status: int, body: str) -> AsyncIterator[str]:
    async def handle(_request: web.Request) -> web.Response:
        return web.Response(status=status, text=body)

    app = web.Application()
    app.router.add_post("/{tail:.*}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("kind", ["tcp", "rest"])
async def test_a_silent_store_costs_a_quarter_second_and_then_nothing(
    kind: str, subject: str
) -> None:
    with black_hole() as port:
        limiter = build_limiter(
            Settings(redis_url=f"redis://127.0.0.1:{port}/0")
            if kind == "tcp"
            else Settings(
                upstash_redis_rest_url=f"http://127.0.0.1:{port}", upstash_redis_rest_token="t"
            )
        )
        began_s, slowest_s = time.monotonic(), 0.0
        for _ in range(5):
            start_s = time.monotonic()
            assert (await limiter.decide([Check(POLICY, subject)])).allowed
            slowest_s = max(slowest_s, time.monotonic() - start_s)
        assert 0.2 < slowest_s < stretched(1.0)

        start_s = time.monotonic()
        verdicts = [await limiter.decide([Check(POLICY, subject)]) for _ in range(60)]
        took_s = time.monotonic() - start_s
        assert took_s < stretched(1.0)  # 15 s if each waited
        # 1.25 × the burst of 20, five of them taken above, and what came back since.
        back = 1 + 1.25 * (time.monotonic() - began_s)
        assert 20 <= sum(v.allowed for v in verdicts) <= 20 + back
        await limiter.close()


async def test_a_dead_store_refuses_nobody_and_sign_in_keeps_a_quarter(subject: str) -> None:
    limiter = build_limiter(Settings(redis_url="redis://127.0.0.1:1/0"))
    login = Policy("login", limit=12, per_s=3_600, burst=12)
    open_ = [(await limiter.decide([Check(login, subject)])).allowed for _ in range(20)]
    closed = [
        await limiter.decide([Check(login, subject)], fallback=Fallback.CLOSED_QUARTER)
        for _ in range(20)
    ]
    assert sum(open_) == 15
    assert sum(v.allowed for v in closed) == 3
    # A twelfth of an hour a unit, at a quarter of the speed: 20 minutes.
    assert closed[-1].retry_after_s == pytest.approx(1_200, abs=5)
    await limiter.close()


async def test_the_local_share_shrinks_with_the_number_of_instances(subject: str) -> None:
    limiter = build_limiter(Settings(redis_url="", expected_instances=5))
    allowed = [(await limiter.decide([Check(POLICY, subject)])).allowed for _ in range(30)]
    assert sum(allowed) == 5
    # A cost the service admits must not become impossible, only slow.
    big = await limiter.decide([Check(POLICY, f"{subject}-2", cost=18)])
    assert big.allowed
    assert not (await limiter.decide([Check(POLICY, f"{subject}-2", cost=18)])).never


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (401, '{"error":"WRONGPASS invalid or missing auth token"}', LimitStoreAuthError),
        (400, '{"error":"ERR max daily request limit exceeded. Limit: 1"}', LimitStoreQuotaError),
        (400, '{"error":"ERR max requests limit exceeded"}', LimitStoreQuotaError),
        (400, '{"error":"ERR DB capacity quota exceeded"}', LimitStoreQuotaError),
        (400, '{"error":"ERR Dynamic keys are not allowed in Lua scripts"}', LimitStoreError),
        (502, "<html>bad gateway</html>", LimitStoreError),
        (200, "{}", LimitStoreError),
    ],
)
async def test_rest_errors_are_typed(
    status: int, body: str, error: type[LimitStoreError], patient_calls: None
) -> None:
    async with answering(status, body) as url:
        transport = UpstashTransport(url, "t")
        with pytest.raises(LimitStoreError) as caught:
            await transport.run([1, "k", 1, 1, 1, 1, 1])
        assert type(caught.value) is error
        assert "html" not in str(caught.value)
        await transport.close()


async def test_tcp_errors_are_typed(redis_server_url: str, patient_calls: None) -> None:
    away = RedisTransport("redis://127.0.0.1:1/0")
    with pytest.raises(LimitStoreError):
        await away.run([1, "k", 1, 1, 1, 1, 1])
    await away.close()

    locked_out = RedisTransport(redis_server_url.replace("//", "//:wrong@"))
    with pytest.raises(LimitStoreAuthError):
        await locked_out.run([1, "k", 1, 1, 1, 1, 1])
    await locked_out.close()


async def test_a_silent_store_is_a_typed_timeout() -> None:
    with black_hole() as port:
        silent = RedisTransport(f"redis://127.0.0.1:{port}/0")
        with pytest.raises(LimitStoreTimeoutError):
            await silent.run([1, "k", 1, 1, 1, 1, 1])
        await silent.close()


async def test_a_wrong_token_falls_back(
    rest: RestEndpoint, subject: str, patient_calls: None
) -> None:
    limiter = SharedLimiter(UpstashTransport(rest.url, "wrong"))
    assert (await limiter.decide([Check(POLICY, subject)])).allowed
    await limiter.close()


async def test_rest_sends_no_telemetry_and_never_retries(
    rest: RestEndpoint, subject: str, patient_calls: None
) -> None:
    limiter = SharedLimiter(UpstashTransport(rest.url, TOKEN))
    await limiter.decide([Check(POLICY, subject)])
    await limiter.decide_many([[Check(POLICY, subject)], [Check(POLICY, subject)]])
    commands = [body[0] for path, body, _ in rest.requests if path == "/"]
    assert commands == ["EVALSHA", "EVAL", "EVALSHA"]
    assert not any(
        name.lower().startswith("upstash-telemetry")
        for _, _, headers in rest.requests
        for name in headers
    )
    await limiter.close()


@dataclass
class Scripted:
    """A store that answers as told, and counts how often it is asked."""

    failing: bool = False
    refusing_ms: int = 0
    calls: list[int] = field(default_factory=list)

    async def run(self, arguments: Arguments) -> object:
        decisions = int(arguments[1 + int(arguments[0])])
        self.calls.append(decisions)
        await asyncio.sleep(0)
        if self.failing:
            raise LimitStoreError("away")
        if self.refusing_ms:
            return " ".join([f"0 1 {self.refusing_ms} 0 {self.refusing_ms}"] * decisions)
        return " ".join(["1 0 0 5 100"] * decisions)

    async def close(self) -> None:
        return


async def test_a_known_refusal_is_not_asked_again(subject: str) -> None:
    store = Scripted(refusing_ms=50_000)
    limiter = SharedLimiter(store)
    first = await limiter.decide([Check(POLICY, subject, cost=2)])
    for _ in range(100):
        again = await limiter.decide([Check(POLICY, subject, cost=2)])
        assert not again.allowed
        assert again.retry_after_s <= first.retry_after_s
    assert len(store.calls) == 1
    # Less may still be admitted, looking is free, and giving back may end the refusal.
    await limiter.decide([Check(POLICY, subject, cost=1)])
    await limiter.decide([Check(POLICY, subject, cost=0)])
    await limiter.decide([Check(POLICY, subject, cost=-1)])
    await limiter.decide([Check(POLICY, subject, cost=2)])
    assert len(store.calls) == 5


async def test_the_circuit_opens_after_five_failures_and_closes_by_a_probe(subject: str) -> None:
    store = Scripted(failing=True)
    limiter = SharedLimiter(store)
    now = [100.0]
    changes: list[bool] = []
    limiter._breaker = CircuitBreaker(changes.append, clock=lambda: now[0])
    for _ in range(50):
        await limiter.decide([Check(POLICY, subject)])
    assert len(store.calls) == 5
    assert changes == [True]
    now[0] += 2.01
    for _ in range(10):
        await limiter.decide([Check(POLICY, subject)])
    assert len(store.calls) == 6
    store.failing = False
    now[0] += 2.01
    for _ in range(10):
        await limiter.decide([Check(POLICY, subject)])
    assert len(store.calls) == 16
    assert changes == [True, False]


def test_the_circuit_opens_when_half_of_twenty_fail() -> None:
    changes: list[bool] = []
    breaker = CircuitBreaker(changes.append, clock=lambda: 0.0)
    for i in range(20):
        assert changes == []
        (breaker.failed if i % 2 else breaker.succeeded)()
    assert changes == [True]


async def test_large_lists_are_cut_into_several_calls(subject: str) -> None:
    store = Scripted()
    limiter = SharedLimiter(store)
    verdicts = await limiter.decide_many([[Check(POLICY, f"{subject}-{i}")] for i in range(600)])
    assert len(verdicts) == 600
    assert store.calls == [250, 250, 100]
