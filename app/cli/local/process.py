"""One child process: started through the shim, never outliving us, stopped within a grace."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SHIM = Path(__file__).with_name("exec_shim.py")
POLL_S = 0.02
LOG_LIMIT_BYTES = 5 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Identity:
    """The unprivileged user a child of root runs as."""

    uid: int
    gid: int


class ChildProcess:
    """A command with a log file. It can be spawned again after it died.

    Spawn from the main thread: Linux sends the parent-death signal when the *thread* that made
    the child ends. The child leads a session of its own, so a Ctrl-C in the terminal reaches only
    the supervisor, which then decides the order of stopping.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        log_path: Path,
        cwd: Path | None = None,
        identity: Identity | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        death_signal: signal.Signals = signal.SIGKILL,
    ) -> None:
        self.name = name
        self.argv = list(argv)
        self.log_path = log_path
        self._env = dict(env)
        self._cwd = cwd
        self._identity = identity
        self._stop_signal = stop_signal
        self._death_signal = death_signal
        self._popen: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Process id of the running or last child; None before the first spawn."""
        return self._popen.pid if self._popen else None

    def change_environment(self, changes: Mapping[str, str]) -> None:
        """Set variables that count from the next start on."""
        self._env |= changes

    def spawn(self) -> None:
        """Start the command and return at once; output is appended to the log file."""
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        uid, gid = (self._identity.uid, self._identity.gid) if self._identity else (-1, -1)
        shim = [
            *(sys.executable, "-I", "-S", str(SHIM)),
            *(str(os.getpid()), str(int(self._death_signal)), str(uid), str(gid)),
        ]
        with self.log_path.open("ab") as log:
            self._popen = subprocess.Popen(
                [*shim, *self.argv],
                env=self._env,
                cwd=self._cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def poll(self) -> int | None:
        """Exit status (negative: the signal that killed it), None while it runs."""
        if self._popen is None:
            return 0
        return self._popen.poll()

    def request_stop(self) -> None:
        """Send the stop signal, without waiting."""
        if self._popen is not None and self._popen.poll() is None:
            self._popen.send_signal(self._stop_signal)

    def finish_stop(self, grace_s: float) -> int | None:
        """Wait for the end, kill after `grace_s`; the exit status, None if it never ran."""
        if self._popen is None:
            return None
        try:
            return self._popen.wait(timeout=grace_s)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            return self._popen.wait()

    def stop(self, grace_s: float = 5.0) -> int | None:
        """Ask, wait, kill if it must be."""
        self.request_stop()
        return self.finish_stop(grace_s)


def wait_gone(pid: int, deadline_s: float) -> bool:
    """Whether process `pid`, no child of ours, has ended within `deadline_s`."""
    deadline = time.monotonic() + deadline_s
    while process_exists(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True


def process_exists(pid: int) -> bool:
    """Whether a process with this id runs, whoever it belongs to (zombies count as ended)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        # The state stands after the last ")" of the line: "12 (name) Z 1 …".
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True
    return not stat.rpartition(")")[2].lstrip().startswith(("Z", "X"))


def rotate_log(path: Path, limit_bytes: int = LOG_LIMIT_BYTES) -> None:
    """Move a log beyond the limit aside, keeping one older generation."""
    try:
        if path.stat().st_size > limit_bytes:
            path.replace(path.with_suffix(path.suffix + ".1"))
    except FileNotFoundError:
        return


def tail(path: Path, lines: int = 12) -> str:
    """The last lines of a log, for an error message; empty if there is none."""
    try:
        with path.open("rb") as log:
            log.seek(max(0, path.stat().st_size - 16_384))
            text = log.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])
