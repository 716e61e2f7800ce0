"""401: the signature covers the raw bytes, in one spelling, under one key."""

import hashlib
import hmac
import json
from collections.abc import Callable

import pytest

from tests.edge.wire import exchange, request
from tests.fixtures.waha import encode
from tests.worlds import Api, Shop, World, signed

pytestmark = pytest.mark.anyio
SHARED = "/api/webhooks/whatsapp"


async def assert_refused(
    world: World, api: Api, shop: Shop, raw: bytes, headers: dict[str, str]
) -> None:
    """Both doors answer 401 and nothing is written."""
    before = await world.snapshot()
    for path in (shop.path, SHARED):
        response = await api.post(path, raw, headers=headers)
        assert response.status_code == 401, path
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["code"] == "invalid_signature"
    assert await world.snapshot() == before


async def test_a_genuine_one_is_taken_at_each_door(world: World, api: Api, shop: Shop) -> None:
    own = await api.deliver(shop, shop.waha().message())
    raw = encode(shop.waha().message())
    shared = await api.post(SHARED, raw, secret=world.settings.waha_webhook_secret)
    assert (own.status_code, own.json()["status"]) == (200, "accepted")
    assert shared.status_code == 200


async def test_the_algorithm_may_be_left_unsaid(api: Api, shop: Shop) -> None:
    raw = encode(shop.waha().message())
    headers = {"X-Webhook-Hmac": signed(shop.secret, raw)["X-Webhook-Hmac"]}
    assert (await api.post(shop.path, raw, headers=headers)).status_code == 200


async def test_blanks_around_a_value_are_not_part_of_it(api: Api, shop: Shop) -> None:
    raw = encode(shop.waha().message())
    named = [(name, f"  {value} \t ") for name, value in signed(shop.secret, raw).items()]
    length = ("Content-Length", str(len(raw)))
    assert (await exchange(api.port, request(shop.path, [*named, length], raw))).status == 200


async def test_no_signature(world: World, api: Api, shop: Shop) -> None:
    await assert_refused(world, api, shop, encode(shop.waha().message()), {})


@pytest.mark.parametrize("algorithm", ["sha256", "SHA512", "none", "", "md5,sha512"])
async def test_another_algorithm(world: World, api: Api, shop: Shop, algorithm: str) -> None:
    raw = encode(shop.waha().message())
    before = await world.snapshot()
    for path, secret in (
        (shop.path, shop.secret),
        (SHARED, world.settings.waha_webhook_secret),
    ):
        headers = {"X-Webhook-Hmac-Algorithm": algorithm}
        assert (await api.post(path, raw, secret=secret, headers=headers)).status_code == 401
    assert await world.snapshot() == before


@pytest.mark.parametrize(
    "spell",
    [
        str.upper,
        lambda digest: digest[:1].upper() + digest[1:] if digest[0].isalpha() else "A" + digest[1:],
        lambda digest: digest[:-1],
        lambda digest: digest + "0",
        lambda digest: f"sha512={digest}",
        lambda _: "0" * 128,
        lambda _: "ａ" * 128,
        lambda _: "",
    ],
    ids=["upper", "mixed", "short", "long", "prefixed", "zeros", "fullwidth", "empty"],
)
async def test_another_spelling(
    world: World, api: Api, shop: Shop, spell: Callable[[str], str]
) -> None:
    raw = encode(shop.waha().message())
    for path, secret in (
        (shop.path, shop.secret),
        (SHARED, world.settings.waha_webhook_secret),
    ):
        before = await world.snapshot()
        digest = spell(signed(secret, raw)["X-Webhook-Hmac"]).encode()
        response = await api.http.post(path, content=raw, headers={b"X-Webhook-Hmac": digest})
        assert response.status_code == 401
        assert await world.snapshot() == before


async def test_a_body_changed_by_one_byte(world: World, api: Api, shop: Shop) -> None:
    raw = encode(shop.waha().message())
    headers = signed(shop.secret, raw)
    for changed in (raw[:-1], raw + b"\n", raw + b" ", raw.replace(b"Sunday", b"Sundaz"), b""):
        await assert_refused(world, api, shop, changed, headers)


async def test_a_body_serialised_again(world: World, api: Api, shop: Shop) -> None:
    raw = encode(shop.waha().message("Größe? 🥐"))
    again = json.dumps(json.loads(raw)).encode()
    await assert_refused(world, api, shop, again, signed(shop.secret, raw))


async def test_another_key(world: World, api: Api, shop: Shop) -> None:
    other = await world.open_shop()
    raw = encode(shop.waha().message())
    for key in (other.secret, shop.key, shop.secret.upper(), shop.secret + "\n"):
        await assert_refused(world, api, shop, raw, signed(key, raw))


async def test_the_doors_have_each_their_key(world: World, api: Api, shop: Shop) -> None:
    raw = encode(shop.waha().message())
    before = await world.snapshot()
    own = await api.post(shop.path, raw, secret=world.settings.waha_webhook_secret)
    shared = await api.post(SHARED, raw, secret=shop.secret)
    assert (own.status_code, shared.status_code) == (401, 401)
    assert await world.snapshot() == before


async def test_a_shorter_digest_or_a_signed_timestamp(world: World, api: Api, shop: Shop) -> None:
    raw = encode(shop.waha().message())
    for message, digest in ((raw, hashlib.sha256), (b"1795320635649." + raw, hashlib.sha512)):
        value = hmac.new(shop.secret.encode(), message, digest).hexdigest()
        await assert_refused(world, api, shop, raw, {"X-Webhook-Hmac": value})


async def test_the_signature_is_judged_before_the_json(api: Api, shop: Shop) -> None:
    assert (await api.post(shop.path, b"not json", secret="another")).status_code == 401
    assert (await api.post(shop.path, b"not json", secret=shop.secret)).status_code == 400
