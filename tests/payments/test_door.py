"""Stripe's door: signed or refused, stored or 503, one row an event."""

import asyncio
import json
import time
from dataclasses import replace
from typing import Any
from uuid import uuid4

import httpx
import pytest

from app.core.db.engine import Database
from app.core.limits.limiter import build_limiter
from billing.payments.door import PATH, StripeDoor
from billing.payments.events import KEEP_DAYS, prune
from simulator.stripe.webhooks import sign
from tests.payments.conftest import SECRET, Door
from tests.worlds import World, open_api

pytestmark = pytest.mark.anyio


def event(kind: str = "invoice.paid", ref: str = "in_1", event_id: str | None = None) -> bytes:
    body = {"id": event_id or f"evt_{uuid4().hex}", "type": kind, "data": {"object": {"id": ref}}}
    return json.dumps(body).encode()


async def post(door: Door, raw: bytes, signature: str | None = None) -> httpx.Response:
    signature = sign(SECRET, raw, int(time.time())) if signature is None else signature
    headers = {"Stripe-Signature": signature, "Content-Type": "application/json"}
    async with httpx.AsyncClient(timeout=15) as client:
        return await client.post(door.url, content=raw, headers=headers)


async def stored(world: World, raw: bytes) -> list[dict[str, Any]]:
    return await world.all("select * from stripe_events where id = $1", json.loads(raw)["id"])


async def test_a_signed_event_is_stored_before_the_answer_and_rings(door: Door, world: World):
    raw = event()
    door.bell.rings.clear()
    answer = await post(door, raw)
    assert (answer.status_code, answer.json()["status"]) == (200, "accepted")
    (row,) = await stored(world, raw)
    assert (row["state"], row["object_ref"]) == ("pending", "in_1")
    assert row["request_id"] == answer.json()["requestId"] == answer.headers["x-request-id"]
    assert door.bell.rings == ["webhook"]


async def test_the_same_event_side_by_side_is_one_row(door: Door, world: World):
    raw = event()
    answers = await asyncio.gather(*(post(door, raw) for _ in range(5)))
    assert sorted(a.json()["status"] for a in answers) == ["accepted", *["duplicate"] * 4]
    assert len(await stored(world, raw)) == 1


async def test_an_event_that_was_given_up_is_taken_up_when_it_comes_again(door: Door, world: World):
    raw = event()
    await post(door, raw)
    await world.run("update stripe_events set state = 'failed', attempts = 20")
    assert (await post(door, raw)).json()["status"] == "accepted"
    (row,) = await stored(world, raw)
    assert (row["state"], row["attempts"]) == ("pending", 0)


async def test_a_kind_that_means_nothing_is_200_and_ignored(door: Door, world: World):
    raw = event(kind="product.created")
    assert (await post(door, raw)).json()["status"] == "ignored"
    assert (await stored(world, raw))[0]["state"] == "ignored"


@pytest.mark.parametrize(
    "forge",
    [
        lambda _: "",
        lambda _: "nonsense",
        lambda raw: sign("whsec_other", raw, int(time.time())),
        lambda raw: sign(SECRET, raw + b" ", int(time.time())),
        lambda raw: sign(SECRET, raw, int(time.time()) - 301),
        lambda raw: sign(SECRET, raw, int(time.time())).replace("v1=", "v0="),
    ],
)
async def test_a_bad_signature_is_400_and_leaves_nothing(door: Door, world: World, forge: Any):
    raw = event()
    answer = await post(door, raw, forge(raw))
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_signature")
    assert await stored(world, raw) == []


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"{}",
        b'{"id":"evt_1"}',
        b"\xff\xfe",
        b'{"id":"","type":"x","data":{"object":{}}}',
    ],
)
async def test_what_is_signed_but_no_event_is_400(door: Door, raw: bytes):
    signature = sign(SECRET, raw, int(time.time()))
    assert (await post(door, raw, signature)).status_code == 400


async def test_other_methods_and_large_bodies(door: Door):
    async with httpx.AsyncClient() as client:
        answer = await client.get(door.url)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert (await post(door, b"x" * (1 << 20 | 1))).status_code == 413


async def test_without_the_database_it_is_503_and_sent_again(door: Door, world: World):
    raw = event()
    nowhere = "postgresql://parley_system@127.0.0.1:1/x"
    away = Database(app_url=nowhere, system_url=nowhere)
    limiter = build_limiter(world.settings)
    transport = httpx.ASGITransport(StripeDoor(world.settings, away, door.bell, limiter).app)
    headers = {"Stripe-Signature": sign(SECRET, raw, int(time.time()))}
    async with httpx.AsyncClient(transport=transport, base_url="http://door") as client:
        answer = await client.post(PATH, content=raw, headers=headers)
    await away.close()
    await limiter.close()
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert (await post(door, raw)).json()["status"] == "accepted"


async def test_many_unsigned_requests_of_one_address_are_429(door: Door, world: World):
    limits = replace(world.settings.limits, hook_bad_per_min=3, hook_bad_burst=3)
    settings = replace(world.settings, limits=limits, secret_key=uuid4().hex * 2)
    limiter = build_limiter(settings)
    transport = httpx.ASGITransport(StripeDoor(settings, world.db, door.bell, limiter).app)
    raw = event()
    async with httpx.AsyncClient(transport=transport, base_url="http://door") as client:
        answers = [await client.post(PATH, content=raw) for _ in range(5)]
        headers = {"Stripe-Signature": sign(SECRET, raw, int(time.time()))}
        genuine = await client.post(PATH, content=raw, headers=headers)
    await limiter.close()
    assert [a.status_code for a in answers] == [400, 400, 400, 429, 429]
    assert answers[-1].json()["code"] == "rate_limit"
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert genuine.status_code == 200, "a signed event never meets this limit"


async def test_the_api_has_this_door(door: Door, world: World):
    raw = event(kind="product.created")
    headers = {"Stripe-Signature": sign(SECRET, raw, int(time.time()))}
    async with open_api(world.settings) as api:
        answer = await api.http.post(PATH, content=raw, headers=headers)
        assert (answer.status_code, answer.json()["status"]) == (200, "ignored")
        assert (await api.http.post(PATH, content=raw)).status_code == 400
        assert (await api.http.post(f"{PATH}/more", content=raw)).status_code == 404


async def test_old_events_are_deleted_those_given_up_stay(world: World):
    async def store(name: str, state: str, days: int) -> None:
        await world.run(
            "insert into stripe_events (id, kind, object_ref, state, ended_at)"
            " values ($1, 'k', 'o', $2, now() - make_interval(days => $3))",
            name, state, days,
        )  # fmt: skip

    await store("evt_old", "done", KEEP_DAYS + 1)
    await store("evt_old_ignored", "ignored", KEEP_DAYS + 1)
    await store("evt_given_up", "failed", KEEP_DAYS + 1)
    await store("evt_young", "done", KEEP_DAYS - 1)
    async with world.db.system() as connection:
        assert await prune(connection) == 2
    kept = await world.column(
        "select id from stripe_events where id like 'evt_%' and kind = 'k' order by id"
    )
    assert kept == ["evt_given_up", "evt_young"]
    await world.run("delete from stripe_events where kind = 'k'")
