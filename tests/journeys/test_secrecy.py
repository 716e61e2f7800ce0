"""What is told outside: errors reach Sentry with their tags, customers' words reach nobody."""

import itertools
import json

from tests.journeys.stack import Figures, Journey

TEXT = "My sentinel secret is pistachio-4711"
REFUSED = {"status": 401, "body": {"error": {"message": f"bad key while reading: {TEXT}"}}}
# The simulator is the outside world: what it writes is no log of the product.
PRODUCT_LOGS = ("api", "worker", "scheduler", "postgres", "redis")


def events_about(journey: Journey, tenant_id: str) -> list[dict]:
    items = [item for call in journey.calls("sentry") for item in call["body"].get("items", [])]
    events = [item["payload"] for item in items if item["type"] == "event"]
    return [event for event in events if event["tags"].get("tenant_id") == tenant_id]


def assert_silent_about(journey: Journey, *secrets: str) -> None:
    reported = json.dumps(journey.calls("sentry"))
    logs = {name: journey.stack.logs[name].read_text(errors="replace") for name in PRODUCT_LOGS}
    assert all(logs[name] for name in ("api", "worker", "scheduler"))
    for secret, (name, text) in itertools.product(secrets, {**logs, "sentry": reported}.items()):
        assert secret not in text, f"{secret!r} is told by {name}"


def test_a_final_failure_is_reported_without_the_customers_words(journey: Journey):
    shop, phone = journey.business(handover_text="A colleague will write to you."), journey.phone()
    journey.model("script", script=[REFUSED])
    journey.write(shop, phone, TEXT)
    assert journey.wait_replies(phone) == ["A colleague will write to you."]
    journey.wait_idle(shop)
    assert journey.wait_dispositions(shop) == {TEXT: "failed_handed_off"}
    assert journey.balance(shop) == Figures(1000, 0, 0)
    (event,) = journey.until(lambda: events_about(journey, shop.tenant_id), "Sentry hears of it")
    (turn,) = journey.rows(
        "select request_id from turns where tenant_id = $1::text::uuid", shop.tenant_id
    )
    assert event["tags"]["request_id"] == turn["request_id"]
    assert event["tags"]["service"] == "worker"
    assert event["exception"]["values"][-1]["type"] == "ProviderError"
    assert_silent_about(journey, TEXT, "pistachio", phone, shop.webhook_secret)


def test_a_model_that_answers_garbage_is_given_up_and_reported_once(journey: Journey):
    shop, phone = journey.business(), journey.phone()
    journey.model("script", script=[{"raw": f"not json: {TEXT}"}])
    journey.write(shop, phone, TEXT)
    journey.wait_dispositions(shop)
    assert journey.replies(phone) == []
    journey.until(lambda: events_about(journey, shop.tenant_id), "Sentry hears of it")
    journey.wait_idle(shop)
    assert len(events_about(journey, shop.tenant_id)) == 1
    assert journey.model_calls(TEXT) > 1
    assert_silent_about(journey, TEXT, "pistachio", phone)


def test_a_provider_error_body_with_the_text_in_it_is_not_logged(journey: Journey):
    shop, phone = journey.business(), journey.phone()
    echoed = {"message": f"Error while sending: {TEXT} to {phone}@c.us"}
    fault = {"service": "waha", "path": "/api/sendText", "status": 500, "body": echoed}
    journey.sim("POST", "/_sim/faults", fault)
    journey.write(shop, phone, TEXT)
    assert journey.wait_replies(phone) == [TEXT]
    journey.wait_idle(shop)
    assert_silent_about(journey, TEXT, "pistachio", phone)


def test_every_log_line_of_the_product_is_one_json_object(journey: Journey):
    shop, phone = journey.business(), journey.phone()
    journey.write(shop, phone, "hello")
    journey.wait_replies(phone)
    for name in ("api", "worker", "scheduler"):
        for line in journey.stack.logs[name].read_text().splitlines():
            entry = json.loads(line)
            assert {"level", "msg", "time", "service"} <= set(entry), line


def test_a_request_id_leads_from_the_webhook_to_the_send(journey: Journey):
    shop, phone = journey.business(), journey.phone()
    journey.write(shop, phone, "Follow me")
    journey.wait_replies(phone)
    journey.wait_idle(shop)
    (row,) = journey.rows(
        "select m.request_id as message, t.request_id as turn, s.request_id as send,"
        " (select count(*) from inbox i where i.tenant_id = t.tenant_id"
        "  and i.request_id = m.request_id) as events"
        " from turns t join sends s on s.tenant_id = t.tenant_id and s.turn_id = t.id"
        " join messages m on m.tenant_id = t.tenant_id and m.turn_id = t.id"
        " and m.direction = 'in' where t.tenant_id = $1::text::uuid",
        shop.tenant_id,
    )
    assert row["message"] == row["turn"] == row["send"]
    assert row["events"] == 1
    logged = journey.stack.logs["api"].read_text() + journey.stack.logs["worker"].read_text()
    assert logged.count(row["turn"]) >= 2
