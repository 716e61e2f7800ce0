"""What the supervisor can look after: an embedded server or a process of ours."""

from typing import Protocol


class Service(Protocol):
    """Started without waiting, asked how it is, stopped in two steps so that many stop at once."""

    @property
    def name(self) -> str:
        """Short name, as in run.json."""

    @property
    def pid(self) -> int | None:
        """Process id of the running or last process."""

    def spawn(self) -> None:
        """Start the process; return at once."""

    def poll(self) -> int | None:
        """Exit status, None while it runs."""

    def request_stop(self) -> None:
        """Ask for the end; return at once."""

    def finish_stop(self, grace_s: float) -> int | None:
        """Wait for the end, kill after the grace; the exit status."""
