"""One stack of real processes for all journeys of a session; each test starts from calm."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys.stack import Journey


@pytest.fixture(scope="session")
def running() -> Iterator[Journey]:
    """The stack: servers, simulator, API, worker and scheduler on free ports."""
    data_dir = Path(tempfile.mkdtemp(prefix="parley-journeys-"))
    journey = Journey(data_dir)
    try:
        journey.start()
        yield journey
    finally:
        journey.stop()
        shutil.rmtree(data_dir, ignore_errors=True)


@pytest.fixture
def journey(running: Journey) -> Iterator[Journey]:
    """The stack with everything up, nothing failing and an echoing model."""
    running.settle()
    running.sim("DELETE", "/_sim/faults")
    running.sim("POST", "/_sim/acks", {"mode": "normal"})
    running.model("echo")
    yield running
    running.settle()
    running.assert_proved()
