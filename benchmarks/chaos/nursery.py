"""Workers that are there at once: forked from a process that has loaded everything already.

A worker that dies at every fault point in turn would spend most of a drill importing. The child
is a process of its own like any other: it reads its own environment, opens its own connections
and dies alone.
"""

import gc
import importlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from app.cli.local.exec_shim import die_with_parent
from app.cli.local.process import POLL_S, process_exists

# What a worker loads on its way, also what it loads on first use.
_LOADED = (
    "app.cli.main",
    "app.cli.commands.worker",
    "workers.main",
    "openai",
    "celery.apps.worker",
    "celery.concurrency.thread",
    "kombu.transport.redis",
)
_READY = "ready"


class Nursery:
    """The process that workers are forked from. Start and use it from one thread."""

    def __init__(self) -> None:
        self._popen: subprocess.Popen[str] | None = None

    @property
    def pid(self) -> int | None:
        """Process id of the parent of all that are forked here."""
        return self._popen.pid if self._popen else None

    def start(self) -> None:
        """Start it, and wait until it has loaded everything."""
        self._popen = subprocess.Popen(
            [sys.executable, "-P", "-m", "benchmarks.chaos.nursery", str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        if self._answer() != _READY:
            raise OSError("the nursery did not start")

    def fork(self, argv: list[str], env: Mapping[str, str], log_path: Path) -> int:
        """Fork `parley` with these arguments; its process id."""
        if self._popen is None or self._popen.stdin is None:
            raise OSError("the nursery is closed")
        order = {"argv": argv, "env": dict(env), "log": str(log_path)}
        self._popen.stdin.write(json.dumps(order) + "\n")
        self._popen.stdin.flush()
        return int(self._answer())

    def close(self) -> None:
        """End it; what it has forked dies with it."""
        popen, self._popen = self._popen, None
        if popen is not None:
            popen.communicate()  # its input ends, so it does

    def _answer(self) -> str:
        if self._popen is None or self._popen.stdout is None:
            return ""
        return self._popen.stdout.readline().strip()


class ForkedProcess:
    """A service as the stage knows it, out of the nursery."""

    def __init__(
        self,
        nursery: Nursery,
        name: str,
        argv: list[str],
        *,
        env: Mapping[str, str],
        log_path: Path,
    ) -> None:
        self.name = name
        self.pid: int | None = None
        self._nursery = nursery
        self._argv = argv
        self._env = dict(env)
        self._log_path = log_path

    def change_environment(self, changes: Mapping[str, str]) -> None:
        """Set variables that count from the next start on."""
        self._env |= changes

    def spawn(self) -> None:
        """Start it and return at once."""
        self.pid = self._nursery.fork(self._argv, self._env, self._log_path)

    def poll(self) -> int | None:
        """None while it runs; how it ended is not known, so -9."""
        alive = self.pid is not None and process_exists(self.pid)
        return None if alive else -int(signal.SIGKILL)

    def request_stop(self) -> None:
        """Send SIGTERM, without waiting."""
        if self.pid is not None and self.poll() is None:
            os.kill(self.pid, signal.SIGTERM)

    def finish_stop(self, grace_s: float) -> int | None:
        """Wait for the end, kill after `grace_s`."""
        deadline = time.monotonic() + grace_s
        while self.poll() is None:
            if time.monotonic() > deadline and self.pid is not None:
                os.kill(self.pid, signal.SIGKILL)
            time.sleep(POLL_S)
        return self.poll()


def _serve(parent_pid: int) -> None:
    """Fork for every line of standard input, until it ends."""
    die_with_parent(parent_pid, int(signal.SIGKILL))
    for name in _LOADED:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    # Nobody asks how a child ended: the kernel clears them away.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    _say(_READY)
    for line in sys.stdin:
        order = json.loads(line)
        nursery_pid = os.getpid()
        child = os.fork()
        if child == 0:
            _become(order, nursery_pid)
        _say(str(child))


def _become(order: Mapping[str, object], nursery_pid: int) -> NoReturn:
    """Be the worker: its own session, log, environment and chance."""
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    die_with_parent(nursery_pid, int(signal.SIGKILL))
    log = os.open(str(order["log"]), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    null = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((null, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    env, argv = order["env"], order["argv"]
    if not isinstance(env, dict) or not isinstance(argv, list):
        sys.exit(2)
    os.environ.clear()
    os.environ.update(env)
    random.seed()
    sys.argv = ["parley", *map(str, argv)]
    importlib.import_module("app.cli.main").main()
    sys.exit(0)


def _say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
