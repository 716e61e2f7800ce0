"""The benchmarks by name; each returns its figures and a table."""

import importlib

from benchmarks.figures import Report

BENCHMARKS = {
    "ingest": "benchmarks.ingest.comparison",
    "reply": "benchmarks.reply",
    "latency": "benchmarks.latency",
    "fairness": "benchmarks.fairness",
    "ledger": "benchmarks.ledger",
    "login": "benchmarks.login",
    "web": "benchmarks.web.pages",
    "retrieval": "benchmarks.retrieval",
}


def run_benchmark(name: str, runs: int) -> Report:
    """Run one benchmark ``runs`` times; the figures are medians."""
    report: Report = importlib.import_module(BENCHMARKS[name]).run(runs)
    return report
