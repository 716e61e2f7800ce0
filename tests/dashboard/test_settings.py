"""Keys, exports, closing and notices over HTTP; links to exports open for a while only."""

import gzip
import re
from uuid import UUID, uuid4

import pyotp
import pytest

from app.core.crypto import SecretRef
from tenants import business_export, download_links
from tests.dashboard.browsing import Browsing
from tests.isolation.callers import MARK, Callers
from tests.worlds import World

pytestmark = pytest.mark.anyio


async def test_a_key_is_shown_once_and_revoked(world: World, owner: Browsing, callers: Callers):
    made = await owner.send(
        "/settings/keys", "/settings/keys", name="Web shop", scope_read="yes", days="90"
    )
    (key,) = re.findall(r"pk_live_\w{63}", made.text)
    assert made.headers["cache-control"] == "no-store"
    listed = await owner.get("/settings/keys")
    assert "Web shop" in listed.text
    assert key not in listed.text
    api = await owner.get("/api/v1/me", Authorization=f"Bearer {key}")
    assert api.status_code == 200
    row = await world.one("select id from api_keys where name = 'Web shop'")
    gone = await owner.send("/settings/keys", f"/settings/keys/{row['id']}/revoke")
    assert gone.headers["location"] == "/settings/keys"
    assert (await owner.get("/api/v1/me", Authorization=f"Bearer {key}")).status_code == 401
    assert "1 key that ended" in (await owner.get("/settings/keys")).text


@pytest.mark.parametrize("form", [{"name": "X", "days": "90"}, {"scope_read": "yes", "days": "90"},
                                  {"name": "X", "scope_read": "yes", "days": "7"}])  # fmt: skip
async def test_a_key_without_what_it_needs_is_refused(owner: Browsing, form: dict[str, str]):
    refused = await owner.send("/settings/keys", "/settings/keys", **form)
    assert refused.status_code == 400
    assert 'id="made-key"' not in refused.text


async def test_an_export_is_prepared_and_downloaded_by_a_link(
    world: World, owner: Browsing, stranger: Browsing, callers: Callers
):
    asked = await owner.send("/settings/data", "/settings/data/export")
    assert asked.headers["location"] == "/settings/data"
    assert 'hx-trigger="every 2s"' in (await owner.get("/settings/data")).text
    again = await owner.send("/settings/data", "/settings/data/export")
    assert "being prepared already" in again.text
    written = 1
    while written:
        async with world.db.system() as connection:
            written = await business_export.step(connection, world.settings)
    page = (await owner.get("/settings/data")).text
    assert "every 2s" not in page
    path = re.findall(r"/settings/data/exports/[0-9a-f-]{36}", page)[0]
    link = (await owner.get(path)).headers["location"]
    # The link alone opens nothing: it stays behind in histories and logs.
    assert (await stranger.get(link)).headers["location"].startswith("/login?next=")
    file = await owner.get(link)
    assert file.status_code == 200
    assert MARK in gzip.decompress(file.content).decode()
    actions = await world.column("select action from audit_log where action like 'business.e%'")
    assert {"business.export", "business.export_download"} <= set(actions)
    changed = link[:-1] + ("0" if link[-1] != "0" else "1")
    assert (await owner.get(changed)).status_code == 404


async def test_a_link_runs_out(
    world: World, owner: Browsing, monkeypatch: pytest.MonkeyPatch, callers: Callers
):
    monkeypatch.setattr(download_links, "LIFETIME_S", -1)
    tenant_id: UUID = callers.victim.tenant_id
    token = download_links.sign(world.settings.secret_keys, "business_export", tenant_id, uuid4())
    answer = await owner.get(f"/exports/{token}")
    assert answer.status_code == 404


async def test_closing_the_business_and_changing_ones_mind(
    world: World, owner: Browsing, callers: Callers
):
    closed = await owner.send("/settings/data", "/settings/data/close")
    assert closed.headers["location"] == "/settings/data"
    assert "The business is being closed" in (await owner.get("/settings/data")).text
    twice = await owner.send("/settings/data", "/settings/data/close")
    assert twice.status_code == 409
    await owner.send("/settings/data", "/settings/data/reopen")
    row = await world.one("select status from tenants where id = $1", callers.victim.tenant_id)
    assert row["status"] == "active"


async def test_choosing_what_one_is_told(world: World, owner: Browsing, callers: Callers):
    here = "/account/notifications"
    assert (await owner.get(here)).text.count(" checked") == 3
    saved = await owner.send(here, here, handover="yes")
    assert saved.headers["location"] == here
    assert (await owner.get(here)).text.count(" checked") == 1
    await owner.send(here, here, handover="yes", number_down="yes", credits="yes")


async def test_a_phone_needs_a_number_that_whatsapp_reaches(owner: Browsing):
    wrong = await owner.send("/account/phone", "/account/phone", phone="12")
    assert wrong.status_code == 400
    away = await owner.send("/account/phone", "/account/phone", phone="+351 912 345 678")
    assert away.status_code >= 500
    assert "WhatsApp did not take the message" in away.text


async def test_a_fresh_proof_takes_a_code_of_the_authenticator(
    world: World, owner: Browsing, callers: Callers
):
    seed = pyotp.random_base32()
    user = await world.one("select id from users where email = 'victim@example.org'")
    sealed = world.settings.keyring().encrypt(seed, SecretRef("users", "totp_secret", user["id"]))
    await world.run(
        "update users set totp_secret = $1, totp_confirmed_at = now() where id = $2",
        sealed, user["id"],
    )  # fmt: skip
    await world.run(
        "update login_sessions set confirmed_at = now() - interval '1 hour' where user_id = $1",
        user["id"],
    )
    try:
        asked = await owner.send("/settings/data", "/settings/data/export")
        assert asked.headers["location"] == "/confirm?next=/home"
        page = await owner.get("/confirm")
        assert 'autocomplete="one-time-code"' in page.text
        wrong = await owner.send("/confirm", "/confirm", code="000000", next="/settings/data")
        assert wrong.status_code == 401
        right = await owner.send(
            "/confirm", "/confirm", code=pyotp.TOTP(seed).now(), next="/settings/data"
        )
        assert right.headers["location"] == "/settings/data"
        # The proof gave the session another token; the tests after this one have it too.
        callers.owner["Cookie"] = right.headers["set-cookie"].partition(";")[0]
    finally:
        await world.run("update users set totp_secret = null, totp_confirmed_at = null")
