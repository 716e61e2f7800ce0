"""The arithmetic of the benchmarks, and the bodies they send."""

import json

import msgspec
import pytest

from app.core.signing import verify_hmac_sha512
from benchmarks.figures import Column, Report, median, percentile, tidy
from benchmarks.load import Plan
from benchmarks.reply import most_at_once
from benchmarks.webhooks import Number, WebhookMaker

NUMBERS = [Number(str(n), str(n), f"/webhooks/waha/{n}", f"desk-{n}", f"s{n}") for n in range(2)]


def test_percentile_is_a_value_that_was_measured() -> None:
    values = [float(n) for n in range(100, 0, -1)]
    assert percentile(values, 0.5) == 50
    assert percentile(values, 0.99) == 99
    assert percentile(values, 1) == 100
    assert percentile([7.0], 0.01) == 7
    assert percentile([], 0.5) == 0


def test_median_of_runs() -> None:
    assert median([3, 1, 2]) == 2
    assert median([]) == 0


@pytest.mark.parametrize(("value", "shown"), [(0.26349, 0.263), (1234.56, 1234.6), (7, 7)])
def test_figures_are_rounded_to_what_is_worth_reading(value: float, shown: float) -> None:
    assert tidy(value) == shown


def test_a_report_is_a_table_and_one_line_of_json() -> None:
    columns = [Column("ours / empty", [0.5, 0.7, 0.6], "≥ 0.6")]
    report = Report("ingest", {"ratio_to_empty": 0.6}, columns, ["a note"])
    assert json.loads(report.as_json()) == {"ratio_to_empty": 0.6}
    assert "\n" not in report.as_json()
    table = report.as_table()
    assert table.startswith("ingest: 3 runs")
    assert "0.6" in table
    assert table.endswith("- a note")


def test_calls_at_once_are_counted_over_their_length() -> None:
    assert most_at_once([0, 10, 99, 100, 250], 100) == 3
    assert most_at_once([], 100) == 0


def test_webhooks_are_distinct_signed_and_spread() -> None:
    made = list(WebhookMaker(NUMBERS, "1a").take(6))
    bodies = [msgspec.json.decode(signed.body) for signed in made]
    assert len({body["id"] for body in bodies}) == 6
    assert len({body["payload"]["id"] for body in bodies}) == 6
    assert len({body["payload"]["from"] for body in bodies}) == 6
    assert [signed.path for signed in made] == [n.path for n in NUMBERS] * 3
    assert all(
        verify_hmac_sha512(number.secret, signed.body, signed.signature)
        for number, signed in zip(NUMBERS * 3, made, strict=True)
    )


def test_two_makers_never_make_the_same_message() -> None:
    first = {signed.body for signed in WebhookMaker(NUMBERS, "1").take(4)}
    assert first.isdisjoint(signed.body for signed in WebhookMaker(NUMBERS, "2").take(4))


def test_a_plan_survives_the_way_to_the_generator() -> None:
    plan = Plan(8000, NUMBERS, "1", requests_max=5, duration_s=1.0, connections=2, rate=10.0)
    assert msgspec.json.decode(msgspec.json.encode(plan), type=Plan) == plan
