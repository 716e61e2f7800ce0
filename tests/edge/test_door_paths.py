"""404, 405 and never a redirect: WAHA follows a 3xx with a GET, and takes its 200 for success."""

import pytest

from tests.edge.wire import exchange, request
from tests.fixtures.waha import encode
from tests.worlds import Api, Shop, World, eventually, signed, statuses

pytestmark = pytest.mark.anyio
SHARED = "/api/webhooks/whatsapp"


async def test_a_slash_at_the_end_is_the_same_place(world: World, api: Api, shop: Shop) -> None:
    own = await api.post(f"{shop.path}/", encode(shop.waha().message()), secret=shop.secret)
    shared = await api.post(
        f"{SHARED}/", encode(shop.waha().message()), secret=world.settings.waha_webhook_secret
    )
    refused = [await api.post(f"{path}/", b"{}") for path in (shop.path, SHARED)]
    assert statuses([own, shared]) == [200, 200]
    assert statuses(refused) == [401, 401]


async def test_a_query_changes_nothing(api: Api, shop: Shop) -> None:
    raw = encode(shop.waha().message())
    assert (await api.post(f"{shop.path}?x=/y", raw, secret=shop.secret)).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/webhooks/waha",
        "/webhooks/waha/",
        "/webhooks/waha//",
        "/webhooks/waha/unknown-key-of-nobody",
        "/webhooks/waha/x",
        "/webhooks/waha/{key}/more",
        "/webhooks/waha/{key}//",
        "/webhooks/waha/{key}/../{key}",
        "/webhooks/waha/./{key}",
        "/webhooks/waha//{key}",
        "/webhooks/waha/{key}%2F",
        "/webhooks/waha/{key}%00",
        "/webhooks/waha/{KEY}x",
        "/webhooks/wahax",
        "/webhooks/waha{key}",
        "/webhooks/wahax/{key}",
        "/webhooks/",
        "/api/webhooks/whatsapp/more",
        "/api/webhooks/whatsappx",
        "/api/webhooks/",
    ],
)
async def test_elsewhere_there_is_nothing(world: World, api: Api, shop: Shop, path: str) -> None:
    raw = encode(shop.waha().message())
    before = await world.snapshot()
    target = path.replace("{key}", shop.key).replace("{KEY}", shop.key)
    headers = [("Host", "x"), ("Content-Length", str(len(raw))), *signed(shop.secret, raw).items()]
    answer = await exchange(api.port, request(target, headers, raw))
    assert answer.status == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert await world.snapshot() == before


async def test_unknown_and_disabled_keys_have_one_answer(world: World, api: Api) -> None:
    closed = await world.open_shop()
    await world.run("update channels set enabled = false where id = $1", closed.channel_id)
    before = await world.snapshot()
    raw = encode(closed.waha().message())
    answers = [
        await api.post(path, raw, secret=closed.secret)
        for path in (closed.path, "/webhooks/waha/" + "k" * len(closed.key))
    ]
    known = [{k: v for k, v in a.json().items() if k != "requestId"} for a in answers]
    assert statuses(answers) == [404, 404]
    assert known[0] == known[1]
    assert await world.snapshot() == before


async def test_a_number_switched_off_is_refused_soon(world: World, api: Api, shop: Shop) -> None:
    assert (await api.deliver(shop, shop.waha().message())).status_code == 200
    await world.run("update channels set enabled = false where id = $1", shop.channel_id)

    async def refused() -> bool:
        return (await api.deliver(shop, shop.waha().message())).status_code == 404

    await eventually(refused, "the refusal")


async def test_the_shared_door_knows_sessions_only(world: World, api: Api, shop: Shop) -> None:
    secret = world.settings.waha_webhook_secret
    event = shop.waha().message()
    before = await world.snapshot()
    for session in ("nobody", "", None, 7, "../x", "a" * 200):
        response = await api.post(SHARED, encode({**event, "session": session}), secret=secret)
        assert response.status_code == 404, session
    assert await world.snapshot() == before


async def test_a_tenants_own_waha_is_not_behind_the_shared_door(
    world: World, api: Api, shop: Shop
) -> None:
    await world.run(
        "update channels set api_url = 'https://waha.example' where id = $1", shop.channel_id
    )
    raw = encode(shop.waha().message())
    response = await api.post(SHARED, raw, secret=world.settings.waha_webhook_secret)
    assert response.status_code == 404
    assert (await api.deliver(shop, raw)).status_code == 200


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
async def test_only_post(world: World, api: Api, shop: Shop, method: str) -> None:
    before = await world.snapshot()
    raw = encode(shop.waha().message())
    for path in (shop.path, SHARED, f"{shop.path}/", f"{SHARED}/"):
        response = await api.http.request(
            method, path, content=raw, headers=signed(shop.secret, raw)
        )
        assert response.status_code == 405, path
        assert response.headers["allow"] == "POST"
    assert await world.snapshot() == before


async def test_never_a_redirect(world: World, api: Api, shop: Shop) -> None:
    raw = encode(shop.waha().message())
    paths = ["", "/", "//", shop.path, f"/{shop.path}", f"{shop.path}//", SHARED, f"/{SHARED}//"]
    paths += ["/webhooks", "/webhooks/", "/webhooks/waha", "/webhooks/waha/", "//webhooks//waha//"]
    paths += ["/health/", "/healthz/", "/readyz/", "/metrics/", "/api/health/", "/api", "/api/"]
    paths += [shop.path.upper(), f"{shop.path}/.", f"{shop.path}/..", "/webhook/waha/x", "/%2e%2e/"]
    for path in paths:
        for method in ("POST", "GET", "HEAD", "PUT"):
            headers = [("Host", "x"), ("Content-Length", str(len(raw)))]
            data = request(path or "*", headers, raw, method=method)
            answer = await exchange(api.port, data)
            assert not 300 <= answer.status < 400, (method, path)
            assert "location" not in answer.headers


async def test_each_answer_has_an_id_of_ours(world: World, api: Api, shop: Shop) -> None:
    given = {"X-Request-Id": "req_given-by-a-stranger"}
    responses = [
        await api.post(shop.path, encode(shop.waha().message()), secret=shop.secret, headers=given),
        await api.post(shop.path, b"{}", headers=given),
        await api.post(shop.path + "x", b"{}", headers=given),
        await api.http.get(shop.path, headers=given),
    ]
    ids = [r.headers["x-request-id"] for r in responses]
    assert len(set(ids)) == 4
    assert all(i.startswith("req_") and i != given["X-Request-Id"] for i in ids)
    assert ids == [r.json()["requestId"] for r in responses]
    stored = await world.column(
        "select request_id from inbox where channel_id = $1", shop.channel_id
    )
    assert stored == ids[:1]
