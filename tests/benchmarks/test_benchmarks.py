"""Each benchmark runs through on tiny counts and names the figures that other programs read."""

import json

from benchmarks import fairness, latency, ledger, login, reply, retrieval
from benchmarks.ingest import comparison
from benchmarks.pipeline import Pipeline
from benchmarks.servers import Servers


def test_ingest_compares_three_applications(machine: Servers) -> None:
    scale = comparison.Scale(numbers=2, connections=4, duration_s=0.2, rate_max=400)
    report = comparison.measure(machine, 1, scale)
    figures = json.loads(report.as_json())
    assert figures.keys() >= {
        *("empty_rps", "typical_rps", "ours_rps"),
        *("ratio_to_empty", "ratio_to_typical", "p99_half_load_ms"),
    }
    # So few requests may cost less CPU than the kernel's clock of it can tell.
    assert all(value > 0 for name, value in figures.items() if not name.endswith("_cpu_us"))
    assert figures["ours_cpu_us"] >= 0
    assert "ours / empty" in report.as_table()


def test_ledger_holds_and_settles(machine: Servers) -> None:
    scale = ledger.Scale(clients=2, duration_s=0.1, batch=4, tenants=3)
    figures = ledger.measure(machine, 1, scale).figures
    assert figures.keys() >= {"update_tps", "ours_tps", "ratio_to_update"}
    assert all(value > 0 for value in figures.values())


def test_login_compares_known_and_unknown_accounts(machine: Servers) -> None:
    figures = login.measure(machine, 1, login.Scale(attempts=3, accounts=2)).figures
    assert figures.keys() >= {"known_ms", "unknown_ms", "difference_ms", "chance_to_tell"}
    assert 0.5 <= figures["chance_to_tell"] <= 1
    assert login.tell_apart([1.0, 2.0], [1.0, 2.0]) == 0.5
    assert login.tell_apart([1.0, 2.0], [3.0, 4.0]) == 1


def test_retrieval_searches_by_index(machine: Servers) -> None:
    scale = retrieval.Scale(tenants=3, chunks=40, searches=3, embedded=0)
    figures = retrieval.measure(machine, 1, scale).figures
    assert 0 < figures["p50_ms"] <= figures["p95_ms"]
    assert figures["chunks"] >= 120


def test_the_pipeline_answers(bench: Pipeline) -> None:
    scale = reply.Scale(replies=4, businesses=2, delay_ms=50)
    figures = reply.measure(bench, 1, scale).figures
    assert figures.keys() == {"cpu_ms_per_reply", "in_flight_max", "replies_per_s"}
    assert 1 <= figures["in_flight_max"] <= 4


def test_latency_is_told_of_every_message(bench: Pipeline) -> None:
    scale = latency.Scale(messages=3, per_s=20, businesses=1)
    figures = latency.measure(bench, 1, scale).figures
    assert 0 < figures["p50_ms"] <= figures["p95_ms"]


def test_fairness_measures_alone_and_beside(bench: Pipeline) -> None:
    scale = fairness.Scale(backlog=4, messages=2, per_s=20, delay_ms=50)
    figures = fairness.measure(bench, 1, scale).figures
    assert figures.keys() == {"p95_alone_ms", "p95_noisy_ms"}
    assert all(value > 0 for value in figures.values())
