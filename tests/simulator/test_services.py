"""Resend and Sentry with their real clients."""

from typing import Any

import pytest
import resend
import sentry_sdk

from tests.simulator.conftest import Sim

MAIL: Any = {
    "from": "Parley <no-reply@parley.example>",
    "to": "owner@bakery.example",
    "subject": "Credits",
    "text": "20 %",
    "html": "<p>20 %</p>",
    "headers": {"X-Entity-Ref-ID": "1"},
    "tags": [{"name": "kind", "value": "notice"}],
}


@pytest.fixture
def resend_client(sim: Sim, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(resend, "api_url", f"{sim.url}/resend")
    monkeypatch.setattr(resend, "api_key", "re_key")
    return resend


def test_mail_arrives_once_for_a_key(sim: Sim, resend_client: Any) -> None:
    first = resend_client.Emails.send(MAIL, {"idempotency_key": "k1"})
    again = resend_client.Emails.send(MAIL, {"idempotency_key": "k1"})
    assert first["id"] == again["id"]
    [mail] = sim.get("/_sim/emails")["emails"]
    assert mail.pop("at_ms") > 0
    told = {"id": first["id"], "to": ["owner@bakery.example"], "outcome": "delivered"}
    assert mail == {**MAIL, **told}
    paths = {c["path"] for c in sim.get("/_sim/calls", service="resend")["calls"]}
    assert paths == {"/emails"}


def test_mail_needs_a_key_and_its_fields(sim: Sim, resend_client: Any) -> None:
    assert sim.http.post("/resend/emails", json=MAIL).json()["name"] == "missing_api_key"
    with pytest.raises(resend.exceptions.ResendError, match="subject"):
        resend_client.Emails.send({**MAIL, "subject": ""})


def test_an_exception_reaches_sentry_readable(sim: Sim) -> None:
    dsn = sim.url.replace("http://", "http://public@") + "/sentry/1"
    client = sentry_sdk.Client(
        dsn=dsn, default_integrations=False, auto_enabling_integrations=False
    )
    with sentry_sdk.new_scope() as scope:
        scope.set_client(client)
        scope.set_tag("tenant", "t1")
        sentry_sdk.capture_exception(ValueError("went wrong"))
    client.flush(timeout=5)
    client.close(timeout=1)
    [call] = sim.get("/_sim/calls", service="sentry", path="/api/1/envelope/")["calls"]
    assert call["status"] == 200
    [item] = [i for i in call["body"]["items"] if i["type"] == "event"]
    assert item["payload"]["tags"] == {"tenant": "t1"}
    assert item["payload"]["exception"]["values"][0]["value"] == "went wrong"


def test_sentry_without_a_key_is_refused(sim: Sim) -> None:
    assert sim.http.post("/sentry/api/1/envelope/", content=b"{}\n").status_code == 403
