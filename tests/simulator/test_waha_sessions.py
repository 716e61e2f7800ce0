"""WAHA's sessions: creating, pairing, stopping, reading, keeping them over a restart."""

import json
from pathlib import Path

import httpx
import pytest

from tests.simulator.conftest import Receiver, Sim, eventually, running_simulator

PHONE = "12025550147"


def test_without_start_it_is_not_started(sim: Sim) -> None:
    created = sim.post("/api/sessions", {"name": "quiet"}, 201)
    assert created == {"name": "quiet", "status": "STOPPED"}
    assert sim.get("/api/sessions") == []
    assert [s["name"] for s in sim.get("/api/sessions", all="true")] == ["quiet"]


def test_a_name_is_taken_once(sim: Sim) -> None:
    sim.post("/api/sessions", {"name": "one"}, 201)
    answer = sim.post("/api/sessions", {"name": "one"}, 422)
    assert answer["message"] == "Session 'one' already exists. Use PUT to update it."


def test_pairing_by_code(sim: Sim, receiver: Receiver) -> None:
    hook = sim.webhook(receiver, events=["session.status"])
    body = {"name": "shop", "start": True, "config": {"webhooks": [hook]}}
    assert sim.post("/api/sessions", body, 201)["status"] == "STARTING"
    eventually(lambda: sim.get("/api/sessions/shop")["status"] == "SCAN_QR_CODE")
    value = sim.get("/api/shop/auth/qr", format="raw")["value"]
    assert value.startswith("2@")
    picture = sim.http.get("/api/shop/auth/qr")
    assert picture.headers["content-type"] == "image/png"
    assert picture.content.startswith(b"\x89PNG")
    as_json = sim.http.get("/api/shop/auth/qr", headers={"accept": "application/json"}).json()
    assert as_json["mimetype"] == "image/png"
    code = sim.post("/api/shop/auth/request-code", {"phoneNumber": PHONE}, 201)["code"]
    assert len(code) == 9
    me = sim.post("/_sim/sessions/shop/scan", {"phone": PHONE, "push_name": "Shop"})["me"]
    assert me["id"] == f"{PHONE}@c.us"
    assert sim.get("/api/sessions/shop/me") == me
    eventually(lambda: len(receiver.requests) >= 3)
    statuses = [json.loads(r.body)["payload"]["status"] for r in receiver.requests]
    assert set(statuses) == {"STARTING", "SCAN_QR_CODE", "WORKING"}
    last = [json.loads(r.body) for r in receiver.events("session.status")]
    working = next(e for e in last if e["payload"]["status"] == "WORKING")
    assert working["me"]["pushName"] == "Shop"
    assert len(working["payload"]["statuses"]) == 3


def test_a_code_is_422_once_paired(sim: Sim) -> None:
    sim.session()
    assert sim.http.get("/api/shop/auth/qr").status_code == 422


def test_passkey_states_carry_their_data(sim: Sim, receiver: Receiver) -> None:
    sim.session(webhooks=[sim.webhook(receiver, events=["session.status"])])
    data = {"code": "1234"}
    body = {"status": "PASSKEY_CONFIRMATION_REQUIRED", "data": data}
    sim.post("/_sim/sessions/shop/status", body)
    found = eventually(lambda: [r for r in receiver.requests if b"PASSKEY" in r.body])
    assert json.loads(found[0].body)["payload"]["data"] == data


def test_stop_start_logout_delete(sim: Sim) -> None:
    sim.session()
    assert sim.post("/api/sessions/shop/start", status=422)["statusCode"] == 422
    assert sim.post("/api/sessions/shop/stop", status=201)["status"] == "STOPPED"
    sim.post("/api/sessions/shop/start", status=201)
    eventually(lambda: sim.get("/api/sessions/shop")["status"] == "WORKING")
    sim.post("/api/sessions/shop/restart", status=201)
    eventually(lambda: sim.get("/api/sessions/shop")["status"] == "WORKING")
    sim.post("/api/sessions/shop/logout", status=201)
    eventually(lambda: sim.get("/api/sessions/shop")["status"] == "SCAN_QR_CODE")
    assert sim.get("/api/sessions/shop/me") is None
    assert sim.http.delete("/api/sessions/shop").status_code == 200
    missing = sim.http.get("/api/sessions/shop")
    assert (missing.status_code, missing.json()["message"]) == (404, "Session not found")


def test_put_replaces_the_whole_configuration(sim: Sim) -> None:
    sim.session(metadata={"a": "1"})
    body = {"config": {"metadata": {"b": "2"}}}
    assert sim.http.put("/api/sessions/shop", json=body).json()["config"] == body["config"]
    assert sim.get("/api/sessions/shop")["config"] == body["config"]


