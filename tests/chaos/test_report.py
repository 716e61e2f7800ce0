"""What a campaign calls kept, and how it says so."""

from collections import Counter
from decimal import Decimal

import pytest

from benchmarks.chaos.campaign import Order, Outcome
from benchmarks.chaos.report import as_json, lines
from benchmarks.chaos.verdict import Verdict

ORDER = Order(messages=100, seed=1, customers=10, tenants=2, kills=3)
ANSWERED = Verdict(dispositions=Counter(merged=50, answered=30, send_unknown=20))


def last_line(outcome: Outcome) -> str:
    return [*lines(outcome)][-1].strip()


def test_a_campaign_that_came_to_its_end_is_kept():
    outcome = Outcome(ORDER, verdict=ANSWERED)
    assert outcome.kept
    assert last_line(outcome) == "every promise kept"


def test_what_never_ends_is_no_kept_promise():
    outcome = Outcome(ORDER, verdict=ANSWERED, outstanding=["9 events not read"])
    assert not outcome.kept
    assert last_line(outcome) == "A PROMISE WAS BROKEN"


def test_who_gives_everything_to_people_has_proved_nothing():
    verdict = Verdict(dispositions=Counter(failed_handed_off=60, answered=40))
    outcome = Outcome(ORDER, verdict=verdict)
    assert not outcome.kept
    assert "  MOSTLY SILENT    40 of 100 messages were answered" in [*lines(outcome)]


@pytest.mark.parametrize("messages", [1, 3])
def test_of_a_few_messages_all_may_be_in_doubt(messages: int):
    order = Order(messages=messages, seed=1, customers=1, tenants=1, kills=1)
    assert Outcome(order, verdict=Verdict(dispositions=Counter(send_unknown=messages))).kept


def test_credits_are_told_without_an_exponent():
    verdict = Verdict(spent_credits=Decimal(60_000_000) / 1_000_000)
    assert as_json(Outcome(ORDER, verdict=verdict))["spent_credits"] == "60"
