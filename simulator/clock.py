"""Time as the simulator sees it: epoch milliseconds, and one scale for every simulated wait."""

import asyncio
import time


def now_ms() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


class ScaledClock:
    """Waits shortened or stretched by `retry_scale` (1 is real time, 0 does not wait at all)."""

    def __init__(self) -> None:
        self.retry_scale = 1.0
        # Apart from the other: a pairing code must last while a person looks at it.
        self.pairing_scale = 1.0

    def scaled_s(self, seconds: float) -> float:
        """How long a wait of `seconds` lasts now, in seconds."""
        return seconds * self.retry_scale

    async def sleep_pairing(self, seconds: float) -> None:
        """Wait for as long as a pairing code is shown, scaled on its own."""
        await asyncio.sleep(seconds * self.pairing_scale)

    async def sleep(self, seconds: float) -> None:
        """Wait for `seconds`, scaled."""
        await asyncio.sleep(self.scaled_s(seconds))
