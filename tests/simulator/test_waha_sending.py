"""WAHA's sending: engine-dependent answers, client-chosen ids, acks, errors and their waits."""

import json
import time
from typing import Any

import pytest

from tests.simulator.conftest import Receiver, Sim, eventually

PHONE = "12025550147"
CHAT = f"{PHONE}@c.us"


def test_answer_of_noweb(sim: Sim) -> None:
    sim.session()
    answer = sim.send_text(PHONE, "hello", id="3EB0A1")
    assert answer["key"] == {
        "remoteJid": f"{PHONE}@s.whatsapp.net",
        "fromMe": True,
        "id": "3EB0A1",
    }
    assert answer["messageTimestamp"].isdigit()
    assert "id" not in answer


def test_answer_of_gows(sim: Sim) -> None:
    sim.post("/_sim/engine", {"engine": "GOWS"})
    sim.session()
    answer = sim.send_text(PHONE, "hello", id="3EB0A2")
    assert answer["id"] == f"true_{CHAT}_3EB0A2"
    assert answer["_data"]["Info"]["IsFromMe"] is True


@pytest.mark.parametrize("engine", ["WEBJS", "WPP"])
def test_answer_of_a_browser_whose_ids_are_its_own(sim: Sim, engine: str) -> None:
    sim.post("/_sim/engine", {"engine": engine})
    sim.session()
    first = sim.send_text(PHONE, "hello", id="3EB0A3")
    second = sim.send_text(PHONE, "hello", id="3EB0A3")
    assert first["id"]["_serialized"] == f"true_{CHAT}_{first['id']['id']}"
    assert "3EB0A3" not in {first["id"]["id"], second["id"]["id"]}
    assert len(sim.phone(PHONE)) == 2


@pytest.mark.parametrize(("version", "shown"), [("2026.7.1", 1), ("2026.4.3", 1), ("2026.4.2", 2)])
def test_the_same_id_shows_once_where_ids_are_kept(sim: Sim, version: str, shown: int) -> None:
    sim.post("/_sim/engine", {"version": version})
    sim.session()
    for _ in range(2):
        sim.send_text(PHONE, "hello", id="3EB0A4")
    assert len(sim.phone(PHONE)) == shown


def test_echo_and_acks_of_a_send(sim: Sim, receiver: Receiver) -> None:
    sim.session(webhooks=[sim.webhook(receiver, events=["message", "message.any", "message.ack"])])
    sim.send_text(PHONE, "hello", id="3EB0A5")
    eventually(lambda: len(receiver.requests) == 4)
    events = [json.loads(r.body) for r in receiver.requests]
    echo = events[0]
    assert (echo["event"], echo["payload"]["source"]) == ("message.any", "api")
    assert echo["payload"]["id"] == f"true_{CHAT}_3EB0A5"
    acks = [(e["payload"]["ack"], e["payload"]["ackName"]) for e in events[1:]]
    assert acks == [(1, "SERVER"), (2, "DEVICE"), (3, "READ")]
    assert sim.phone(PHONE)[0]["ticks"] == 3


def test_acks_can_stay_away_or_tell_an_error(sim: Sim, receiver: Receiver) -> None:
    sim.session(webhooks=[sim.webhook(receiver, events=["message.ack"])])
    sim.post("/_sim/acks", {"mode": "never"})
    sim.send_text(PHONE, "one", id="3EB0A6")
    sim.post("/_sim/acks", {"mode": "error"})
    sim.send_text(PHONE, "two", id="3EB0A7")
    ack = json.loads(eventually(lambda: receiver.requests)[0].body)["payload"]
    assert (ack["id"], ack["ack"], ack["ackName"]) == (f"true_{CHAT}_3EB0A7", -1, "ERROR")
    assert sim.phone(PHONE)[1]["failed"] is True


def test_the_owner_is_seen_only_as_message_any(sim: Sim, receiver: Receiver) -> None:
    sim.session(webhooks=[sim.webhook(receiver, events=["message", "message.any"])])
    sim.post(f"/_sim/owner/{PHONE}/messages", {"text": "It's me"}, 202)
    sim.customer(PHONE, "hello")
    eventually(lambda: len(receiver.requests) == 3)
    owner = [json.loads(r.body) for r in receiver.requests if b"It's me" in r.body]
    assert [(e["event"], e["payload"]["fromMe"], e["payload"]["source"]) for e in owner] == [
        ("message.any", True, "app")
    ]
    assert [m["author"] for m in sim.phone(PHONE)] == ["owner", "customer"]


