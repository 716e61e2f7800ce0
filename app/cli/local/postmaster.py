"""PostgreSQL's own lock file, `postmaster.pid`: is it ready, is it stale, who left it?"""

import os
import signal
from pathlib import Path

from app.cli.local.install import EmbeddedServerError
from app.cli.local.process import process_exists, wait_gone

RECLAIM_S = 5.0
STATUS_LINE = 7  # counted from 0; the server writes "starting" there, "ready", then "stopping"


def is_ready(pgdata: Path, pid: int | None) -> bool:
    """Whether the server `pid` has written that it takes queries."""
    return _status(pgdata, pid) == "ready"


def is_stopping(pgdata: Path, pid: int | None) -> bool:
    """Whether the server `pid` has written that it takes no new connections and will end."""
    return _status(pgdata, pid) == "stopping"


def left_over_pid(pgdata: Path) -> int | None:
    """Pid of a server that still runs on `pgdata`; None for a stale file or none.

    Pids are reused, so a live pid counts only when its process was started on this very directory.
    """
    lines = _lines(pgdata)
    if not lines or not lines[0].isdigit():
        return None
    pid = int(lines[0])
    if not process_exists(pid):
        return None
    command = _command_line(pid)
    return None if command is not None and str(pgdata) not in command else pid


def end_left_over(pgdata: Path) -> None:
    """End a server whose supervisor was killed. The caller holds the data directory's lock."""
    pid = left_over_pid(pgdata)
    if pid is None:
        return
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
        if wait_gone(pid, RECLAIM_S):
            return
    raise EmbeddedServerError(f"process {pid} still serves {pgdata} and cannot be ended")


def clear_stale_file(pgdata: Path) -> None:
    """Remove the file of a killed server: its pid may belong to a stranger by now."""
    if left_over_pid(pgdata) is None:
        (pgdata / "postmaster.pid").unlink(missing_ok=True)


def _status(pgdata: Path, pid: int | None) -> str | None:
    lines = _lines(pgdata)
    if len(lines) <= STATUS_LINE or lines[0] != str(pid):
        return None
    return lines[STATUS_LINE].strip()


def _lines(pgdata: Path) -> list[str]:
    try:
        return (pgdata / "postmaster.pid").read_text().splitlines()
    except OSError:
        return []


def _command_line(pid: int) -> str | None:
    """The process's arguments; None where the system does not tell."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace")
    except OSError:
        return None
