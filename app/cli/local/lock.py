"""One owner per data directory: an advisory file lock that dies with its holder."""

import fcntl
import json
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from app.cli.local.files import read_json

RETRY_S = 0.2


class DirectoryHeldError(Exception):
    """Another live process owns the directory; the message names its pid."""

    def __init__(self, directory: Path, holder_pid: int | None) -> None:
        who = f"process {holder_pid}" if holder_pid else "another process"
        super().__init__(f"{directory} is in use by {who}")
        self.directory = directory
        self.holder_pid = holder_pid


class DirectoryLock:
    """`flock` on `<directory>/lock`; the file names the holder's pid.

    The kernel frees it when the holder dies however it dies, so there is no stale lock to clean.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.path = directory / "lock"
        self._fd: int | None = None

    def acquire(self) -> None:
        """Take the lock. Raises `DirectoryHeldError` at once when someone else has it."""
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        if not _lock_soon(fd):
            os.close(fd)
            raise DirectoryHeldError(self.directory, holder(self.directory))
        os.ftruncate(fd, 0)
        os.write(fd, json.dumps({"pid": os.getpid()}).encode())
        self._fd = fd

    def release(self) -> None:
        """Give the lock back; without effect when it is not held."""
        if self._fd is not None:
            os.ftruncate(self._fd, 0)
            os.close(self._fd)
            self._fd = None

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


def _lock_soon(fd: int) -> bool:
    """Try for a moment: `is_held` of a passing command takes a shared lock for an instant."""
    deadline = time.monotonic() + RETRY_S
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        else:
            return True


def holder(directory: Path) -> int | None:
    """Pid written in the directory's lock file, None if there is none."""
    value = (read_json(directory / "lock") or {}).get("pid")
    return value if isinstance(value, int) else None


def is_held(directory: Path) -> bool:
    """Whether a live process owns the directory."""
    try:
        fd = os.open(directory / "lock", os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False
