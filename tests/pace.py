"""Limits of time on a machine that others keep busy."""

import time

_SAMPLE_S = 0.05


def stretched(limit_s: float) -> float:
    """A limit that holds on an idle machine, in the time of this one as it is just now.

    Some work that takes 50 ms of a processor tells how much longer than that everything takes:
    nothing longer where nobody else works, so that the limit stays what was promised.
    """
    began_s, worked_s = time.monotonic(), time.thread_time()
    while time.thread_time() - worked_s < _SAMPLE_S:
        pass
    return limit_s * max(1.0, (time.monotonic() - began_s) / _SAMPLE_S)
