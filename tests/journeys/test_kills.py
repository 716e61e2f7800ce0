"""`kill -9` of anything, at a bad moment: every message answered once, charged once."""

from pathlib import Path

import pytest

from tests.journeys.stack import Figures, Journey

BURST = 20
# Each process dies at each of its points in turn, once; between them it is started again.
PLANS = {
    "api": ("ingest.after_commit",),
    "worker": ("model.after_answer", "send.after_provider_accepted"),
    "scheduler": ("dispatch.before_bell",),
}


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


@pytest.mark.parametrize("name", sorted(PLANS))
def test_a_process_that_dies_at_its_worst_moments(journey: Journey, tmp_path: Path, name: str):
    shop = journey.business()
    # More than one: a sweep may be faster than the bell that was to be rung for the first.
    phones = [journey.phone() for _ in range(3)]
    journey.plan_faults(name, ";".join(f"{point}=kill" for point in PLANS[name]), tmp_path)
    journey.lead()
    try:
        for phone in phones:
            journey.write(shop, phone, f"I am {phone}")
            journey.wait_replies(phone)
        journey.until(lambda: died_at(tmp_path) == set(PLANS[name]), "it died at every point")
        journey.settle()
        journey.wait_idle(shop)
    finally:
        journey.plan_faults(name, "", tmp_path)
    assert [journey.replies(phone) for phone in phones] == [[f"I am {phone}"] for phone in phones]
    assert set(journey.wait_dispositions(shop, 3).values()) == {"answered"}
    assert journey.balance(shop) == Figures(997, 0, 3)


def died_at(memory: Path) -> set[str]:
    return {mark.name for mark in memory.iterdir()}
