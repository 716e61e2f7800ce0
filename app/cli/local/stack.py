"""The local stack: servers, database, demo business, processes; in the order they need each other.

Groups for stopping: 0 the embedded servers, 1 the simulator, 2 the product's processes.
"""

import asyncio
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from app.cli.environment import remove_environment, save_environment
from app.cli.errors import CommandError, ExitCode
from app.cli.local.demo_tenant import DemoTenant
from app.cli.local.development_secrets import load_secrets, role_passwords
from app.cli.local.files import make_private_directory
from app.cli.local.http_client import request
from app.cli.local.install import EmbeddedServerError
from app.cli.local.lock import DirectoryHeldError, DirectoryLock
from app.cli.local.postgres import EmbeddedPostgres
from app.cli.local.process import ChildProcess, rotate_log, tail
from app.cli.local.redis import EmbeddedRedis
from app.cli.local.run_file import remove_run_file, run_description, write_run_file
from app.cli.local.stack_environment import (
    Addresses,
    external_databases,
    server_environment,
    simulator_environment,
    stack_environment,
)
from app.cli.local.supervisor import Supervisor
from app.cli.local.waha_session import PairingError, pair
from migrations.bootstrap import DatabaseUrls, bootstrap

READY_S = 60.0
SERVERS, OUTSIDE, PRODUCT = 0, 1, 2
PARLEY = (sys.executable, "-P", "-m", "app.cli.main")
OK = 200


def _silent(_line: str) -> None:
    """Say nothing."""


