"""A worker that freezes, loses its lease and wakes up: others have gone on, nothing comes twice."""

import time
from collections.abc import Sequence
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
WRITE_EVERY_S = 0.3
CASES = {
    # The stalled worker's turn is gone when it wakes, or has been sent under the same id.
    "ids of ours": (
        "claim.after_commit",
        "model.after_answer",
        "reply.after_commit",
        "send.after_attempt_commit",
        "send.after_provider_accepted",
    ),
    # Its send has been called unknown when it wakes, and then it arrives after all.
    "no ids of ours": ("send.before_provider_call",),
}


@pytest.mark.parametrize("case", CASES)
def test_a_worker_that_wakes_after_its_lease_says_nothing_twice(case: str, tmp_path: Path):
    directory, points = tmp_path / "stage", CASES[case]
    marks = directory / MARKS
    marks.mkdir(parents=True)
    plan = plan_of(marks, f"stall:{STALL_S * 1000:.0f}", points)
    stage = Stage(directory, workers=WORKERS, eager=True, overrides={**TIMINGS, **plan})
    with running(stage):
        business = open_businesses(stage, 2)[case == "no ids of ours"]
        scene = Scene(stage, [business])
        stall(scene, marks, points)
        awake_at = max(mark.stat().st_mtime for mark in marks.iterdir()) + STALL_S + 1
        scene.until(lambda: time.time() > awake_at, "the last one woke up")
        scene.verdict()


def stall(scene: Scene, marks: Path, points: Sequence[str]) -> None:
    """Have customers write, one each, until a worker froze at every point."""
    customers = iter(scene.invite(60))

    def all_fired() -> bool:
        if len(list(marks.iterdir())) == len(points):
            return True
        scene.write(next(customers))
        time.sleep(WRITE_EVERY_S)  # the pace of writing
        return False

    scene.until(all_fired, "a worker froze at each point")
