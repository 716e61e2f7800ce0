"""The supervisor: what dies is started again, forever, and stopping is orderly."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from app.cli.errors import CommandError
from app.cli.local.process import ChildProcess, process_exists, tail
from app.cli.local.session import Session
from app.cli.local.supervisor import DELAY_MAX_S, Supervisor
from tests.pace import stretched

SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)"]
DEAF = [
    sys.executable,
    "-c",
    "import signal as s, time; s.signal(15, s.SIG_IGN); print('deaf', flush=True); time.sleep(600)",
]


class Mortal:
    """A service that dies whenever the test says so."""

    pid = 1

    def __init__(self, name: str, log: list[str]) -> None:
        self.name = name
        self.status: int | None = None
        self.log = log

    def spawn(self) -> None:
        self.log.append(f"spawn {self.name}")
        self.status = None

    def poll(self) -> int | None:
        return self.status

    def request_stop(self) -> None:
        self.log.append(f"stop {self.name}")

    def finish_stop(self, grace_s: float) -> int | None:
        return 0 if grace_s > 0 else None


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def child(tmp_path: Path, argv: list[str]) -> ChildProcess:
    return ChildProcess("child", argv, env={}, log_path=tmp_path / "logs" / "child.log")


def until(condition: Callable[[], bool], within_s: float = 30.0) -> float:
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < within_s
        time.sleep(0.01)
    return time.monotonic() - started


def test_a_killed_process_is_back_within_two_seconds(tmp_path: Path) -> None:
    changes: list[dict[str, int | None]] = []
    supervisor = Supervisor(on_change=lambda: changes.append(supervisor.pids()))
    process = child(tmp_path, SLEEPER)
    process.spawn()
    supervisor.watch(process, group=0)
    first = process.pid
    assert first is not None

    os.kill(first, signal.SIGKILL)

    def back() -> bool:
        supervisor.check()
        return process.poll() is None and process.pid != first

    took_s = until(back)
    assert took_s < stretched(2)
    assert changes == [{"child": process.pid}]
    supervisor.stop()
    assert not process_exists(process.pid or 0)


def test_it_waits_longer_after_quick_deaths_but_never_more_than_two_seconds() -> None:
    clock = Clock()
    log: list[str] = []
    supervisor = Supervisor(clock=clock)
    mortal = Mortal("api", log)
    supervisor.watch(mortal, group=0)
    waits: list[float] = []
    for _ in range(12):
        mortal.status = 1
        died_s = clock.now_s
        while mortal.poll() is not None:
            supervisor.check()
            clock.now_s += 0.05
        waits.append(clock.now_s - died_s)
    assert waits == sorted(waits)
    assert waits[0] < 0.4
    assert waits[-1] <= DELAY_MAX_S + 0.2 < 2
    assert len(log) == 12

    clock.now_s += 60
    mortal.status = -9
    supervisor.check()
    assert len(log) == 13, "a death after a long life is repaired at once"


def test_dependants_stop_first() -> None:
    log: list[str] = []
    supervisor = Supervisor()
    supervisor.watch(Mortal("postgres", log), group=0)
    supervisor.watch(Mortal("api", log), group=2)
    supervisor.watch(Mortal("simulator", log), group=1)
    supervisor.watch(Mortal("worker", log), group=2)
    supervisor.stop()
    assert log == ["stop api", "stop worker", "stop simulator", "stop postgres"]


def test_a_process_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    process = child(tmp_path, DEAF)
    process.spawn()
    until(lambda: "deaf" in tail(process.log_path))
    assert process.stop(grace_s=0.2) == -signal.SIGKILL


class FakeStack:
    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.stopped = 0

    def start(self) -> None:
        if self.error:
            raise self.error

    def watch(self, stop: threading.Event) -> None:
        assert stop.wait(10)

    def stop(self) -> None:
        self.stopped += 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_session_with_0(number: signal.Signals) -> None:
    stack = FakeStack()
    before = signal.getsignal(number)
    session = Session(stack, lambda _stop: os.kill(os.getpid(), number))
    assert session.run() == 0
    assert stack.stopped == 1
    assert signal.getsignal(number) is before


def test_what_goes_wrong_beside_ends_the_session() -> None:
    def beside(_stop: threading.Event) -> None:
        raise CommandError(1, "no reply")

    stack = FakeStack()
    with pytest.raises(CommandError, match="no reply"):
        Session(stack, beside).run()
    assert stack.stopped == 1


def test_a_failed_start_is_cleaned_up() -> None:
    stack = FakeStack(CommandError(3, "no database"))
    with pytest.raises(CommandError, match="no database"):
        Session(stack, lambda _stop: None).run()
    assert stack.stopped == 1
