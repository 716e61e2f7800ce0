"""A number's plain events go past ASGI, everything else the usual way, with the same answers."""

import asyncio
import json
from threading import Event
from typing import Any

import pytest

from app.core.errors import UnavailableError
from app.http.direct import DirectProtocol
from app.messaging.ingest.group_commit import GroupCommit
from app.messaging.ingest.routes import WebhookDoor
from tests.edge.wire import ANSWER_S, Wire, chunked, exchange, request
from tests.fixtures.waha import encode
from tests.worlds import Api, Shop, World, eventually, signed

pytestmark = pytest.mark.anyio


@pytest.fixture
async def usual(api: Api, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths that came by ASGI from now on; the number is one that the door knows."""
    await api.accept(shop, shop.waha().message())
    came: list[str] = []
    answer = WebhookDoor._answer

    async def counted(self: Any, scope: Any, receive: Any, send: Any, *, shared: bool) -> None:
        came.append(scope["path"])
        await answer(self, scope, receive, send, shared=shared)

    monkeypatch.setattr(WebhookDoor, "_answer", counted)
    return came


def event(shop: Shop, *more: tuple[str, str]) -> bytes:
    raw = encode(shop.waha().message())
    headers = [("Host", "x"), *signed(shop.secret, raw).items(), *more]
    return request(shop.path, [*headers, ("Content-Length", str(len(raw)))], raw)


async def test_a_plain_event_needs_no_asgi(api: Api, shop: Shop, usual: list[str]) -> None:
    raw = encode(shop.waha().message())
    answers = [await api.deliver(shop, raw) for _ in range(2)]
    assert [a.json()["status"] for a in answers] == ["accepted", "duplicate"]
    assert usual == []
    assert answers[0].headers["x-request-id"] == answers[0].json()["requestId"]
    assert answers[0].headers["content-type"] == "application/json"


async def test_what_is_not_plain_goes_the_usual_way(api: Api, shop: Shop, usual: list[str]) -> None:
    raw = encode(shop.waha().message())
    host, length = ("Host", "x"), ("Content-Length", str(len(raw)))
    good = list(signed(shop.secret, raw).items())
    pieces = request(shop.path, [host, *good, ("Transfer-Encoding", "chunked")], chunked(raw))
    closing = event(shop, ("Connection", "close"))
    older = event(shop).replace(b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", 1)
    twice = event(shop, ("X-Webhook-Hmac", "0" * 128))
    padded = event(shop).replace(b"Content-Length: ", b"Content-Length: 000000000000", 1)
    asking = event(shop).replace(shop.path.encode(), f"{shop.path}?a=b".encode(), 1)
    forged = request(shop.path, [host, length, *signed("another secret", raw).items()], raw)
    nonsense = b"[1]"
    list_ = request(
        shop.path, [host, ("Content-Length", "3"), *signed(shop.secret, nonsense).items()], nonsense
    )
    sent = (pieces, closing, older, twice, padded, asking, forged, list_)
    statuses = [(await exchange(api.port, data)).status for data in sent]
    assert statuses == [200, 200, 200, 200, 200, 200, 401, 400]
    assert len(usual) == len(statuses)


async def test_an_event_in_small_pieces_is_one_event(
    api: Api, shop: Shop, usual: list[str]
) -> None:
    data = event(shop)
    async with Wire.open(api.port) as wire:
        for start in range(0, len(data) - 100, 100):
            wire.writer.write(data[start : start + 100])
            await wire.writer.drain()
            await asyncio.sleep(0)
        last = data[len(data) - (len(data) - 1) % 100 - 1 :]
        answer = await wire.ask(last)
    assert answer.status == 200
    assert usual == []


async def test_requests_behind_each_other_are_answered_in_order(
    api: Api, shop: Shop, usual: list[str]
) -> None:
    probe = request("/healthz", [("Host", "x")], method="GET")
    async with Wire.open(api.port) as wire, asyncio.timeout(ANSWER_S):
        first = await wire.ask(event(shop) + probe + event(shop) + event(shop) + probe)
        others = [await wire.ask(b"") for _ in range(4)]
        bodies = [json.loads(a.body) for a in (first, *others)]
        assert [b.get("status") for b in bodies] == [
            "accepted", bodies[1]["status"], "accepted", "accepted", bodies[4]["status"],
        ]  # fmt: skip
        assert ["requestId" in b for b in bodies] == [True, False, True, True, False]
        # The connection is as good as new.
        assert (await wire.ask(event(shop))).status == 200


async def test_who_hangs_up_loses_nothing_and_disturbs_nobody(
    world: World, api: Api, shop: Shop, usual: list[str]
) -> None:
    before = len(await world.outcomes(shop))
    async with Wire.open(api.port) as wire:
        wire.writer.write(event(shop))
        await wire.writer.drain()

    async def stored() -> bool:
        return len(await world.outcomes(shop)) == before + 1

    await eventually(stored, "the event of who hung up")
    assert (await api.deliver(shop, shop.waha().message())).status_code == 200


async def test_who_is_cut_off_behind_two_requests_disturbs_nobody(
    api: Api, shop: Shop, usual: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    came, gone, gate = Event(), Event(), Event()  # the API has a loop of its own
    flush, made = GroupCommit._flush, DirectProtocol.connection_made
    lost = DirectProtocol.connection_lost
    ends: list[BaseException | None] = []
    protocols: list[DirectProtocol] = []

    async def held(*arguments: Any) -> None:
        came.set()
        await asyncio.to_thread(gate.wait, ANSWER_S)
        try:
            await flush(*arguments)
        except BaseException as error:
            ends.append(error)
            raise
        ends.append(None)

    def kept(protocol: DirectProtocol, transport: Any) -> None:
        protocols.append(protocol)
        made(protocol, transport)

    def told(*arguments: Any) -> None:
        lost(*arguments)
        gone.set()

    monkeypatch.setattr(GroupCommit, "_flush", held)
    monkeypatch.setattr(DirectProtocol, "connection_made", kept)
    monkeypatch.setattr(DirectProtocol, "connection_lost", told)
    probe = request("/healthz", [("Host", "x")], method="GET")
    async with Wire.open(api.port) as wire:
        wire.writer.write(event(shop) + probe)
        assert await asyncio.to_thread(came.wait, ANSWER_S)
        cut: DirectProtocol = protocols[0]
        cut.loop.call_soon_threadsafe(cut.transport.abort)
        assert await asyncio.to_thread(gone.wait, ANSWER_S)
        gate.set()
        assert (await api.deliver(shop, shop.waha().message())).status_code == 200

    async def both_ended() -> bool:
        return len(ends) == 2

    # The answer is out before its batch has ended.
    await eventually(both_ended, "both batches ended")
    assert ends == [None, None], "others of the batch were answered too, and the bell was rung"


async def test_what_is_not_durable_is_refused_here_too(
    api: Api, shop: Shop, usual: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: Any) -> None:
        raise UnavailableError("the database is away", retry_after_s=3)

    monkeypatch.setattr(GroupCommit, "_flush", away)
    answer = await api.deliver(shop, shop.waha().message())
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "3")
    assert answer.json()["code"] == "unavailable"
    assert answer.headers["content-type"] == "application/problem+json"
    assert usual == []
