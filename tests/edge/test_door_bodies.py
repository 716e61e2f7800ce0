"""400, 413, 415, and the odd bodies that are taken all the same."""

import gzip
from collections.abc import AsyncIterator

import pytest

from tests.edge.wire import chunked, exchange, request
from tests.fixtures.waha import encode
from tests.worlds import Api, Shop, World, signed, without

pytestmark = pytest.mark.anyio
SHARED = "/api/webhooks/whatsapp"
MIB = 1 << 20


def doors(world: World, shop: Shop) -> list[tuple[str, str]]:
    """Both doors with their keys."""
    return [(shop.path, shop.secret), (SHARED, world.settings.waha_webhook_secret)]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b" ",
        b"not json",
        b"null",
        b"[]",
        b'[{"event":"message"}]',
        b'"message"',
        b"7",
        b'{"event":"message"',
        b'{"event":"message"}}',
        b'{"event":"message"}{}',
        b"{'event':'message'}",
        b'{"event":"message",}',
        b'{"event":"\xff"}',
        b'{"event":"\xc3"}',
        b'{"event":"\xed\xa0\x80"}',
        '{"event":"message"}'.encode("utf-16"),
        b'\xef\xbb\xbf{"event":"message"}',
        b'{"payload":NaN}',
        b'{"payload":Infinity}',
        b'{"payload":-Infinity}',
        b'{"payload":01}',
        b'{"payload":"a\nb"}',
        b'{"payload":"\\x41"}',
        b'{"a":1}\x00',
        b'{"a":' * 40_000 + b"1",
        b"[" * 100_000 + b"]" * 100_000,
    ],
)
async def test_a_signed_body_that_is_no_json_object(
    world: World, api: Api, shop: Shop, raw: bytes
) -> None:
    before = await world.snapshot()
    for path, secret in doors(world, shop):
        response = await api.post(path, raw, secret=secret)
        assert response.status_code == 400
        assert response.json()["code"] == "malformed"
    assert await world.snapshot() == before


@pytest.mark.parametrize(
    "raw",
    [
        b"{}",
        b' \r\n\t{"a":1}\n',
        b'{"event":null,"session":null,"payload":null}',
        b'{"event":{"a":1},"id":[],"me":7,"environment":"x"}',
        b'{"event":"message","payload":[]}',
        b'{"event":"\\u0000","id":"\\ud800"}',
        b'{"n":1e400,"m":' + b"9" * 5_000 + b"}",
        b'{"a":1,"a":2}',
        b'{"a":' * 2_000 + b"{}" + b"}" * 2_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b'{"id":"' + b"x" * 500_000 + b'"}',
    ],
)
async def test_any_json_object_is_stored_and_ignored(
    world: World, api: Api, shop: Shop, raw: bytes
) -> None:
    response = await api.post(shop.path, raw, secret=shop.secret)
    assert (response.status_code, response.json()["status"]) == (200, "accepted")
    stored = await world.column("select body from inbox where channel_id = $1", shop.channel_id)
    assert stored == [raw]
    await world.drain()
    (outcome,) = await world.outcomes(shop)
    assert outcome.startswith("ignored_kind:")
    assert await world.messages(shop) == []


async def test_a_body_of_another_session_is_ignored(world: World, api: Api, shop: Shop) -> None:
    neighbour = await world.open_shop()
    before = await world.snapshot()
    response = await api.deliver(shop, neighbour.waha().message())
    assert (response.status_code, response.json()["status"]) == (200, "ignored")
    assert await world.snapshot() == before


async def test_a_body_without_session_belongs_to_the_url(
    world: World, api: Api, shop: Shop
) -> None:
    await api.accept(shop, without(shop.waha().message(), "session"))
    await world.drain()
    assert await world.outcomes(shop) == ["turn"]


async def test_only_the_event_session_and_payload_are_needed(
    world: World, api: Api, shop: Shop
) -> None:
    body = shop.waha().message()
    await api.accept(
        shop, without(body, "id", "timestamp", "me", "metadata", "engine", "environment")
    )
    await world.drain()
    assert await world.outcomes(shop) == ["turn"]


@pytest.mark.parametrize("size", [MIB + 1, 3 * MIB])
async def test_above_one_mebibyte(world: World, api: Api, shop: Shop, size: int) -> None:
    before = await world.snapshot()
    raw = b'{"a":"' + b"x" * (size - 8) + b'"}'
    for path, secret in doors(world, shop):
        told = await api.post(path, raw, secret=secret)
        unsigned = await api.post(path, raw)
        in_chunks = await api.http.post(path, content=_pieces(raw), headers=signed(secret, raw))
        answers = (told, unsigned, in_chunks)
        assert [a.status_code for a in answers] == [413, 413, 413]
        assert told.json()["code"] == "too_large"
    assert await world.snapshot() == before


async def _pieces(raw: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(raw), 65_536):
        yield raw[start : start + 65_536]


async def test_a_told_length_is_enough_to_refuse(api: Api, shop: Shop) -> None:
    for length in (str(MIB + 1), "9" * 18):
        headers = [("Host", "x"), ("Content-Length", length)]
        answer = await exchange(api.port, request(shop.path, headers, b'{"a":'))
        assert answer.status == 413
        assert answer.headers["connection"] == "close"


async def test_exactly_one_mebibyte_is_taken(api: Api, shop: Shop) -> None:
    raw = b'{"a":"' + b"x" * (MIB - 8) + b'"}'
    assert len(raw) == MIB
    assert (await api.post(shop.path, raw, secret=shop.secret)).status_code == 200


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "gzip, identity", "x"])
async def test_a_compressed_body(world: World, api: Api, shop: Shop, encoding: str) -> None:
    before = await world.snapshot()
    raw = gzip.compress(encode(shop.waha().message()))
    for path, secret in doors(world, shop):
        headers = {"Content-Encoding": encoding}
        response = await api.post(path, raw, secret=secret, headers=headers)
        assert response.status_code == 415
    assert await world.snapshot() == before


async def test_identity_is_no_compression(api: Api, shop: Shop) -> None:
    headers = {"Content-Encoding": "Identity"}
    raw = encode(shop.waha().message())
    response = await api.post(shop.path, raw, secret=shop.secret, headers=headers)
    assert response.status_code == 200


async def test_chunked_and_without_a_content_type(world: World, api: Api, shop: Shop) -> None:
    for path, secret in doors(world, shop):
        raw = encode(shop.waha().message("Größe 🥐"))
        signature = signed(secret, raw)["X-Webhook-Hmac"]
        headers = [("Host", "x"), ("X-Webhook-Hmac", signature), ("Transfer-Encoding", "chunked")]
        answer = await exchange(api.port, request(path, headers, chunked(raw)))
        assert answer.status == 200


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "nonsense"])
async def test_the_content_type_is_not_looked_at(api: Api, shop: Shop, kind: str) -> None:
    raw = encode(shop.waha().message())
    response = await api.post(shop.path, raw, secret=shop.secret, headers={"Content-Type": kind})
    assert response.status_code == 200
