"""A circuit breaker: a store that keeps failing is left alone, except for a probe now and then."""

import time
from collections import deque
from collections.abc import Callable

_CONSECUTIVE_MAX = 5
_WINDOW_CALLS = 20
_FAILURE_SHARE = 0.5
_PROBE_EVERY_S = 2.0


class CircuitBreaker:
    """Opens after 5 failures in a row, or when half of the last 20 calls failed.

    While open one call every 2 s is let through; its success closes the circuit. ``on_change``
    hears of each transition once, with True when the circuit opened.
    """

    def __init__(
        self,
        on_change: Callable[[bool], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._on_change = on_change
        self._clock = clock
        self._failed: deque[bool] = deque(maxlen=_WINDOW_CALLS)
        self._consecutive = 0
        self._probe_at_s = 0.0
        self.is_open = False

    def allows(self) -> bool:
        """Tell whether to call the store now; while open this takes the probe's place."""
        if not self.is_open:
            return True
        now_s = self._clock()
        if now_s < self._probe_at_s:
            return False
        self._probe_at_s = now_s + _PROBE_EVERY_S
        return True

    def succeeded(self) -> None:
        """Record an answer."""
        self._consecutive = 0
        if self.is_open:
            self.is_open = False
            self._failed.clear()
            self._on_change(False)
        self._failed.append(False)

    def failed(self) -> None:
        """Record a failure or a time-out."""
        self._consecutive += 1
        self._failed.append(True)
        if self.is_open:
            return
        full = len(self._failed) == _WINDOW_CALLS
        half = full and sum(self._failed) >= _WINDOW_CALLS * _FAILURE_SHARE
        if self._consecutive >= _CONSECUTIVE_MAX or half:
            self.is_open = True
            self._probe_at_s = self._clock() + _PROBE_EVERY_S
            self._on_change(True)
