"""The life of a number's session: paired, expired, logged out, restarted, lost, removed."""

import json

import pytest

from app.messaging.numbers.reading import NumberState
from tests.numbers.conftest import DEVICE, Counter
from tests.persons import person_of
from tests.worlds import Shop

pytestmark = pytest.mark.anyio


async def test_connecting_makes_a_session_as_the_contract_says(counter: Counter, shop: Shop):
    channel_id = await counter.connect(shop)
    number = await counter.until(shop, channel_id, NumberState.SCAN_QR)
    config = (await counter.session(number))["config"]
    (hook,) = config["webhooks"]
    assert hook["url"] == f"{counter.settings.app_url}/webhooks/waha/{number.key}"
    assert hook["retries"] == {"policy": "exponential", "delaySeconds": 2, "attempts": 15}
    assert len(hook["hmac"]["key"]) == 64
    assert all(config["ignore"][kind] for kind in ("status", "groups", "channels", "broadcast"))
    shown = await counter.pairing.now(person_of(shop.tenant_id), channel_id)
    assert shown.qr is not None
    assert shown.qr.startswith("2@")
    await counter.scan(number)
    number = await counter.until(shop, channel_id, NumberState.WORKING)
    assert (number.phone, number.own_name) == ("12025550123", "Business phone")
    assert number.connected_at is not None
    (consent,) = await counter.world.all(
        "select * from consents where tenant_id = $1", shop.tenant_id
    )
    assert (consent["kind"], consent["version"]) == ("whatsapp_number", "2026-11")
    actions = await counter.world.column(
        "select action from audit_log where tenant_id = $1", shop.tenant_id
    )
    assert "channel.create" in actions


async def test_six_codes_expire_and_a_new_one_can_be_had(counter: Counter, shop: Shop):
    await counter.outside.post("/_sim/clock", {"pairing_scale": 0.0005})
    channel_id = await counter.connect(shop)
    await counter.until(shop, channel_id, NumberState.EXPIRED)
    hooks = (await counter.outside.get("/_sim/webhooks"))["webhooks"]
    number = await counter.of(shop, channel_id)
    told = [h["event"] for h in hooks if h["session"] == number.session]
    assert told.count("session.status") == 8  # STARTING, six codes, FAILED
    await counter.outside.post("/_sim/clock", {"pairing_scale": 1})
    await counter.numbers.reconnect(person_of(shop.tenant_id), channel_id, DEVICE)
    await counter.until(shop, channel_id, NumberState.SCAN_QR)


async def test_a_pairing_code_and_passkeys(counter: Counter, shop: Shop):
    person, channel_id = person_of(shop.tenant_id), await counter.connect(shop)
    number = await counter.until(shop, channel_id, NumberState.SCAN_QR)
    code = await counter.pairing.request_code(person, channel_id, "+1 (202) 555-0123", DEVICE)
    assert len(code) == 9
    await counter.scan(number, passkey="confirm")
    await counter.until(shop, channel_id, NumberState.PASSKEY)
    key = {"id": "a", "rawId": "a", "type": "public-key", "response": {"signature": "s"}}
    path = f"/api/{number.session}/auth/passkey"
    headers = {"X-Api-Key": "the key"}
    asked = (await counter.outside.http.get(f"{path}/challenge", headers=headers)).json()
    assert asked["rpId"] == "web.whatsapp.com"
    await counter.outside.http.post(path, json=key, headers=headers)
    await counter.until(shop, channel_id, NumberState.PASSKEY_CODE)
    shown = await counter.pairing.now(person, channel_id)
    assert shown.passkey_code is not None
    assert len(shown.passkey_code) == 4
    await counter.pairing.confirm_passkey(person, channel_id, DEVICE)
    await counter.until(shop, channel_id, NumberState.WORKING)


@pytest.mark.parametrize(
    ("keep", "state"), [("sessions", NumberState.WORKING), ("nothing", NumberState.LOGGED_OUT)]
)
async def test_a_waha_that_lost_its_memory_is_mended(
    counter: Counter, shop: Shop, keep: str, state: NumberState
):
    number = await counter.connected(shop)
    before = (await counter.session(number))["config"]
    await counter.outside.post("/_sim/restart", {"keep": keep})
    assert not (await counter.session(number)).get("config")
    await counter.tend()
    assert (await counter.session(number))["config"] == before
    await counter.until(shop, number.id, state)


