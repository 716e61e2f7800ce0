"""The control: calls as they arrive, faults in their order, wrong input told."""

import threading

import httpx
import pytest

from tests.simulator.conftest import Sim, eventually

PHONE = "12025550147"
SEND = {"session": "shop", "chatId": f"{PHONE}@c.us", "text": "hello"}


def test_calls_are_listed_with_bodies_and_masked(sim: Sim) -> None:
    sim.session()
    sim.http.delete("/_sim/calls")
    sim.http.post("/api/sendText", json=SEND, headers={"x-api-key": "secret"})
    sim.http.post("/v1/embeddings", json={"input": "a"}, headers={"authorization": "Bearer s3"})
    waha, model = sim.get("/_sim/calls")["calls"]
    assert (waha["service"], waha["method"], waha["path"]) == ("waha", "POST", "/api/sendText")
    assert (waha["body"], waha["status"]) == (SEND, 201)
    assert waha["headers"]["x-api-key"] == "***"
    assert (model["path"], model["headers"]["authorization"]) == ("/v1/embeddings", "***")
    assert [c["service"] for c in sim.get("/_sim/calls", service="openai")["calls"]] == ["openai"]
    sim.http.delete("/_sim/calls", params={"service": "openai"})
    assert [c["service"] for c in sim.get("/_sim/calls")["calls"]] == ["waha"]


def test_a_call_is_listed_before_it_is_answered(sim: Sim) -> None:
    sim.post("/_sim/model", {"mode": "echo", "delay_ms": 800})
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    headers = {"authorization": "Bearer k"}
    url = f"{sim.url}/v1/chat/completions"
    thread = threading.Thread(target=lambda: httpx.post(url, json=body, headers=headers))
    thread.start()
    call = eventually(lambda: sim.get("/_sim/calls", service="openai")["calls"])[0]
    assert call["status"] is None
    thread.join()
    assert sim.get("/_sim/calls", service="openai")["calls"][0]["status"] == 200


def test_faults_happen_in_the_order_given(sim: Sim) -> None:
    sim.session()
    fault = {"service": "waha", "path": "/api/sendText"}
    sim.post("/_sim/faults", {**fault, "status": 503, "headers": {"Retry-After": "1"}, "times": 2})
    sim.post("/_sim/faults", {**fault, "status": 500, "body": {"why": "because"}})
    answers = [sim.http.post("/api/sendText", json=SEND) for _ in range(4)]
    assert [a.status_code for a in answers] == [503, 503, 500, 201]
    assert answers[0].headers["retry-after"] == "1"
    assert answers[2].json() == {"why": "because"}
    assert len(sim.phone(PHONE)) == 1
    assert sim.get("/_sim/faults") == {"faults": []}


def test_a_drop_before_has_no_effect_and_after_has(sim: Sim) -> None:
    sim.session()
    sim.post("/_sim/faults", {"service": "waha", "path": "/api/sendText", "drop": "before"})
    sim.post("/_sim/faults", {"service": "waha", "path": "/api/sendText", "drop": "after"})
    for shown in (0, 1):
        with pytest.raises(httpx.RemoteProtocolError):
            sim.http.post("/api/sendText", json=SEND)
        assert len(sim.phone(PHONE)) == shown
    assert sim.http.post("/api/sendText", json=SEND).status_code == 201


def test_a_delay_makes_the_answer_late_not_the_effect(sim: Sim) -> None:
    sim.session()
    sim.post("/_sim/faults", {"service": "waha", "path": "*", "delay_ms": 1000})
    url = f"{sim.url}/api/sendText"
    thread = threading.Thread(target=lambda: httpx.post(url, json=SEND))
    thread.start()
    eventually(lambda: sim.phone(PHONE))
    assert thread.is_alive()
    thread.join()


def test_faults_can_be_taken_back(sim: Sim) -> None:
    sim.post("/_sim/faults", {"service": "waha", "status": 500, "times": None})
    sim.post("/_sim/faults", {"service": "openai", "status": 500})
    sim.http.delete("/_sim/faults", params={"service": "waha"})
    assert [f["service"] for f in sim.get("/_sim/faults")["faults"]] == ["openai"]


@pytest.mark.parametrize(
    ("path", "body", "told"),
    [
        ("/_sim/faults", {"service": "fax", "status": 500}, "fax"),
        ("/_sim/faults", {"service": "waha"}, "status, delay_ms, drop"),
        ("/_sim/faults", {"service": "waha", "drop": "maybe"}, "maybe"),
        ("/_sim/faults", {"service": "waha", "duplicate": 1}, "webhook"),
        ("/_sim/faults", {"service": "waha", "status": 500, "times": 0}, "times"),
        ("/_sim/faults", {"service": "waha", "status": 500, "tmies": 1}, "the fields are"),
        ("/_sim/model", {"mode": "script"}, "at least one item"),
        ("/_sim/model", {"mode": "clever"}, "clever"),
        ("/_sim/acks", {"mode": "later"}, "later"),
        ("/_sim/engine", {"engine": "ICQ"}, "ICQ"),
        ("/_sim/clock", {"retry_scale": -1}, "retry_scale"),
        ("/_sim/presence", {"phone": "x", "presence": "typing"}, "5 to 15 digits"),
        (f"/_sim/customers/{PHONE}/messages", {}, "text or media"),
        ("/_sim/customers/abc/messages", {"text": "a"}, "5 to 15 digits"),
        (
            f"/_sim/customers/{PHONE}/messages",
            {"media": {"kind": "image", "mimetype": "image/png", "data_base64": "!"}},
            "base64",
        ),
    ],
)
def test_wrong_input_is_told(sim: Sim, path: str, body: dict[str, object], told: str) -> None:
    sim.session()
    assert told in sim.post(path, body, 400)["error"]


def test_what_is_not_built_says_so(sim: Sim) -> None:
    assert "error" in sim.post("/_sim/faults", {"service": "twilio", "status": 500}, 501)
    assert sim.http.get("/_sim/calls", params={"service": "twilio"}).status_code == 501


def test_unknown_controls_and_sessions(sim: Sim) -> None:
    assert sim.http.get("/_sim/nothing").status_code == 404
    assert sim.http.put("/_sim/model").status_code == 405
    assert sim.post("/_sim/sessions/none/scan", status=404)["error"].startswith("there is no")
    path = f"/_sim/customers/{PHONE}/messages"
    assert "POST /api/sessions" in sim.post(path, {"text": "hello"}, 409)["error"]


def test_phones_are_forgotten(sim: Sim) -> None:
    sim.session()
    sim.customer(PHONE, "hello")
    assert sim.phone(PHONE)
    assert sim.http.delete("/_sim/customers").json() == {"forgotten": 1}
    assert sim.phone(PHONE) == []
