"""SIGTERM: exit 0 within a second, and nothing is lost over it."""

import signal
import time

import pytest

from tests.journeys.stack import Figures, Journey
from tests.pace import stretched

WITHIN_S = 1.0


@pytest.mark.parametrize("name", ["api", "worker", "scheduler", "simulator"])
def test_a_process_stops_cleanly_within_a_second(journey: Journey, name: str):
    journey.until(lambda: True, "everything that died is back")
    began = time.monotonic()
    status = journey.signal(name, signal.SIGTERM)
    took_s = time.monotonic() - began
    within_s = stretched(WITHIN_S)
    assert (status, took_s < within_s) == (0, True), f"status {status} after {took_s:.2f} s"


def test_a_worker_that_stops_gives_its_turns_to_the_next(journey: Journey):
    shop, phone = journey.business(), journey.phone()
    journey.model("echo", delay_ms=20_000)
    journey.write(shop, phone, "Please wait")
    journey.until(lambda: journey.model_calls("Please wait"), "the model is asked")
    began = time.monotonic()
    assert journey.signal("worker", signal.SIGTERM) == 0
    took_s = time.monotonic() - began
    assert took_s < stretched(WITHIN_S)
    journey.model("echo")
    (row,) = journey.rows(
        "select lease_owner, lease_until <= now() as free from turns"
        " where tenant_id = $1::text::uuid",
        shop.tenant_id,
    )
    assert (row["lease_owner"], row["free"]) == (None, True)
    assert journey.wait_replies(phone) == ["Please wait"]
    journey.wait_idle(shop)
    assert journey.balance(shop) == Figures(999, 0, 1)