@dataclass(slots=True)
class LocalStack:
    """Everything `parley up` runs. `start`, `run` and `stop` belong to the main thread.

    `environment`, `tenant` and `addresses` are complete once `start` has returned; the processes
    may still be warming up then: `wait_ready` tells.
    """

    data_dir: Path
    addresses: Addresses
    overrides: Mapping[str, str] = field(default_factory=dict)
    report: Callable[[str], None] = _silent
    environment: dict[str, str] = field(default_factory=dict)
    logs: dict[str, Path] = field(default_factory=dict)
    supervisor: Supervisor = field(init=False)
    _tenant: DemoTenant | None = None
    _published: bool = False
    _mine: bool = False
    _lock: DirectoryLock = field(init=False)

    def __post_init__(self) -> None:
        self.supervisor = Supervisor(on_change=self._refresh, report=self.report)
        self._lock = DirectoryLock(self.data_dir)

    @property
    def tenant(self) -> DemoTenant:
        """The seeded demo business."""
        if self._tenant is None:
            raise RuntimeError("the stack has not been started")
        return self._tenant

    def start(self) -> None:
        """Start all of it. Raises `CommandError` with a reason; call `stop` then too."""
        external = external_databases(os.environ)
        self._take_directory()
        secrets = load_secrets(self.data_dir)
        try:
            redis_url = self._start_redis()
            databases = external or self._start_postgres(secrets)
        except EmbeddedServerError as error:
            raise CommandError(ExitCode.UNREACHABLE, str(error)) from error
        self.environment = stack_environment(
            os.environ,
            addresses=self.addresses,
            databases=databases,
            redis_url=redis_url,
            secrets=secrets,
            overrides=self.overrides,
            media_url=(self.data_dir.resolve() / "media").as_uri(),
        )
        self._start_simulator()
        self._migrate(databases)
        save_environment(self.data_dir, self.environment)
        # Loaded here: half of the product, which `parley --help` does not need.
        from app.cli.seed import seed

        self._tenant = seed(self.environment)
        self._start_product()

    def wait_ready(self) -> None:
        """Wait for the simulator, pair the demo number, wait for the API, publish run.json."""
        simulator_url = self.addresses.simulator_url
        self._wait_http(f"{simulator_url}/_sim/health", "simulator")
        try:
            pair(
                simulator_url,
                self.environment["WAHA_API_KEY"],
                self.environment["APP_URL"],
                self.tenant,
            )
        except PairingError as error:
            raise CommandError(ExitCode.WRONG, f"pairing the demo number: {error}") from error
        self._wait_http(f"{self.addresses.api_url}/readyz", "api")
        self._published = True
        self._refresh()

    def watch(self, stop: threading.Event) -> None:
        """Start again what dies, until `stop` is set."""
        self.supervisor.run(stop)

    def stop(self) -> None:
        """Stop all of it and leave the directory to the next one."""
        if not self._mine:
            return  # the directory is another stack's: its files are not ours to remove
        self._published = False
        remove_run_file(self.data_dir)
        self.supervisor.stop()
        remove_environment(self.data_dir)
        self._lock.release()
        self._mine = False

    def _take_directory(self) -> None:
        try:
            make_private_directory(self.data_dir)
        except OSError as error:
            reason = f"{self.data_dir} cannot be used ({error.strerror}): choose another --data-dir"
            raise CommandError(ExitCode.USAGE, reason) from error
        try:
            self._lock.acquire()
        except DirectoryHeldError as error:
            raise CommandError(
                ExitCode.USAGE,
                f"{error}: stop that one, or use --data-dir for a second stack beside it",
            ) from error
        self._mine = True
        remove_run_file(self.data_dir)
        for name in ("api", "worker", "scheduler", "simulator", "postgres", "redis"):
            rotate_log(self._log(name))

    def _log(self, name: str) -> Path:
        return self.data_dir / "logs" / f"{name}.log"

    def _start_redis(self) -> str:
        given = os.environ.get("REDIS_URL")
        if given:
            return given
        redis = EmbeddedRedis(self.data_dir / "redis", log_path=self._log("redis"))
        self._start_server(redis)
        return redis.url

    def _start_postgres(self, secrets: Mapping[str, str]) -> DatabaseUrls:
        postgres = EmbeddedPostgres(self.data_dir / "postgres", log_path=self._log("postgres"))
        self._start_server(postgres)
        passwords = role_passwords(dict(secrets))
        return asyncio.run(bootstrap(postgres.superuser_url, passwords=passwords))

    def _start_server(self, server: EmbeddedPostgres | EmbeddedRedis) -> None:
        """Start an embedded server; watched from its first moment, so that it is stopped too."""
        server.prepare()
        self.logs[server.name] = server.log_path
        self.supervisor.watch(server, group=SERVERS)
        server.spawn()
        server.wait_ready()

    def _migrate(self, databases: DatabaseUrls) -> None:
        from migrations.runner import NewerSchemaError, upgrade

        try:
            asyncio.run(upgrade(databases.admin))
        except NewerSchemaError as error:
            raise CommandError(
                ExitCode.WRONG, f"{error}, or another --data-dir to begin anew"
            ) from error

    def _start_simulator(self) -> None:
        # fmt: off
        argv = [
            sys.executable, "-P", "-m", "simulator", "--warm",
            "--host", "127.0.0.1", "--port", str(self.addresses.simulator_port),
            "--state-file", str(self.data_dir / "simulator.json"),
        ]
        # fmt: on
        self._spawn("simulator", argv, simulator_environment(self.environment), OUTSIDE)

    def _start_product(self) -> None:
        values = server_environment(self.environment)
        port = str(self.addresses.api_port)
        self._spawn("api", [*PARLEY, "serve", "--port", port], values, PRODUCT)
        self._spawn("worker", [*PARLEY, "worker"], values, PRODUCT)
        self._spawn("scheduler", [*PARLEY, "scheduler"], values, PRODUCT)

    def _spawn(self, name: str, argv: list[str], env: Mapping[str, str], group: int) -> None:
        log_path = self._log(name)
        process = ChildProcess(name, argv, env=env, log_path=log_path)
        process.spawn()
        self.logs[name] = log_path
        self.supervisor.watch(process, group=group)

    def _wait_http(self, url: str, name: str) -> None:
        """Wait for a 200; on failure show the end of the log of whom we waited for."""
        deadline = time.monotonic() + READY_S
        reason = "no answer"
        while time.monotonic() < deadline:
            try:
                answer = request("GET", url, timeout_s=5)
            except OSError as error:
                reason = type(error).__name__
            else:
                if answer.status == OK:
                    return
                reason = f"status {answer.status}"
            time.sleep(0.05)
        raise CommandError(
            ExitCode.UNREACHABLE,
            f"{name} is not ready after {READY_S:.0f} s ({reason}); its log ends with:\n"
            f"{tail(self._log(name))}",
        )

    def _refresh(self) -> None:
        """Write run.json anew: pids have changed."""
        if not self._published:
            return
        description = run_description(
            self.environment,
            self.addresses,
            self.tenant,
            pids=self.supervisor.pids(),
            logs=self.logs,
        )
        write_run_file(self.data_dir, description)