def test_seen_and_typing_show_on_the_phone(sim: Sim) -> None:
    sim.session()
    ids = sim.customer(PHONE, "hello")
    chat = {"session": "shop", "chatId": CHAT}
    assert sim.post("/api/sendSeen", chat, 201) == {"ids": [ids["full_id"]]}
    assert sim.post("/api/startTyping", chat, 201) == {"result": True}
    shown = sim.get(f"/_sim/customers/{PHONE}/messages")
    assert (shown["messages"][0]["ticks"], shown["typing"]) == (3, True)
    sim.post("/api/stopTyping", chat, 201)
    assert sim.get(f"/_sim/customers/{PHONE}/messages")["typing"] is False


def test_hidden_numbers_lead_to_the_phone_once_known(sim: Sim, receiver: Receiver) -> None:
    sim.session(webhooks=[sim.webhook(receiver, events=["message"])])
    sim.customer(PHONE, "hello", as_lid=True)
    payload = json.loads(eventually(lambda: receiver.requests)[0].body)["payload"]
    lid = payload["from"]
    assert lid.endswith("@lid")
    assert payload["_data"]["key"]["remoteJidAlt"] == f"{PHONE}@s.whatsapp.net"
    sim.post("/api/sendText", {"session": "shop", "chatId": lid, "text": "to you"}, 201)
    sim.post("/api/sendText", {"session": "shop", "chatId": "5@lid", "text": "to whom?"}, 201)
    assert [m["text"] for m in sim.phone(PHONE)] == ["hello", "to you"]
    assert [m["text"] for m in sim.phone("lid:5")] == ["to whom?"]
    assert sim.get(f"/api/shop/lids/{lid.replace('@', '%40')}") == {"lid": lid, "pn": CHAT}
    assert sim.get(f"/api/shop/lids/pn/{PHONE}") == {"lid": lid, "pn": CHAT}
    assert sim.get("/api/shop/lids") == [{"lid": lid, "pn": CHAT}]
    assert sim.get("/api/shop/lids/count") == {"count": 1}
    assert sim.get("/api/shop/lids/777%40lid") == {"lid": "777@lid", "pn": None}


def test_reactions(sim: Sim) -> None:
    sim.session()
    ids = sim.customer(PHONE, "hello")
    body = {"session": "shop", "messageId": ids["full_id"], "reaction": "👍"}
    assert sim.http.put("/api/reaction", json=body).status_code == 200
    assert sim.phone(PHONE)[0]["reaction"] == "👍"


def test_unknown_session_waits_and_is_422(sim: Sim) -> None:
    began = time.monotonic()
    answer = sim.post("/api/sendText", {"session": "x", "chatId": CHAT, "text": "a"}, 422)
    assert answer == {"error": 'Session "x" does not exist', "session": "x"}
    assert time.monotonic() - began >= 0.05


def test_session_that_does_not_work_is_422(sim: Sim) -> None:
    sim.session()
    sim.post("/_sim/sessions/shop/status", {"status": "FAILED"})
    answer = sim.post("/api/sendText", {"session": "shop", "chatId": CHAT, "text": "a"}, 422)
    assert answer == {
        "error": "Session status is not as expected. Try again later or restart the session",
        "session": "shop",
        "status": "FAILED",
        "expected": ["WORKING"],
    }


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"chatId": CHAT, "text": "a"}, 400),
        ({"session": "shop", "text": "a"}, 500),
        ({"session": "shop", "chatId": CHAT}, 500),
    ],
)
def test_what_is_missing_is_told_as_waha_tells_it(sim: Sim, body: Any, status: int) -> None:
    sim.session()
    answer = sim.post("/api/sendText", body, status)
    assert answer["statusCode"] == status
    assert ("exception" in answer) is (status == 500)


def test_media_both_ways(sim: Sim) -> None:
    sim.session()
    media = {"kind": "image", "mimetype": "image/png", "data_base64": "aGk=", "caption": "look"}
    sim.post(f"/_sim/customers/{PHONE}/messages", {"media": media}, 202)
    listed = sim.get("/api/messages", session="shop", chatId=CHAT)[0]
    assert (listed["hasMedia"], listed["body"]) == (True, "look")
    assert sim.http.get(listed["media"]["url"]).content == b"hi"
    file = {"mimetype": "application/pdf", "filename": "menu.pdf", "data": "aGk="}
    body = {"session": "shop", "chatId": CHAT, "file": file, "caption": "our menu"}
    sim.post("/api/sendFile", body, 201)
    shown = sim.phone(PHONE)[1]
    assert (shown["text"], shown["media"]["filename"]) == ("our menu", "menu.pdf")
    response = sim.http.get(shown["media"]["url"])
    assert response.content == b"hi"
    assert response.headers["content-disposition"] == "attachment"
