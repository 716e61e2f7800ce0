"""Running drills from the command line: a stage in a directory of its own, a report, a status."""

import json
import shutil
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

from app.cli.errors import ExitCode
from app.cli.local.files import read_json
from app.cli.local.install import remove_cluster
from app.cli.local.session import Session
from benchmarks.chaos import report
from benchmarks.chaos.campaign import Campaign, Order, Outcome
from benchmarks.chaos.points import ACTIONS, Matrix, Round, build_stage
from benchmarks.chaos.stage import Stage

Say = Callable[[str], None]
Work = Callable[[Stage, threading.Event], None]


def run_campaign(
    *,
    messages: int,
    seed: int,
    customers: int,
    tenants: int,
    kills: int,
    say: Say,
    tell: Say,
    answer: Say,
    keep: bool,
) -> int:
    """Run one campaign; `say` gets progress, `tell` the report, `answer` the JSON line.

    Returns 0 when every promise was kept, else 1.
    """
    order = Order(messages=messages, seed=seed, customers=customers, tenants=tenants, kills=kills)
    outcomes: list[Outcome] = []

    def work(stage: Stage, stop: threading.Event) -> None:
        outcomes.append(Campaign(stage, order, stop=stop, report=say).run())

    on_stage(work, say=say, keep=keep)
    for outcome in outcomes:
        for line in report.lines(outcome):
            tell(line)
        answer(json.dumps(report.as_json(outcome)))
    return ExitCode.DONE if outcomes and outcomes[0].kept else ExitCode.WRONG


def run_points(rounds: int, *, say: Say, tell: Say, answer: Say, keep: bool) -> int:
    """Kill, then drop, at every fault point, `rounds` times each; else as `run_campaign`."""
    found: list[Round] = []

    def work(stage: Stage, stop: threading.Event) -> None:
        matrix = Matrix(stage, stop=stop, report=say)
        found.extend(matrix.run_round(action) for _ in range(rounds) for action in ACTIONS)

    on_stage(work, say=say, keep=keep, build=build_stage)
    for line in report.round_lines(found):
        tell(line)
    answer(json.dumps(report.rounds_as_json(found)))
    complete = len(found) == rounds * len(ACTIONS) and all(each.kept for each in found)
    return ExitCode.DONE if complete else ExitCode.WRONG


def on_stage(work: Work, *, say: Say, keep: bool, build: Callable[[Path], Stage] = Stage) -> None:
    """Set a stage up, do some work beside its supervision, and take it down again."""
    directory = Path(tempfile.mkdtemp(prefix="parley-chaos-"))
    stage = build(directory)

    def beside(stop: threading.Event) -> None:
        stage.wait_ready()
        work(stage, stop)
        stop.set()

    try:
        Session(stage, beside).run()
    finally:
        if keep:
            say(f"data and logs are kept in {directory}")
        else:
            remove_stage(directory)


def remove_stage(directory: Path) -> None:
    """Delete a stopped stage's directory, and its cluster, which as root stands elsewhere."""
    cluster = read_json(directory / "postgres" / "cluster.json")
    if cluster:
        remove_cluster(Path(cluster["directory"]))
    shutil.rmtree(directory, ignore_errors=True)
