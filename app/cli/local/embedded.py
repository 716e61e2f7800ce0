"""What the embedded servers share: a directory held, a child process, stopping in two steps."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from app.cli.local.lock import DirectoryLock
from app.cli.local.process import ChildProcess


class EmbeddedServer(ABC):
    """One server whose data, or port, lives in `data_dir`. Start it from the main thread."""

    name: ClassVar[str]
    start_s: ClassVar[float]
    stop_s: ClassVar[float]

    def __init__(self, data_dir: Path, log_path: Path | None) -> None:
        self.data_dir = data_dir.absolute()
        self.log_path = log_path or self.data_dir / f"{self.name}.log"
        self._lock = DirectoryLock(self.data_dir)
        self._process: ChildProcess | None = None

    @abstractmethod
    def prepare(self) -> None:
        """Take the directory, and settle what the server needs before it is started."""

    @abstractmethod
    def spawn(self) -> None:
        """Start the server process without waiting for it; `prepare` must have run."""

    @abstractmethod
    def wait_ready(self, timeout_s: float | None = None) -> None:
        """Wait until the server can be used; `EmbeddedServerError` when it cannot in time."""

    @property
    def pid(self) -> int | None:
        """Process id of the server."""
        return self._process.pid if self._process else None

    def start(self, timeout_s: float | None = None) -> None:
        """Make what is missing, start the server, return when it is ready."""
        self.prepare()
        self.spawn()
        self.wait_ready(timeout_s)

    def poll(self) -> int | None:
        """Exit status of the server, None while it runs."""
        return self._process.poll() if self._process else 0

    def restart(self, timeout_s: float | None = None) -> None:
        """Start again on the same port after a stop or a crash, keeping the directory."""
        if self._process is not None:
            self._process.stop(self.stop_s)
        self.spawn()
        self.wait_ready(timeout_s)

    def request_stop(self) -> None:
        """Ask for the end, without waiting."""
        if self._process is not None:
            self._process.request_stop()

    def finish_stop(self, grace_s: float | None = None) -> int | None:
        """Wait for the end (kill after `grace_s`) and give the directory back."""
        grace_s = self.stop_s if grace_s is None else grace_s
        try:
            return self._process.finish_stop(grace_s) if self._process else None
        finally:
            self._lock.release()

    def stop(self, grace_s: float | None = None) -> int | None:
        """Stop the server."""
        self.request_stop()
        return self.finish_stop(grace_s)
