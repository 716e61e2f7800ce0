"""The guarded session against real sockets: what the guard refuses opens no connection."""

import gzip
import ipaddress
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from app.core.config import Settings
from app.core.outbound import OutboundRefused, outbound_session, read_limited
from tests.core.outbound.test_addresses import FORBIDDEN_LITERALS

pytestmark = pytest.mark.anyio

LOOPBACK_OPEN = Settings(outbound_allow_cidrs=(ipaddress.ip_network("127.0.0.0/8"),))
CLOSED = Settings()


@dataclass
class Names(AbstractResolver):
    """Answers with what a test lists, one list a look-up; the last one stays."""

    answers: list[list[str]]
    asked: int = 0

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_INET,  # noqa: ARG002
    ) -> list[ResolveResult]:
        answer = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in answer
        ]

    async def close(self) -> None:
        return


@dataclass
class Server:
    port: int = 0
    hosts: list[str] = field(default_factory=list)
    connections: int = 0


@pytest.fixture
async def server(anyio_backend: str) -> AsyncIterator[Server]:
    seen = Server()

    async def handle(request: web.Request) -> web.StreamResponse:
        seen.hosts.append(request.headers["Host"])
        match request.path:
            case "/redirect":
                raise web.HTTPFound(request.query["to"])
            case "/large":
                return web.Response(body=b"x" * 100_000)
            case "/endless":
                response = web.StreamResponse()
                await response.prepare(request)
                for _ in range(50):
                    await response.write(b"x" * 10_000)
                return response
            case "/bomb":
                body = gzip.compress(b"\0" * 5_000_000)
                return web.Response(body=body, headers={"Content-Encoding": "gzip"})
            case _:
                return web.Response(text="hello", headers={"Set-Cookie": "a=b"})

    runner = web.AppRunner(web.Application())
    runner.app.router.add_get("/{tail:.*}", handle)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    seen.port = runner.addresses[0][1]
    yield seen
    await runner.cleanup()


@pytest.fixture
def connects(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Record every address this process connects a socket to."""
    made: list[Any] = []
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex

    def recording(self: socket.socket, address: Any) -> None:
        made.append(address)
        connect(self, address)

    def recording_ex(self: socket.socket, address: Any) -> int:
        made.append(address)
        return connect_ex(self, address)

    monkeypatch.setattr(socket.socket, "connect", recording)
    monkeypatch.setattr(socket.socket, "connect_ex", recording_ex)
    return made


async def test_the_whole_corpus_opens_no_connection(connects: list[Any]) -> None:
    async with outbound_session(CLOSED, guarded=True) as session:
        for host in FORBIDDEN_LITERALS:
            with pytest.raises(OutboundRefused):
                await session.get(f"http://{host}/")
    assert connects == []


async def test_the_socket_itself_refuses_when_the_url_check_is_taken_away(
    server: Server, connects: list[Any]
) -> None:
    async with outbound_session(CLOSED, guarded=True) as session:
        for host in ("127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1"):
            with pytest.raises((OutboundRefused, aiohttp.InvalidURL)):
                await session.get(f"http://{host}:{server.port}/", middlewares=())
    assert connects == []
    assert server.hosts == []


@pytest.mark.parametrize(
    "answer",
    [
        ["127.0.0.1"],
        ["8.8.8.8", "10.0.0.1"],
        ["169.254.169.254"],
        ["::ffff:127.0.0.1"],
        ["2606:4700:4700::1111", "::1"],
        ["not-an-address"],
        [],
    ],
)
async def test_a_name_is_refused_when_one_address_is_not_public(
    answer: list[str], connects: list[Any]
) -> None:
    async with outbound_session(CLOSED, guarded=True, resolver=Names([answer])) as session:
        with pytest.raises(OutboundRefused, match="address"):
            await session.get("http://rebind.example.org/")
    assert connects == []


async def test_a_name_that_changes_its_mind_is_refused_at_its_second_answer(
    server: Server, connects: list[Any]
) -> None:
    names = Names([["127.0.0.1"], ["127.0.0.1"], ["10.0.0.1"]])
    async with outbound_session(LOOPBACK_OPEN, guarded=True, resolver=names) as session:
        url = f"http://rebind.example.org:{server.port}/"
        async with session.get(url) as response:
            assert await response.text() == "hello"
        assert names.asked == 1  # resolved once, connected to that answer
        await session.connector.close()  # type: ignore[union-attr]
    async with (
        outbound_session(LOOPBACK_OPEN, guarded=True, resolver=names) as session,
        session.get(url) as response,
    ):
        assert response.status == 200
    async with outbound_session(LOOPBACK_OPEN, guarded=True, resolver=names) as session:
        with pytest.raises(OutboundRefused):
            await session.get(url)
    assert {address[0] for address in connects} == {"127.0.0.1"}


async def test_host_header_and_operator_network(server: Server) -> None:
    names = Names([["127.0.0.1"]])
    async with outbound_session(LOOPBACK_OPEN, guarded=True, resolver=names) as session:
        async with session.get(f"http://waha.internal:{server.port}/") as response:
            assert response.status == 200
        assert len(session.cookie_jar) == 0
    assert server.hosts == [f"waha.internal:{server.port}"]


async def test_a_public_address_at_another_port_is_refused(connects: list[Any]) -> None:
    names = Names([["8.8.8.8"]])
    async with outbound_session(LOOPBACK_OPEN, guarded=True, resolver=names) as session:
        with pytest.raises(OutboundRefused):
            await session.get("http://redis.example.org:6379/")
    assert connects == []


@pytest.mark.parametrize("guarded", [True, False])
async def test_redirects_are_not_followed(server: Server, guarded: bool) -> None:
    base = f"http://127.0.0.1:{server.port}"
    async with outbound_session(LOOPBACK_OPEN, guarded=guarded) as session:
        with pytest.raises(OutboundRefused, match="redirect"):
            await session.get(f"{base}/redirect?to={base}/secret")
        async with session.get(
            f"{base}/redirect?to=http://169.254.169.254/", allow_redirects=False
        ) as response:
            assert response.status == 302
    assert len(server.hosts) == 2


async def test_an_unguarded_session_reaches_private_addresses(server: Server) -> None:
    async with outbound_session(CLOSED, guarded=False) as session:
        assert session.timeout.total == 30
        assert not session.trust_env
        async with session.get(f"http://127.0.0.1:{server.port}/") as response:
            assert await read_limited(response, 5) == b"hello"


@pytest.mark.parametrize("path", ["large", "endless", "bomb"])
async def test_bodies_are_capped(server: Server, path: str) -> None:
    async with (
        outbound_session(LOOPBACK_OPEN, guarded=True) as session,
        session.get(f"http://127.0.0.1:{server.port}/{path}") as response,
    ):
        with pytest.raises(OutboundRefused, match="too_large"):
            await read_limited(response, 99_999)
        assert response.closed


async def test_a_body_at_the_limit_is_read(server: Server) -> None:
    async with (
        outbound_session(LOOPBACK_OPEN, guarded=True) as session,
        session.get(f"http://127.0.0.1:{server.port}/large") as response,
    ):
        assert len(await read_limited(response, 100_000)) == 100_000
