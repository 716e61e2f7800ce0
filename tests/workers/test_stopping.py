"""A worker that is told to stop while it still starts."""

import signal
from collections.abc import Iterator

import pytest

from tests.serving import undisturbed_logging
from workers import main

NUMBERS = (signal.SIGTERM, signal.SIGINT)


class Idle:
    """A runtime without parts."""

    def __init__(self, _settings: object) -> None:
        """Need nothing."""

    def start(self) -> None:
        """Start nothing."""

    def stop(self) -> None:
        """Stop nothing."""


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Give the process its own back."""
    before = {number: signal.getsignal(number) for number in NUMBERS}
    with undisturbed_logging():
        yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_stop_is_ours_before_celery_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """An exit that Celery meets in its start would wait for the broker, who may be away."""
    found: list[object] = []

    def work(*_: object) -> None:
        found.extend(getattr(signal.getsignal(number), "__self__", None) for number in NUMBERS)

    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1")
    monkeypatch.setattr(main, "Runtime", Idle)
    monkeypatch.setattr(main, "register", lambda *_: None)
    monkeypatch.setattr(main, "_work", work)
    assert main.run_worker() == 0
    assert [type(each) for each in found] == [main._Stopper] * 2
