"""What the server does not wait for, and how a connection ends."""

import asyncio
from threading import Event
from typing import Any

import pytest
from uvicorn.server import ServerState

from app.channels.waha import parse
from app.cli.commands.serve import configuration
from app.http import patient_protocol, webhooks
from app.http.direct import DirectProtocol
from app.messaging.ingest import routes
from app.messaging.ingest.group_commit import GroupCommit
from tenants import channels
from tests.edge.wire import ANSWER_S, Wire, chunked, request
from tests.fixtures.waha import encode
from tests.worlds import Api, Shop, World, eventually, signed

pytestmark = pytest.mark.anyio
PROBE = request("/healthz", [("Host", "x")], method="GET")


def event(shop: Shop, *, query: str = "", pieces: bool = False) -> bytes:
    raw = encode(shop.waha().message())
    how = ("Transfer-Encoding", "chunked") if pieces else ("Content-Length", str(len(raw)))
    headers = [("Host", "x"), how, *signed(shop.secret, raw).items()]
    return request(shop.path + query, headers, chunked(raw) if pieces else raw)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patient_protocol, "PATIENCE_S", 0.1)


async def ended(wire: Wire) -> bool:
    async with asyncio.timeout(ANSWER_S):
        return await wire.reader.read() == b""


async def test_a_request_that_does_not_arrive(api: Api, shop: Shop, impatient: None) -> None:
    await api.accept(shop, shop.waha().message())
    whole = event(shop)
    parts = [whole[:30], whole[:-9], event(shop, query="?a")[:-9], event(shop, pieces=True)[:-9]]

    async def assert_sent_off(part: bytes) -> None:
        async with Wire.open(api.port) as wire:
            answer = await wire.ask(part)
            assert (answer.status, answer.headers["connection"]) == (408, "close")
            assert await ended(wire)

    await asyncio.gather(*map(assert_sent_off, parts))


async def test_a_connection_that_says_nothing(api: Api, impatient: None) -> None:
    async with Wire.open(api.port) as silent, Wire.open(api.port) as empty:
        empty.writer.write(b"\r\n")
        assert await ended(silent)
        assert await ended(empty)


async def test_who_waits_for_us_or_rests_is_waited_for(
    api: Api, shop: Shop, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, flush = Event(), GroupCommit._flush  # the API has a loop of its own

    async def held(*arguments: Any) -> None:
        await asyncio.to_thread(gate.wait, ANSWER_S)
        await flush(*arguments)

    monkeypatch.setattr(GroupCommit, "_flush", held)
    async with Wire.open(api.port) as wire:
        waits = asyncio.create_task(wire.ask(event(shop)))
        await asyncio.sleep(0.3)
        gate.set()
        assert (await waits).status == 200
        await asyncio.sleep(0.3)
        assert (await wire.ask(event(shop))).status == 200


async def test_a_head_is_bounded_and_what_follows_it_is_not(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patient_protocol, "HEAD_BYTES_MAX", 1_000)
    async with Wire.open(api.port) as wire:
        answer = await wire.ask(b"GET /healthz HTTP/1.1\r\n" + b"a: b\r\n" * 200)
        assert (answer.status, answer.headers["connection"]) == (431, "close")
    large = request("/healthz", [("Host", "x"), ("Content-Length", "90000")], b"x" * 90_000)
    async with Wire.open(api.port) as wire:
        wire.writer.write(large + PROBE[:9])
        assert (await wire.ask(PROBE[9:])).status == 405
        assert (await wire.answer()).status == 200


@pytest.mark.parametrize("query", ["", "?a"])
async def test_who_sends_no_more_is_answered(api: Api, shop: Shop, query: str) -> None:
    await api.accept(shop, shop.waha().message())
    async with Wire.open(api.port) as wire:
        wire.writer.write(event(shop, query=query) + PROBE + event(shop))
        wire.writer.write_eof()
        assert [(await wire.answer()).status for _ in range(3)] == [200] * 3
        assert await ended(wire)


async def test_what_cannot_be_read_is_answered_last(api: Api, shop: Shop) -> None:
    await api.accept(shop, shop.waha().message())
    for bad in (
        b"no request\r\n\r\n",
        event(shop, pieces=True).replace(b"\r\n7\r\n", b"\r\n?\r\n", 1),
    ):
        async with Wire.open(api.port) as wire:
            wire.writer.write(event(shop) + PROBE + bad + PROBE)
            assert [(await wire.answer()).status for _ in range(3)] == [200, 200, 400]
            assert await ended(wire)


async def test_the_bodies_that_are_on_their_way_are_bounded(
    api: Api, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "READING_BYTES_MAX", 850_000)
    raw = encode(shop.waha().message("x" * 900_000))
    length = ("Content-Length", str(len(raw)))
    whole = request(shop.path, [("Host", "x"), length, *signed(shop.secret, raw).items()], raw)
    async with Wire.open(api.port) as first, Wire.open(api.port) as second:
        first.writer.write(whole[:-1])
        await first.writer.drain()

        async def is_reading() -> bool:
            return webhooks._Share._taken > 800_000

        await eventually(is_reading, "the first body is on its way")
        answer = await second.ask(whole)
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert (await api.deliver(shop, shop.waha().message())).status_code == 200
        assert (await first.ask(whole[-1:])).status == 200
    assert webhooks._Share._taken == 0
    assert (await api.deliver(shop, raw)).json()["status"] == "duplicate"


async def test_a_body_that_takes_long_to_read_holds_nobody_up(
    api: Api, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    await api.accept(shop, shop.waha().message())
    begun, gate, slowly = Event(), Event(), parse.parse_head

    def held(raw: bytes) -> Any:
        begun.set()
        gate.wait(ANSWER_S)
        return slowly(raw)

    monkeypatch.setattr(routes, "parse_head", held)
    monkeypatch.setattr(routes, "_ODD_BYTES_MAX", 60_000)
    deep = b'{"a":' + b"[" * 20_000 + b"]" * 20_000 + b"}"
    odd = asyncio.create_task(api.deliver(shop, deep))
    assert await asyncio.to_thread(begun.wait, ANSWER_S)
    assert (await api.deliver(shop, shop.waha().message())).status_code == 200
    assert (await api.deliver(shop, deep)).status_code == 503
    gate.set()
    assert (await odd).status_code == 200
    assert (await api.deliver(shop, deep[:-1])).status_code == 400


async def test_who_takes_nothing_of_an_answer_is_cut_off(impatient: None) -> None:
    ended = asyncio.Event()

    class Stuck(asyncio.Transport):
        def get_write_buffer_size(self) -> int:
            return 70_000

        def is_closing(self) -> bool:
            return False

        def abort(self) -> None:
            ended.set()

    app: Any = object()
    protocol = DirectProtocol(configuration("127.0.0.1", 0, app), ServerState(), {})
    protocol.connection_made(Stuck())
    protocol.pause_writing()
    async with asyncio.timeout(ANSWER_S):
        await ended.wait()
    protocol.connection_lost(OSError())


async def test_a_number_that_cannot_be_looked_up_in_time(
    world: World, api: Api, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels, "_LOOK_UP_S", 0.2)
    await world.run("begin")
    try:
        await world.run("lock table channels in access exclusive mode")
        answer = await api.deliver(shop, shop.waha().message())
    finally:
        await world.run("rollback")
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    await api.accept(shop, shop.waha().message())
