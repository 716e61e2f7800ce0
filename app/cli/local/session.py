"""One supervised run from start to stop: signals, the work beside the supervision, exit code."""

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Protocol

from app.cli.errors import ExitCode

JOIN_S = 2.0


class Stack(Protocol):
    """What can be started, watched and stopped."""

    def start(self) -> None:
        """Start everything, or raise."""

    def watch(self, stop: threading.Event) -> None:
        """Keep everything alive until `stop` is set."""

    def stop(self) -> None:
        """Stop everything; also after a failed start."""


class Session:
    """Runs a stack in the main thread and `beside` in another.

    Children have to be started by the main thread (see `ChildProcess`), which therefore watches
    them while `beside` talks to them. SIGINT and SIGTERM stop everything: exit code 0. An error of
    `beside` stops everything too, and is raised here after the stop.
    """

    def __init__(self, stack: Stack, beside: Callable[[threading.Event], None]) -> None:
        self._stack = stack
        self._beside = beside
        self._stop = threading.Event()
        self._started = False
        self._error: Exception | None = None

    def run(self) -> int:
        """Start, watch, stop. Returns 0; raises what went wrong."""
        previous = {
            number: signal.signal(number, self._on_signal)
            for number in (signal.SIGINT, signal.SIGTERM)
        }
        thread = threading.Thread(target=self._run_beside, daemon=True, name="beside")
        try:
            self._stack.start()
            self._started = True
            thread.start()
            self._stack.watch(self._stop)
        except KeyboardInterrupt:
            self._stop.set()
        finally:
            # A second Ctrl-C must not leave half of it running; the stop is bounded anyway.
            for number in previous:
                signal.signal(number, signal.SIG_IGN)
            self._stop.set()
            self._stack.stop()
            if thread.is_alive():
                thread.join(JOIN_S)
            for number, handler in previous.items():
                signal.signal(number, handler)
        if self._error is not None:
            raise self._error
        return ExitCode.DONE

    def _run_beside(self) -> None:
        try:
            self._beside(self._stop)
        except Exception as error:  # noqa: BLE001 - carried to the main thread
            if not self._stop.is_set():  # else: servers that stop break conversations off
                self._error = error
                self._stop.set()

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        if self._started:
            self._stop.set()
        else:
            raise KeyboardInterrupt
