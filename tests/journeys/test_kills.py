"""`kill -9` of anything under `parley up`: every message answered once, charged once.

Every single fault point is in `tests/chaos/test_points.py`.
"""

import pytest

from tests.journeys.stack import Figures, Journey

BURST = 20


def test_a_worker_killed_in_a_model_call(journey: Journey):
    shop, phone = journey.business(), journey.phone()
    journey.model("echo", delay_ms=20_000)
    journey.write(shop, phone, "Who will answer this?")
    journey.until(lambda: journey.model_calls("Who will answer this?"), "the model is asked")
    journey.kill("worker")
    journey.model("echo")
    assert journey.wait_replies(phone) == ["Who will answer this?"]
    journey.wait_idle(shop)
    assert journey.replies(phone) == ["Who will answer this?"]
    assert journey.model_calls("Who will answer this?") == 2
    assert journey.balance(shop) == Figures(999, 0, 1)


@pytest.mark.parametrize("name", ["api", "worker", "scheduler", "redis", "postgres"])
def test_any_process_killed_in_a_burst(journey: Journey, name: str):
    shop = journey.business()
    phones = [journey.phone() for _ in range(BURST)]
    journey.model("echo", delay_ms=150)
    for n, phone in enumerate(phones):
        journey.write(shop, phone, f"question {n}")
        if n == BURST // 2:
            journey.kill(name)
    for n, phone in enumerate(phones):
        assert journey.wait_replies(phone) == [f"question {n}"]
    journey.settle()
    journey.wait_idle(shop)
    assert [journey.replies(phone) for phone in phones] == [[f"question {n}"] for n in range(BURST)]
    assert set(journey.wait_dispositions(shop, BURST).values()) == {"answered"}
    assert journey.balance(shop) == Figures(1000 - BURST, 0, BURST)
