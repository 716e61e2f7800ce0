"""Webhooks leave as WAHA sends them: bytes, headers, signature, retries, redirects."""

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from simulator.waha.webhook_client import Answer
from simulator.waha.webhooks import WebhookTarget, retry_after_s, sign
from tests.simulator.conftest import Receiver, Sim, eventually

PHONE = "12025550147"


def test_signature_of_a_known_body() -> None:
    body = '{"event":"message","body":"¿Abrís hoy? 😀"}'.encode()
    assert sign("clave-ñ", body) == (
        "c1f8b15e7317843bbf46e0efd9d20b4a40d881ae54dbc2d9486894f4ef9bc793"
        "3396f4aabc04c58a8d65379e77890f605f93cd4a26ae31ad0077a83fca26f042"
    )


def test_one_message_on_the_wire(sim: Sim, receiver: Receiver) -> None:
    hook = sim.webhook(receiver, customHeaders=[{"name": "X-Own", "value": "yes"}])
    sim.session(webhooks=[hook], metadata={"tenant": "t1"})
    sim.customer(PHONE, "¿Qué tal? 😀 <b>", push_name="Ana")
    request = eventually(lambda: receiver.events("message"), "the webhook")[0]
    assert [name for name, _ in request.headers] == [
        "Accept",
        "Content-Type",
        "User-Agent",
        "X-Own",
        "X-Webhook-Request-Id",
        "X-Webhook-Timestamp",
        "X-Webhook-Hmac",
        "X-Webhook-Hmac-Algorithm",
        "Content-Length",
        "Accept-Encoding",
        "Host",
        "Connection",
    ]
    assert request.header("Content-Type") == "application/json"
    assert request.header("User-Agent") == "WAHA/2026.7.1"
    expected = hmac.new(b"a key", request.body, hashlib.sha512).hexdigest()
    assert request.header("X-Webhook-Hmac") == expected
    event = json.loads(request.body)
    assert request.body == json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
    assert list(event) == [
        "id",
        "timestamp",
        "event",
        "session",
        "metadata",
        "me",
        "payload",
        "engine",
        "environment",
    ]
    assert request.header("X-Webhook-Timestamp") == str(event["timestamp"])
    assert event["payload"]["body"] == "¿Qué tal? 😀 <b>"
    assert event["payload"]["_data"]["pushName"] == "Ana"
    assert "to" not in event["payload"]


def test_without_a_key_nothing_is_signed(sim: Sim, receiver: Receiver) -> None:
    sim.session(webhooks=[{"url": receiver.url, "events": ["message"]}])
    sim.customer(PHONE, "hello")
    request = eventually(lambda: receiver.requests)[0]
    assert request.header("X-Webhook-Hmac") is None
    assert request.header("X-Webhook-Hmac-Algorithm") is None


@pytest.mark.parametrize(
    ("engine", "same"), [("NOWEB", True), ("GOWS", True), ("WEBJS", False), ("WPP", False)]
)
def test_event_ids_of_one_message(sim: Sim, receiver: Receiver, engine: str, same: bool) -> None:
    sim.post("/_sim/engine", {"engine": engine})
    sim.session(webhooks=[sim.webhook(receiver, events=["message", "message.any"])])
    ids = sim.customer(PHONE, "hello")
    eventually(lambda: len(receiver.requests) == 2)
    events = {json.loads(r.body)["event"]: json.loads(r.body) for r in receiver.requests}
    assert (events["message"]["id"] == events["message.any"]["id"]) is same
    assert events["message"]["id"] == ids["event_id"]
    payload_ids = {event["payload"]["id"] for event in events.values()}
    assert payload_ids == {ids["full_id"]}


def test_every_status_outside_2xx_is_retried_byte_for_byte(sim: Sim, receiver: Receiver) -> None:
    receiver.answers += [(400, {}), (404, {}), (503, {})]
    hook = sim.webhook(receiver, events=["message"])
    sim.session(webhooks=[hook])
    sim.customer(PHONE, "hello")
    eventually(lambda: len(receiver.requests) == 4)
    assert len({(r.body, tuple(r.headers)) for r in receiver.requests}) == 1
    delivery = eventually(lambda: [d for d in deliveries(sim, "message") if d["delivered"]])[0]
    assert [a["status"] for a in delivery["attempts"]] == [400, 404, 503, 200]


def test_attempts_are_retries_and_then_it_is_given_up(sim: Sim, receiver: Receiver) -> None:
    receiver.answers += [(500, {})] * 9
    retries = {"policy": "constant", "delaySeconds": 1, "attempts": 2}
    sim.session(webhooks=[sim.webhook(receiver, events=["message"], retries=retries)])
    sim.customer(PHONE, "hello")
    eventually(lambda: not sim.get("/_sim/health")["webhooks_pending"])
    assert len(receiver.requests) == 3
    assert deliveries(sim, "message")[0]["delivered"] is False


