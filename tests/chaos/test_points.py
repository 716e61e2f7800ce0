"""The fault matrix: at every registered point the process dies, the answer is lost, or time is."""

import threading
import time
from collections.abc import Iterator

import pytest

from app.core.faults import FAULT_POINTS
from benchmarks.chaos.businesses import open_businesses
from benchmarks.chaos.points import ACTIONS, Action, Matrix, build_stage
from tests.chaos.scene import Scene
from tests.chaos.stages import running

pytestmark = pytest.mark.timeout(240)

# Longer than any lease: an attempt's lease outlasts the time its call may take by 5 s.
STALL_S = 7.0
WRITE_EVERY_S = 0.3
# The turn is somebody else's when the worker wakes, or its text was sent under the same id.
STALLS = ("model.after_answer", "send.after_attempt_commit", "send.after_provider_accepted")


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Matrix]:
    with running(build_stage(tmp_path_factory.mktemp("points") / "stage")) as stage:
        yield Matrix(stage, stop=threading.Event())


@pytest.mark.parametrize("action", ACTIONS)
def test_every_point_survives(matrix: Matrix, action: Action):
    found = matrix.run_round(action)
    assert found.missed == []
    assert found.fired == set(FAULT_POINTS)
    assert found.outstanding == []
    assert found.verdict.lost == []
    assert found.verdict.doubled == []
    assert found.verdict.out_of_order == []
    assert found.verdict.drift == []
    assert found.unanswered == 0, found.verdict.dispositions


def test_a_worker_that_wakes_after_its_lease_says_nothing_twice(matrix: Matrix):
    """Others have gone on while it was frozen, and nothing comes twice."""
    matrix.arm(f"stall:{STALL_S * 1000:.0f}", STALLS)
    scene = Scene(matrix.stage, open_businesses(matrix.stage, 1, first=10), first_customer=100)
    customers = iter(scene.invite(60))

    def all_fired() -> bool:
        if len(list(matrix.marks.iterdir())) == len(STALLS):
            return True
        scene.write(next(customers))
        time.sleep(WRITE_EVERY_S)  # the pace of writing
        return False

    scene.until(all_fired, "a worker froze at each point")
    awake_at = max(mark.stat().st_mtime for mark in matrix.marks.iterdir()) + STALL_S + 1
    scene.until(lambda: time.time() > awake_at, "the last one woke up")
    scene.verdict()
