"""The fault matrix: at every registered point the process dies, or the answer is lost."""

import threading
from pathlib import Path

import pytest

from app.core.faults import FAULT_POINTS
from benchmarks.chaos.points import ACTIONS, Action, Matrix, build_stage
from tests.chaos.stages import running

pytestmark = pytest.mark.timeout(240)


@pytest.mark.parametrize("action", ACTIONS)
def test_every_point_survives(action: Action, tmp_path: Path):
    with running(build_stage(tmp_path / "stage", action)) as stage:
        found = Matrix(stage, action, stop=threading.Event()).run_round()
    assert found.missed == []
    assert found.fired == set(FAULT_POINTS)
    assert found.outstanding == []
    assert found.verdict.lost == []
    assert found.verdict.doubled == []
    assert found.verdict.out_of_order == []
    assert found.verdict.drift == []
    assert found.unanswered == 0, found.verdict.dispositions