def test_retry_after_is_a_minimum(sim: Sim, receiver: Receiver) -> None:
    receiver.answers += [(429, {"Retry-After": "40"})]
    sim.session(webhooks=[sim.webhook(receiver, events=["message"])])
    sim.customer(PHONE, "hello")
    eventually(lambda: len(receiver.requests) == 2)
    waited = receiver.requests[1].at - receiver.requests[0].at
    # The answer counts from when it was sent, a little before it is noted here.
    assert waited >= 0.35


def test_waits_of_the_policies() -> None:
    constant, linear, exponential = (
        WebhookTarget(url="http://x", events=frozenset(), policy=policy, delay_s=2)
        for policy in ("constant", "linear", "exponential")
    )
    assert [constant.wait_s(n, None) for n in (1, 2, 3)] == [2, 2, 2]
    assert [linear.wait_s(n, None) for n in (1, 2, 3)] == [2, 4, 6]
    for n in (1, 2, 3, 4):
        assert 2 * 2**n <= exponential.wait_s(n, None) <= 2 * 2**n * 1.2
    assert constant.wait_s(1, Answer(status=503, headers={"retry-after": "7"})) == 7
    assert constant.wait_s(1, Answer(status=503, headers={"retry-after": "1"})) == 2


def test_retry_after_as_a_date() -> None:
    moment = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    assert 57 < retry_after_s(Answer(headers={"retry-after": moment})) <= 60
    assert retry_after_s(Answer(headers={"retry-after": "soon"})) == 0


def test_a_redirect_loses_the_body_or_keeps_it(sim: Sim, receiver: Receiver) -> None:
    receiver.answers += [(303, {"Location": "/elsewhere"}), (200, {}), (307, {"Location": "/x"})]
    sim.session(webhooks=[sim.webhook(receiver, events=["message"])])
    sim.customer(PHONE, "one")
    eventually(lambda: len(receiver.requests) == 2)
    sim.customer(PHONE, "two")
    eventually(lambda: len(receiver.requests) == 4)
    seen = [(r.method, r.path, bool(r.body)) for r in receiver.requests]
    assert seen == [
        ("POST", "/hook", True),
        ("GET", "/elsewhere", False),
        ("POST", "/hook", True),
        ("POST", "/x", True),
    ]


def test_ignored_chats_make_no_events(sim: Sim, receiver: Receiver) -> None:
    sim.session(webhooks=[sim.webhook(receiver, events=["message"])], ignore={"groups": True})
    sim.customer(PHONE, "in a group", chat_id="120363000000000001@g.us")
    sim.customer(PHONE, "to you")
    eventually(lambda: receiver.requests)
    assert b"to you" in receiver.requests[0].body


def test_duplicates_are_the_same_event_again(sim: Sim, receiver: Receiver) -> None:
    sim.session(webhooks=[sim.webhook(receiver, events=["message"])])
    sim.customer(PHONE, "hello", duplicate=2)
    eventually(lambda: len(receiver.requests) == 3)
    assert len({r.body for r in receiver.requests}) == 1
    assert len({r.header("X-Webhook-Request-Id") for r in receiver.requests}) == 3
    assert len(sim.phone(PHONE)) == 1


def test_lost_answers_and_lost_deliveries(sim: Sim, receiver: Receiver) -> None:
    sim.session(webhooks=[sim.webhook(receiver, events=["message"])])
    sim.post("/_sim/faults", {"service": "webhook", "path": "/hook", "drop": "before"})
    sim.post("/_sim/faults", {"service": "webhook", "path": "/hook", "drop": "after"})
    sim.customer(PHONE, "hello")
    delivery = eventually(lambda: [d for d in deliveries(sim, "message") if d["delivered"]])[0]
    assert ["error" in attempt for attempt in delivery["attempts"]] == [True, True, False]
    assert len(receiver.requests) == 2


def test_a_reordered_delivery_comes_after_the_next_one(sim: Sim, receiver: Receiver) -> None:
    sim.session(webhooks=[sim.webhook(receiver, events=["message"])])
    sim.post("/_sim/faults", {"service": "webhook", "reorder": True})
    sim.customer(PHONE, "first")
    sim.customer(PHONE, "second")
    eventually(lambda: len(receiver.requests) == 2)
    texts = [json.loads(r.body)["payload"]["body"] for r in receiver.requests]
    assert texts == ["second", "first"]


def test_what_came_while_stopped_arrives_in_order_later(sim: Sim, receiver: Receiver) -> None:
    sim.session(webhooks=[sim.webhook(receiver, events=["message"])])
    sim.post("/api/sessions/shop/stop", status=201)
    for text in ("one", "two"):
        assert sim.customer(PHONE, text)["event_id"] is None
    sim.post("/api/sessions/shop/start", status=201)
    eventually(lambda: len(receiver.requests) == 2)
    bodies = {json.loads(r.body)["payload"]["body"] for r in receiver.requests}
    assert bodies == {"one", "two"}


def deliveries(sim: Sim, event: str) -> list[dict[str, Any]]:
    return [d for d in sim.get("/_sim/webhooks")["webhooks"] if d["event"] == event]
