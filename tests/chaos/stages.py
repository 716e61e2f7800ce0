"""A stage that runs beside a test: one thread starts, supervises and stops its processes."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.chaos.main import remove_stage
from benchmarks.chaos.stage import Stage

START_S = 90.0
STOP_S = 30.0


@contextmanager
def running(stage: Stage) -> Iterator[Stage]:
    """Run a stage until the block ends; its children belong to the thread that made them."""
    started, stop = threading.Event(), threading.Event()
    errors: list[BaseException] = []

    def supervise() -> None:
        try:
            stage.start()
            started.set()
            stage.watch(stop)
        except BaseException as error:  # noqa: BLE001 - told to the test
            errors.append(error)
            started.set()
        finally:
            stage.stop()

    thread = threading.Thread(target=supervise, name="stage")
    thread.start()
    try:
        assert started.wait(START_S), "the stage did not start"
        assert not errors, errors
        stage.wait_ready()
        yield stage
    finally:
        stop.set()
        thread.join(STOP_S)
        remove_stage(stage.data_dir)
    assert not thread.is_alive(), "the stage did not stop"
    assert not errors, errors