def test_history_is_truthful_for_lost_webhooks(sim: Sim, receiver: Receiver) -> None:
    sim.session(webhooks=[sim.webhook(receiver, events=["message"], retries={"attempts": 0})])
    sim.post("/_sim/faults", {"service": "webhook", "drop": "before", "times": None})
    ids = [sim.customer(PHONE, text) for text in ("one", "two", "three")]
    sim.send_text(PHONE, "answer")
    query = {"session": "shop", "filter.fromMe": "false", "limit": "2"}
    newest = sim.get("/api/messages", chatId="all", **query)
    assert [m["body"] for m in newest] == ["three", "two"]
    older = sim.get("/api/messages", chatId=f"{PHONE}@c.us", offset="2", **query)
    assert [m["id"] for m in older] == [ids[0]["full_id"]]
    future = {"filter.timestamp.gte": str(newest[0]["timestamp"] + 100)}
    assert sim.get("/api/messages", session="shop", chatId="all", **future) == []
    ascending = sim.get(f"/api/shop/chats/{PHONE}@c.us/messages", sortOrder="asc", limit="1")
    assert ascending[0]["body"] == "one"
    assert sim.get(f"/api/shop/chats/all/messages/{ids[1]['id']}")["body"] == "two"
    assert sim.http.get("/api/shop/chats/all/messages/unknown").status_code == 404
    assert [c["id"] for c in sim.get("/api/shop/chats")] == [f"{PHONE}@c.us"]
    assert sim.get("/api/shop/chats/overview")[0]["lastMessage"]["body"] == "answer"
    assert receiver.requests == []


@pytest.mark.parametrize("engine", ["WEBJS", "WPP"])
def test_all_chats_at_once_is_not_for_browsers(sim: Sim, engine: str) -> None:
    sim.post("/_sim/engine", {"engine": engine})
    sim.session()
    response = sim.http.get("/api/messages", params={"session": "shop", "chatId": "all"})
    assert response.status_code == 501


def test_numbers_ids_versions(sim: Sim) -> None:
    sim.session()
    exists = sim.get("/api/contacts/check-exists", phone=f"+{PHONE}", session="shop")
    assert exists == {"numberExists": True, "chatId": f"{PHONE}@c.us"}
    nobody = sim.get("/api/contacts/check-exists", phone="12020000000", session="shop")
    assert nobody == {"numberExists": False}
    assert sim.get("/api/shop/new-message-id")["id"].startswith("3EB0")
    assert sim.get("/api/server/version")["engine"] == "NOWEB"
    assert sim.get("/api/server/status")["uptime"] >= 0
    assert sim.get("/ping") == {"message": "pong"}
    assert sim.get("/health")["status"] == "ok"
    assert sim.http.get("/api/nothing").json()["message"] == "Cannot GET /api/nothing"


def test_two_sessions_are_written_to_by_name(sim: Sim) -> None:
    sim.session("first")
    sim.session("second")
    assert sim.customer(PHONE, "hello")["session"] == "first"
    assert sim.customer(PHONE, "hello", session="second")["session"] == "second"
    listed = sim.get("/api/messages", session="second", chatId="all")
    assert len(listed) == 1


@pytest.fixture
def key() -> dict[str, str]:
    return {"x-api-key": "the key"}


def test_key_and_restart(tmp_path: Path, key: dict[str, str], receiver: Receiver) -> None:
    state = tmp_path / "state" / "sessions.json"
    options = ("--waha-api-key", "the key", "--state-file", str(state))
    hook = {"url": receiver.url, "events": ["message"], "hmac": {"key": "k"}}
    with running_simulator(*options) as (url, _):
        refused = httpx.get(f"{url}/api/sessions")
        assert (refused.status_code, refused.json()) == (
            401,
            {"message": "Unauthorized", "statusCode": 401},
        )
        assert httpx.get(f"{url}/ping").status_code == 200
        body = {"name": "shop", "start": True, "config": {"webhooks": [hook]}}
        assert httpx.post(f"{url}/api/sessions", json=body, headers=key).status_code == 201
        httpx.post(f"{url}/_sim/sessions/shop/scan", json={"phone": PHONE})
        calls = httpx.get(f"{url}/_sim/calls").json()["calls"]
        assert "the key" not in json.dumps([call["headers"] for call in calls])
    with running_simulator(*options) as (url, _):
        address = f"{url}/api/sessions/shop"
        eventually(lambda: httpx.get(address, headers=key).json()["status"] == "WORKING")
        assert httpx.get(address, headers=key).json()["me"]["id"] == f"{PHONE}@c.us"
        httpx.post(f"{url}/_sim/customers/{PHONE}/messages", json={"text": "again"})
        eventually(lambda: receiver.requests)


def test_the_global_webhook(receiver: Receiver) -> None:
    with running_simulator("--webhook-url", receiver.url, "--webhook-hmac-key", "platform") as (
        url,
        _,
    ):
        httpx.post(f"{url}/api/sessions", json={"name": "shop", "start": True})
        httpx.post(f"{url}/_sim/sessions/shop/scan")
        httpx.post(f"{url}/_sim/customers/{PHONE}/messages", json={"text": "hello"})
        request = eventually(lambda: receiver.events("message"))[0]
        assert request.header("X-Webhook-Hmac")
        assert "webhooks" not in httpx.get(f"{url}/api/sessions/shop").text
