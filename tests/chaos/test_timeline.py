from collections import Counter
from pathlib import Path
from uuid import UUID

import pytest

from benchmarks.chaos.businesses import Business, invite
from benchmarks.chaos.outside import Outside
from benchmarks.chaos.stage import VICTIMS, Stage
from benchmarks.chaos.timeline import FAULTS, VICTIM_WEIGHTS, plan

BUSINESS = Business(
    tenant_id=UUID(int=1),
    channel_id=UUID(int=2),
    channel_key="key",
    session="drill",
    number="353719100200",
    secret="secret",
    waha=Outside("http://127.0.0.1:1"),
    keeps_client_ids=True,
)
CUSTOMERS = invite([BUSINESS], 20)


def test_the_same_seed_draws_the_same_plan():
    one = plan(7, messages=200, kills=10, customers=CUSTOMERS)
    assert plan(7, messages=200, kills=10, customers=CUSTOMERS) == one
    assert plan(8, messages=200, kills=10, customers=CUSTOMERS) != one


def test_a_plan_has_what_was_asked_for_in_order_of_time():
    duration_s, events = plan(1, messages=300, kills=25, customers=CUSTOMERS)
    counts = Counter(event.kind for event in events)
    assert counts["write"] == 300
    assert counts["kill"] == 25
    assert counts["fault"] > duration_s / 2
    moments = [event.at_s for event in events]
    assert moments == sorted(moments)
    tokens = [event.subject.token for event in events if event.kind == "write"]
    assert len(set(tokens)) == 300
    assert tokens == sorted(tokens), "tokens are numbered in the order of writing"


def test_waha_forgets_what_it_could_not_deliver_for_a_while():
    _, events = plan(1, messages=200, kills=0, customers=CUSTOMERS)
    (cut_off,) = [event.at_s for event in events if event.kind == "cut_off"]
    (forgets,) = [event.at_s for event in events if event.kind == "forget_deliveries"]
    written = [event for event in events if event.kind == "write"]
    assert any(cut_off < event.at_s < forgets for event in written), "only the gap sweep has them"


def test_every_process_can_be_a_victim():
    assert set(VICTIM_WEIGHTS) == set(VICTIMS)


def test_each_service_of_the_outside_world_fails_in_some_way():
    assert {fault["service"] for _, fault in FAULTS.values()} == {"webhook", "openai", "waha"}


def test_customers_are_all_different():
    assert len({customer.phone for customer in invite([BUSINESS], 1_200)}) == 1_200


def test_a_drill_refuses_servers_that_are_not_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:6379/0")
    with pytest.raises(Exception, match="REDIS_URL must not be set"):
        Stage(tmp_path).start()
