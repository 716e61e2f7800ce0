"""From the customer's phone to the customer's phone, through every process."""

from app.cli.local.http_client import request
from tests.journeys.stack import Figures, Journey


def test_a_message_is_answered_and_charged_one_credit(journey: Journey):
    shop, phone = journey.business(), journey.phone()
    journey.write(shop, phone, "Are you open on Sunday?")
    assert journey.wait_replies(phone) == ["Are you open on Sunday?"]
    assert journey.wait_dispositions(shop) == {"Are you open on Sunday?": "answered"}
    assert journey.balance(shop) == Figures(999, 0, 1)
    sent = [call for call in journey.calls("waha", "/api/sendText") if phone in str(call["body"])]
    assert len(sent) == 1
    assert sent[0]["body"]["id"].startswith("3EB0")


def test_the_same_delivery_three_times_is_one_message(journey: Journey):
    shop, phone = journey.business(), journey.phone()
    delivery = journey.delivery(shop, phone, "Three times")
    assert [journey.deliver(shop, delivery) for _ in range(3)] == [200, 200, 200]
    journey.wait_replies(phone)
    assert journey.deliver(shop, delivery) == 200
    journey.wait_idle(shop)
    assert journey.replies(phone) == ["Three times"]
    assert journey.balance(shop) == Figures(999, 0, 1)


def test_repeats_of_wahas_own_webhooks_are_one_message(journey: Journey):
    """The simulator sends both `message` and `message.any`, here several times each."""
    shop, phone = journey.business(), journey.phone()
    journey.write(shop, phone, "Both events", duplicate=3)
    journey.wait_replies(phone)
    journey.wait_idle(shop)
    assert journey.replies(phone) == ["Both events"]
    assert journey.balance(shop) == Figures(999, 0, 1)


def test_a_burst_of_bubbles_gets_one_reply(journey: Journey):
    shop, phone = journey.business(), journey.phone()
    for text in ("Hi", "are you", "open?"):
        journey.write(shop, phone, text)
    found = journey.wait_dispositions(shop, 3)
    assert sorted(filter(None, found.values())) == ["answered", "merged", "merged"]
    assert journey.replies(phone) == ["Hi\nare you\nopen?"]
    assert journey.balance(shop) == Figures(999, 0, 1)


def test_without_credits_the_model_is_not_asked(journey: Journey):
    shop, phone = journey.business(credits_=0), journey.phone()
    journey.write(shop, phone, "Nothing left to pay for this")
    found = journey.wait_dispositions(shop)
    assert found == {"Nothing left to pay for this": "no_credit"}
    assert journey.model_calls("Nothing left to pay for this") == 0
    assert journey.replies(phone) == []


def test_an_empty_turn_bucket_delays_and_loses_nothing(journey: Journey):
    shop = journey.business(turn_per_min=60, turn_burst=1)
    phones = [journey.phone() for _ in range(3)]
    for phone in phones:
        delivery = journey.delivery(shop, phone, f"question of {phone[-3:]}")
        assert journey.deliver(shop, delivery) == 200
    for phone in phones:
        assert journey.wait_replies(phone) == [f"question of {phone[-3:]}"]
    journey.wait_idle(shop)
    assert journey.balance(shop) == Figures(997, 0, 3)
    rows = journey.rows(
        "select extract(epoch from max(finished_at) - min(finished_at))::float8 as spread_s"
        " from turns where state = 'done' and tenant_id = $1::text::uuid",
        shop.tenant_id,
    )
    assert rows[0]["spread_s"] > 1.0


def test_a_redirect_is_never_answered(journey: Journey):
    shop = journey.business()
    delivery = journey.delivery(shop, journey.phone(), "hello")
    base = f"{journey.api_url}/webhooks/waha"
    paths = ("", "/", f"/{shop.channel_key}/", f"/{shop.channel_key}//", f"//{shop.channel_key}")
    more = (f"/{shop.channel_key}/x", "x", "x/y", "/../waha", "/%2e%2e/x")
    statuses = {
        path: request("POST", base + path, body=delivery.body).status for path in (*paths, *more)
    }
    assert not [path for path, status in statuses.items() if 300 <= status < 400]
    assert statuses[f"/{shop.channel_key}/"] == 401
    shared = f"{journey.api_url}/api/webhooks/whatsapp"
    for url in (shared, f"{shared}/"):
        assert request("POST", url, body=delivery.body).status in {401, 404, 405}


def test_the_owners_own_message_silences_the_assistant(journey: Journey):
    shop, phone = journey.business(), journey.phone()
    journey.model("echo", delay_ms=1500)
    journey.write(shop, phone, "Is the blue one left?")
    journey.until(lambda: journey.model_calls("Is the blue one left?"), "the model is asked")
    journey.owner_types(shop, phone, "Yes, one!")
    found = journey.wait_dispositions(shop)
    assert found == {"Is the blue one left?": "human_owned"}
    journey.model("echo")
    journey.write(shop, phone, "Great, I take it")
    found = journey.wait_dispositions(shop, 2)
    assert found["Great, I take it"] == "human_owned"
    assert journey.replies(phone) == []
    assert journey.balance(shop) == Figures(1000, 0, 0)


def test_a_lost_answer_of_waha_shows_one_message(journey: Journey):
    shop, phone = journey.business(), journey.phone()
    fault = {"service": "waha", "path": "/api/sendText", "drop": "after", "times": 1}
    journey.sim("POST", "/_sim/faults", fault)
    journey.write(shop, phone, "Did you get this?")
    journey.wait_dispositions(shop)
    assert journey.replies(phone) == ["Did you get this?"]
    assert journey.balance(shop) == Figures(999, 0, 1)


def test_a_failing_model_is_asked_again(journey: Journey):
    shop, phone = journey.business(), journey.phone()
    fault = {"service": "openai", "path": "*", "status": 503, "times": 1}
    journey.sim("POST", "/_sim/faults", fault)
    journey.write(shop, phone, "Second try")
    assert journey.wait_replies(phone) == ["Second try"]
    journey.wait_idle(shop)
    assert journey.balance(shop) == Figures(999, 0, 1)
