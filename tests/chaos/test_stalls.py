"""A worker that freezes, loses its lease and wakes up: others have gone on, it says nothing."""

import time
from pathlib import Path

import pytest

from benchmarks.chaos.businesses import open_businesses
from benchmarks.chaos.points import MARKS, TIMINGS, WORKERS, plan_of
from benchmarks.chaos.stage import Stage
from tests.chaos.scene import Scene
from tests.chaos.stages import running

pytestmark = pytest.mark.timeout(240)

# Longer than any lease: an attempt's lease outlasts the time its call may take by 5 s.
STALL_S = 8.0
POINTS = (
    "claim.after_commit",
    "model.after_answer",
    "reply.after_commit",
    "send.after_attempt_commit",
    "send.after_provider_accepted",
)


def test_a_worker_that_wakes_after_its_lease_sends_nothing(tmp_path: Path):
    directory = tmp_path / "stage"
    marks = directory / MARKS
    marks.mkdir(parents=True)
    plan = plan_of(marks, f"stall:{STALL_S * 1000:.0f}", POINTS)
    stage = Stage(directory, workers=WORKERS, eager=True, overrides={**TIMINGS, **plan})
    with running(stage):
        scene = Scene(stage, open_businesses(stage, 1))
        # One after the other: a frozen worker holds up whatever else it is doing.
        for number, customer in enumerate(scene.invite(30)):
            if len(list(marks.iterdir())) == len(POINTS):
                break
            scene.write(customer)
            scene.until(
                lambda n=number: len(list(marks.iterdir())) > n // 4 or scene.answered(customer),  # noqa: B023
                "a reply, or a frozen worker",
            )
        stalled = sorted(mark.name for mark in marks.iterdir())
        assert stalled == sorted(POINTS)
        awake_at = max(mark.stat().st_mtime for mark in marks.iterdir()) + STALL_S + 1
        scene.until(lambda: time.time() > awake_at, "the last one woke up")
        scene.verdict()
