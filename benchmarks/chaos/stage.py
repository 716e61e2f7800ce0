"""The stage of a drill: the whole local stack with scaled timings, and processes that die on order.

A second WAHA stands beside the first, with an engine that knows no client-chosen message ids, and
further workers beside the stack's own, so that a lost lease finds somebody to take it over.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from app.cli.errors import CommandError, ExitCode
from app.cli.local.ports import free_port
from app.cli.local.process import ChildProcess
from app.cli.local.stack import OUTSIDE, PARLEY, PRODUCT, LocalStack
from app.cli.local.stack_environment import (
    DATABASE_VARIABLES,
    Addresses,
    server_environment,
    simulator_environment,
)
from app.cli.local.supervisor import TICK_S
from benchmarks.chaos.nursery import ForkedProcess, Nursery
from benchmarks.chaos.outside import Outside

VICTIMS = ("api", "worker", "worker-2", "scheduler", "redis", "postgres")
PRODUCT_NAMES = ("api", "scheduler", "worker", "worker-2")
KILL_WAIT_S = 20.0
# WAHA's exponential retries (2, 4, 8 … s) and its waits for a session, shortened.
RETRY_SCALE = 0.05
# One order of magnitude below production, in production's order: renew < lease, send < unknown.
TIMINGS = {
    "PARLEY_IDLE_S": "0.5",
    "PARLEY_CAP_S": "4",
    "PARLEY_LEASE_S": "4",
    "PARLEY_RENEW_S": "1.3",
    "PARLEY_SEND_TIMEOUT_S": "3",
    "PARLEY_UNKNOWN_AFTER_S": "4",
    "PARLEY_SWEEP_S": "1",
    "PARLEY_MODEL_TIMEOUT_S": "3",
    "PARLEY_MODEL_GIVE_UP_S": "30",
    "PARLEY_RETRY_BASE_S": "0.3",
    "PARLEY_TYPING_MAX_S": "0",
    "PARLEY_SILENCE_S": "3",
    "PARLEY_RECONCILE_S": "20",
    "PARLEY_RECONCILE_CHECK_S": "2",
    "PARLEY_READ_BACK_S": "2",
    "PARLEY_LEAD_S": "3.5",
}


def _silent(_line: str) -> None:
    """Say nothing."""


@dataclass(slots=True)
class Stage:
    """A stack to do harm to. `start`, `watch` and `stop` belong to one thread, see `Session`.

    `workers` counts the worker processes. `eager` starts dead extra workers again at once, forked
    from one that is loaded, where the supervisor would wait for one that keeps dying. `overrides`
    win over `TIMINGS`.
    """

    data_dir: Path
    workers: int = 2
    eager: bool = False
    overrides: Mapping[str, str] = field(default_factory=dict)
    report: Callable[[str], None] = _silent
    stack: LocalStack = field(init=False)
    waha: Outside = field(init=False)
    other_waha: Outside = field(init=False)
    _nursery: Nursery = field(default_factory=Nursery)
    _extra: list[ForkedProcess] = field(default_factory=list)

    def __post_init__(self) -> None:
        addresses = Addresses(free_port(), free_port())
        url = addresses.simulator_url
        # Nothing of a drill may reach a real provider, whatever the caller's environment says.
        outside = {
            "OPENAI_API_KEY": "simulator",
            "OPENAI_BASE_URL": f"{url}/v1",
            "OPENAI_FALLBACK_MODEL": "",
            "SENTRY_DSN": f"http://public@{url.removeprefix('http://')}/sentry/1",
            "APP_URL": addresses.api_url,
            "UPSTASH_REDIS_REST_URL": "",
            "UPSTASH_REDIS_REST_TOKEN": "",
            "PARLEY_FAULT_PLAN": "",
        }
        self.stack = LocalStack(
            self.data_dir.absolute(),
            addresses,
            overrides={**TIMINGS, **outside, **self.overrides},
            report=self.report,
        )
        self.waha = Outside(url)
        self.other_waha = Outside(f"http://127.0.0.1:{free_port()}")

    @property
    def environment(self) -> dict[str, str]:
        """The environment of the product's processes."""
        return self.stack.environment

    def start(self) -> None:
        """Start everything. Raises `CommandError` where a server of the caller would be harmed."""
        given = [n for n in (*DATABASE_VARIABLES, "REDIS_URL") if os.environ.get(n)]
        if given:
            raise CommandError(
                ExitCode.USAGE,
                f"{', '.join(given)} must not be set: a drill kills its database and its Redis,"
                " so it brings its own",
            )
        self.stack.start()
        self._start_other_waha()
        if self.eager:
            self._nursery.start()
        for number in range(2, self.workers + 1):
            self._start_worker(f"worker-{number}")

    def wait_ready(self) -> None:
        """Wait until both WAHAs and the API answer; set the engine and the pace of retries."""
        self.stack.wait_ready()
        self.other_waha.wait_up()
        self.other_waha.set_engine("WEBJS")
        for waha in (self.waha, self.other_waha):
            waha.set_retry_scale(RETRY_SCALE)
        self.waha.set_model("echo")

    def watch(self, stop: threading.Event) -> None:
        """Start again what dies, until `stop` is set."""
        while not stop.wait(TICK_S):
            self.stack.supervisor.check()
            for process in self._extra:
                if process.poll() is not None:
                    process.spawn()

    def stop(self) -> None:
        """Stop everything."""
        for process in self._extra:
            process.request_stop()
        for process in self._extra:
            process.finish_stop(2.0)
        self._nursery.close()
        self.stack.stop()

    def pid(self, name: str) -> int | None:
        """Process id of the running or last process of that name."""
        extra = {process.name: process.pid for process in self._extra}
        return extra.get(name) or self.stack.supervisor.pids().get(name)

    def kill(self, name: str) -> bool:
        """SIGKILL a process; False when it is dead already and not started again yet."""
        pid = self.pid(name)
        if pid is None or not _is_live_child(pid, {os.getpid(), self._nursery.pid}):
            return False
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return False
        return True

    def kill_soon(self, name: str) -> None:
        """SIGKILL a process as soon as it runs. Raises TimeoutError when it never does."""
        deadline = time.monotonic() + KILL_WAIT_S
        while not self.kill(name):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{name} did not run within {KILL_WAIT_S:.0f} s")
            time.sleep(TICK_S)

    def restart(self, changes: Mapping[str, str]) -> None:
        """Kill the product's processes; they start again with some variables changed."""
        watched = (s for s in self.stack.supervisor.services() if isinstance(s, ChildProcess))
        processes: list[ChildProcess | ForkedProcess] = [
            *(service for service in watched if service.name in PRODUCT_NAMES),
            *self._extra,
        ]
        for process in processes:
            process.change_environment(changes)
        for process in processes:
            self.kill_soon(process.name)

    def _start_other_waha(self) -> None:
        # fmt: off
        argv = [
            sys.executable, "-P", "-m", "simulator",
            "--host", "127.0.0.1", "--port", self.other_waha.url.rpartition(":")[2],
        ]
        # fmt: on
        process = self._process("waha-2", argv, simulator_environment(self.environment))
        process.spawn()
        self.stack.supervisor.watch(process, group=OUTSIDE)

    def _start_worker(self, name: str) -> None:
        env = server_environment(self.environment)
        if self.eager:
            log = self._log(name)
            forked = ForkedProcess(self._nursery, name, ["worker"], env=env, log_path=log)
            forked.spawn()
            self._extra.append(forked)
        else:
            process = self._process(name, [*PARLEY, "worker"], env)
            process.spawn()
            self.stack.supervisor.watch(process, group=PRODUCT)

    def _process(self, name: str, argv: list[str], env: Mapping[str, str]) -> ChildProcess:
        return ChildProcess(name, argv, env=env, log_path=self._log(name))

    def _log(self, name: str) -> Path:
        return self.stack.data_dir / "logs" / f"{name}.log"


def _is_live_child(pid: int, parents: Collection[int | None]) -> bool:
    """Whether `pid` is a running child of ours: a number may have gone to a stranger since."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    # After the last ")" of the line come the state and the parent: "12 (name) S 34 …".
    state, parent = stat.rpartition(")")[2].split()[:2]
    return int(parent) in parents and state not in {"Z", "X"}
