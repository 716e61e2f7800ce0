"""Password hashes: argon2id, off the event loop, a bounded number at a time.

Cost: 32 MiB, three passes, one lane (OWASP's minimum is 19 MiB and two). A hash takes some
80 ms of one core, so a semaphore keeps memory and cores free for the rest of the process.
"""

import asyncio
from dataclasses import dataclass

CHARS_MIN = 8
CHARS_MAX = 128
_AT_ONCE_MAX = 4


@dataclass(frozen=True, slots=True)
class HashCost:
    """What a hash costs: memory in KiB, passes over it."""

    memory_kib: int = 32 * 1024
    passes: int = 3


class PasswordHasher:
    """Hashes and checks passwords; an unknown account costs the same time as a known one."""

    def __init__(self, cost: HashCost | None = None, *, at_once_max: int = _AT_ONCE_MAX) -> None:
        from argon2 import PasswordHasher as Argon2

        cost = cost or HashCost()
        self._argon2 = Argon2(time_cost=cost.passes, memory_cost=cost.memory_kib, parallelism=1)
        self._slots = asyncio.Semaphore(at_once_max)
        # Checked in place of the hash that an unknown account does not have.
        self._nobody = self._argon2.hash("nobody signs in with this")

    async def hash(self, password: str) -> str:
        """Return the encoded hash of a password."""
        async with self._slots:
            return await asyncio.to_thread(self._argon2.hash, _bytes(password))

    async def verify(self, password: str, stored: str | None) -> bool:
        """Tell whether a password belongs to a hash; ``None`` takes as long and never does."""
        async with self._slots:
            matches = await asyncio.to_thread(self._matches, password, stored or self._nobody)
        return matches and stored is not None

    def is_outdated(self, stored: str) -> bool:
        """Tell whether a hash was made at another cost and should be made anew."""
        return self._argon2.check_needs_rehash(stored)

    def _matches(self, password: str, stored: str) -> bool:
        from argon2.exceptions import InvalidHashError, VerificationError

        # Beyond what a password can be nothing is hashed in full: the answer is no anyway.
        try:
            return self._argon2.verify(stored, _bytes(password[: CHARS_MAX + 1]))
        except (VerificationError, InvalidHashError):
            return False


def _bytes(password: str) -> bytes:
    # As typed, whatever that is: even half a surrogate pair is somebody's key press.
    return password.encode("utf-8", "surrogatepass")