async def test_a_phone_that_logged_out_is_down_until_it_is_back(counter: Counter, shop: Shop):
    number = await counter.connected(shop)
    await counter.numbers.log_out(person_of(shop.tenant_id), number.id, DEVICE)
    number = await counter.until(shop, number.id, NumberState.LOGGED_OUT)
    assert number.down_since is not None
    await counter.scan(number)
    number = await counter.until(shop, number.id, NumberState.WORKING)
    assert number.down_since is None


async def test_pausing_stops_and_reconnecting_starts(counter: Counter, shop: Shop):
    number = await counter.connected(shop)
    await counter.numbers.pause(person_of(shop.tenant_id), number.id, DEVICE)
    assert (await counter.session(number))["status"] == "STOPPED"
    paused = await counter.of(shop, number.id)
    assert (paused.state, paused.down_since) == (NumberState.PAUSED, None)
    await counter.tend()
    assert (await counter.session(number))["status"] == "STOPPED"
    await counter.numbers.reconnect(person_of(shop.tenant_id), number.id, DEVICE)
    await counter.until(shop, number.id, NumberState.WORKING)


async def test_what_stopped_or_failed_by_itself_is_started_again(counter: Counter, shop: Shop):
    number = await counter.connected(shop)
    for status in ("STOPPED", "FAILED"):
        path = f"/_sim/sessions/{number.session}/status"
        await counter.outside.post(path, {"status": status})
        await counter.tend()
        await counter.until(shop, number.id, NumberState.WORKING)


async def test_removing_closes_the_door_and_ends_the_session(counter: Counter, shop: Shop):
    number = await counter.connected(shop)
    await counter.outside.fault("waha", f"/api/sessions/{number.session}", status=503)
    await counter.numbers.remove(person_of(shop.tenant_id), number.id, DEVICE)
    assert await counter.session(number), "WAHA was away"
    await counter.tend()
    assert not await counter.session(number)
    row = await counter.world.one("select enabled, status from channels where id = $1", number.id)
    assert (row["enabled"], row["status"]) == (False, "REMOVED")
    assert await counter.numbers.all_of(person_of(shop.tenant_id)) != []  # the shop's first number


async def test_a_business_that_closes_has_its_session_stopped_and_ended(
    counter: Counter, shop: Shop
):
    number = await counter.connected(shop)
    close = (
        "update tenants set status = 'closing', erase_due_at = now() + make_interval(days => $2)"
        " where id = $1"
    )
    await counter.world.run(close, shop.tenant_id, 20)
    await counter.tend()
    assert (await counter.session(number))["status"] == "STOPPED"
    await counter.world.run(close, shop.tenant_id, 0)
    await counter.tend()
    assert not await counter.session(number)
    await counter.world.run("update tenants set status = 'active', erase_due_at = null")
    await counter.numbers.reconnect(person_of(shop.tenant_id), number.id, DEVICE)
    await counter.until(shop, number.id, NumberState.LOGGED_OUT)


async def test_unknown_words_and_old_news_do_no_harm(counter: Counter, shop: Shop):
    number = await counter.connected(shop)
    row = await counter.world.one("select status_ms from channels where id = $1", number.id)
    path = f"/_sim/sessions/{number.session}/status"
    await counter.outside.post(path, {"status": "PASSKEY_REQUIRED"})
    await counter.until(shop, number.id, NumberState.PASSKEY)
    await counter.world.run(
        "update channels set status_ms = $2 where id = $1", number.id, row["status_ms"] + 10**9
    )
    await counter.outside.post(path, {"status": "FAILED"})
    hooks = (await counter.outside.get("/_sim/webhooks"))["webhooks"]
    assert json.dumps(hooks).count(number.session) > 4
    await counter.world.drain()
    assert (await counter.of(shop, number.id)).status == "PASSKEY_REQUIRED"
