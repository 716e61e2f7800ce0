"""A worker that freezes, loses its lease and wakes up: others have gone on, nothing comes twice."""

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
STALL_S = 7.0
WRITE_EVERY_S = 0.3
# The turn is somebody else's when the worker wakes, or its text was sent under the same id.
POINTS = ("model.after_answer", "send.after_attempt_commit", "send.after_provider_accepted")


def test_a_worker_that_wakes_after_its_lease_says_nothing_twice(tmp_path: Path):
    directory = tmp_path / "stage"
    marks = directory / MARKS
    marks.mkdir(parents=True)
    plan = plan_of(marks, f"stall:{STALL_S * 1000:.0f}", POINTS)
    stage = Stage(directory, workers=WORKERS, eager=True, overrides={**TIMINGS, **plan})
    with running(stage):
        scene = Scene(stage, open_businesses(stage, 1))
        customers = iter(scene.invite(60))

        def all_fired() -> bool:
            if len(list(marks.iterdir())) == len(POINTS):
                return True
            scene.write(next(customers))
            time.sleep(WRITE_EVERY_S)  # the pace of writing
            return False

        scene.until(all_fired, "a worker froze at each point")
        awake_at = max(mark.stat().st_mtime for mark in marks.iterdir()) + STALL_S + 1
        scene.until(lambda: time.time() > awake_at, "the last one woke up")
        scene.verdict()
