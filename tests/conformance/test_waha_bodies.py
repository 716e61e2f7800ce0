"""Every body WAHA is known to send, through the real door and the normaliser."""

import json
from typing import Any

import pytest

from tests.conformance.bodies import KEY, Sample, published, recorded, vectors
from tests.edge.wire import exchange, request
from tests.worlds import Api, Shop, World

pytestmark = pytest.mark.anyio
SAMPLES = [*published(), *recorded()]

# Documentation's examples are abbreviated: without an id there is no message to speak of, and
# the full ones were "sent" by ourselves years ago: kept, but no reason to stay silent.
MESSAGES = {
    "envelope-full": "ignored_kind:no_message_id",
    "message-2024-10": "human_takeover",
    "message-any-min": "ignored_kind:no_message_id",
    "message-any-newsletter-gows": "ignored_kind:no_message_id",
    "message-any-newsletter-noweb": "ignored_kind:no_message_id",
    "message-captured-noweb-2024": "too_old",
    "message-channel": "ignored_kind:newsletter",
    "message-group-min": "ignored_kind:no_message_id",
    "message-lid-noweb": "too_old",
    "message-location-live": "too_old",
    "message-location-pin": "too_old",
    "message-media-2023": "ignored_kind:no_message_id",
    "message-media-document": "human_takeover",
    "message-media-image": "human_takeover",
    "message-media-not-downloaded": "ignored_kind:no_message_id",
    "message-newsletter": "ignored_kind:newsletter",
    "message-replyto-2024-9": "human_takeover",
    "message-status-broadcast-media": "ignored_kind:broadcast",
    "message-text": "human_takeover",
    "message-text-min": "human_takeover",
    "message-text-reply": "human_takeover",
    "message-vcard-one": "too_old",
    "message-vcard-two": "too_old",
}
UNDERSTOOD = {
    "message.ack",
    "message.edited",
    "message.revoked",
    "presence.update",
    "session.status",
}
KEPT = {"human_takeover", "too_old"}


def expected(sample: Sample) -> str:
    """What must become of a sample: told by name for messages, by the event for the rest."""
    if sample.event in {"message", "message.any"}:
        name = sample.name.rpartition("/")[2].removesuffix(".json").partition("--as-")[0]
        return MESSAGES[name]
    return "processed" if sample.event in UNDERSTOOD else "ignored_kind:event_kind"


async def shop_of(world: World, session: str, *, secret: str = KEY) -> Shop:
    """A business with a WAHA of its own, so that any session name is free."""
    shop = await world.open_shop(secret=secret)
    await world.run(
        "update channels set api_url = 'https://waha.example', session = $2 where id = $1",
        shop.channel_id,
        session,
    )
    return Shop(shop.tenant_id, shop.channel_id, shop.key, session, secret)


async def test_there_is_something_to_conform_to() -> None:
    assert len(published()) >= 50
    assert len(recorded()) >= 60
    assert {sample.event for sample in SAMPLES} >= {"message", "message.any", *UNDERSTOOD}


@pytest.mark.parametrize("sample", SAMPLES, ids=str)
async def test_it_is_taken_and_understood(world: World, api: Api, sample: Sample) -> None:
    shop = await shop_of(world, sample.body.get("session", "default"))
    if sample.headers:
        # As it came over the wire: the headers in their order, the signature as WAHA made it.
        answer = await exchange(api.port, request(shop.path, sample.headers, sample.raw))
        assert answer.status == 200
        assert json.loads(answer.body)["status"] == "accepted"
    else:
        response = await api.deliver(shop, sample.raw)
        assert (response.status_code, response.json()["status"]) == (200, "accepted")
    await world.drain()
    assert await world.outcomes(shop) == [expected(sample)]
    assert len(await world.messages(shop)) == (expected(sample) in KEPT)
    assert await world.turns(shop) == []
    await world.assert_whole(shop)


async def test_all_of_them_in_one_batch(world: World, api: Api) -> None:
    shops = [await shop_of(world, s.body.get("session", "default")) for s in SAMPLES]
    for shop, sample in zip(shops, SAMPLES, strict=True):
        assert (await api.deliver(shop, sample.raw)).status_code == 200
    assert await world.drain() <= 2
    found = [await world.outcomes(shop) for shop in shops]
    assert found == [[expected(sample)] for sample in SAMPLES]


@pytest.mark.parametrize("sample", recorded(), ids=str)
async def test_a_recording_changed_by_one_byte_is_refused(
    world: World, api: Api, sample: Sample
) -> None:
    shop = await shop_of(world, sample.body.get("session", "default"))
    raw = sample.raw[:-1] + b" "
    answer = await exchange(api.port, request(shop.path, sample.headers, raw))
    assert answer.status == 401
    assert await world.outcomes(shop) == []


async def test_a_message_recorded_as_two_events_is_one(world: World, api: Api) -> None:
    twins = [s for s in recorded() if "--as-" in s.name]
    assert len({json.dumps(t.body["payload"]) for t in twins}) == 1
    shop = await shop_of(world, twins[0].body["session"])
    for sample in twins:
        await exchange(api.port, request(shop.path, sample.headers, sample.raw))
    await world.drain()
    assert sorted(await world.outcomes(shop)) == ["duplicate", "human_takeover"]
    assert len(await world.messages(shop)) == 1


@pytest.mark.parametrize("vector", vectors(), ids=lambda v: str(v["why"])[:30])
async def test_signature_vectors(world: World, api: Api, vector: dict[str, Any]) -> None:
    shop = await shop_of(world, "default", secret=vector["key"])
    response = await api.post(
        shop.path, vector["body"].encode(), headers={"X-Webhook-Hmac": vector["digest"]}
    )
    # Upper-case hex is left to the receiver; this one takes only what WAHA sends.
    assert response.status_code == (200 if vector["valid"] is True else 401)
