"""The machine under test: embedded PostgreSQL and Redis with durable settings, and our processes.

Everything lives in a directory of its own below the current one, on the disk that `parley up`
would use, and is removed at the end.
"""

import asyncio
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from app.cli.errors import CommandError, ExitCode
from app.cli.local.development_secrets import load_secrets, role_passwords
from app.cli.local.http_client import request
from app.cli.local.install import EmbeddedServerError
from app.cli.local.ports import LOOPBACK, free_port
from app.cli.local.postgres import EmbeddedPostgres
from app.cli.local.process import ChildProcess, tail
from app.cli.local.redis import EmbeddedRedis
from app.cli.local.stack_environment import (
    Addresses,
    server_environment,
    simulator_environment,
    stack_environment,
)
from app.core.config import Settings
from migrations.bootstrap import DatabaseUrls, bootstrap
from migrations.runner import upgrade

_READY_S = 60.0
_STOP_S = 5.0
_POLL_S = 0.02
_OK = 200
# Nothing else of the caller's: an OPENAI_API_KEY would send a benchmark's load to OpenAI.
_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR")
_PARLEY = (sys.executable, "-P", "-m", "app.cli.main")


@dataclass(slots=True)
class Servers:
    """PostgreSQL, Redis and the processes started so far."""

    directory: Path
    databases: DatabaseUrls
    redis_url: str
    superuser_url: str
    addresses: Addresses
    environment: dict[str, str]
    _children: list[ChildProcess] = field(default_factory=list)

    @property
    def settings(self) -> Settings:
        """The settings that the processes read."""
        return Settings.from_environ(self.environment)

    @property
    def superuser_database_url(self) -> str:
        """The product's database with a superuser's eyes: to count and to clear."""
        return f"{self.superuser_url.rsplit('/', 1)[0]}/parley"

    def start_api(self) -> ChildProcess:
        """`parley serve`, ready to answer."""
        return self.start_server(
            "api", [*_PARLEY, "serve"], port=self.addresses.api_port, ready="/readyz"
        )

    def start_worker(self) -> ChildProcess:
        """`parley worker`."""
        return self._spawn("worker", [*_PARLEY, "worker"], server_environment(self.environment))

    def start_scheduler(self) -> ChildProcess:
        """`parley scheduler`."""
        argv = [*_PARLEY, "scheduler"]
        return self._spawn("scheduler", argv, server_environment(self.environment))

    def start_simulator(self) -> ChildProcess:
        """The simulator, ready to answer."""
        port = self.addresses.simulator_port
        argv = [sys.executable, "-P", "-m", "simulator", "--port", str(port)]
        argv += ["--state-file", str(self.directory / "simulator.json")]
        child = self._spawn("simulator", argv, simulator_environment(self.environment))
        self._wait_http(child, f"{self.addresses.simulator_url}/_sim/health")
        return child

    def start_server(
        self, name: str, argv: Sequence[str], *, port: int, ready: str
    ) -> ChildProcess:
        """A web server of ours that takes ``--port``; returns when ``ready`` answers 200."""
        command = [*argv, "--port", str(port)]
        child = self._spawn(name, command, server_environment(self.environment))
        self._wait_http(child, f"http://{LOOPBACK}:{port}{ready}")
        return child

    def stop(self, child: ChildProcess) -> None:
        """Stop one process."""
        child.stop(_STOP_S)
        self._children.remove(child)

    def stop_all(self) -> None:
        """Stop all processes, the newest first."""
        for child in reversed(self._children):
            child.request_stop()
        for child in self._children:
            child.finish_stop(_STOP_S)
        self._children.clear()

    def _spawn(self, name: str, argv: Sequence[str], env: Mapping[str, str]) -> ChildProcess:
        child = ChildProcess(name, argv, env=env, log_path=self.directory / "logs" / f"{name}.log")
        child.spawn()
        self._children.append(child)
        return child

    def _wait_http(self, child: ChildProcess, url: str) -> None:
        deadline_s = time.monotonic() + _READY_S
        while time.monotonic() < deadline_s and child.poll() is None:
            try:
                if request("GET", url, timeout_s=5).status == _OK:
                    return
            except OSError:
                pass
            time.sleep(_POLL_S)
        raise CommandError(
            ExitCode.UNREACHABLE,
            f"{child.name} does not answer; its log ends with:\n{tail(child.log_path)}",
        )


@contextmanager
def servers(parent: Path | None = None) -> Iterator[Servers]:
    """PostgreSQL (fsync, synchronous commit) and Redis, bootstrapped and migrated, for a block.

    Their directory is made in ``parent``, by default the current one.
    """
    directory = Path(tempfile.mkdtemp(prefix=".parley-bench-", dir=parent or Path.cwd()))
    postgres = EmbeddedPostgres(directory / "postgres")
    redis = EmbeddedRedis(directory / "redis")
    running: Servers | None = None
    try:
        try:
            postgres.start()
            redis.start()
        except EmbeddedServerError as error:
            raise CommandError(ExitCode.UNREACHABLE, str(error)) from error
        running = _prepared(directory, postgres, redis)
        yield running
    finally:
        if running is not None:
            running.stop_all()
        redis.stop()
        postgres.destroy()
        shutil.rmtree(directory, ignore_errors=True)


def _prepared(directory: Path, postgres: EmbeddedPostgres, redis: EmbeddedRedis) -> Servers:
    secrets = load_secrets(directory)
    databases = asyncio.run(bootstrap(postgres.superuser_url, passwords=role_passwords(secrets)))
    asyncio.run(upgrade(databases.admin))
    addresses = Addresses(free_port(), free_port())
    environment = stack_environment(
        {name: os.environ[name] for name in _INHERITED if name in os.environ},
        addresses=addresses,
        databases=databases,
        redis_url=redis.url,
        secrets=secrets,
        media_url=(directory / "media").as_uri(),
        # No waiting for a customer to finish typing, none for a human-like pause: what is
        # measured is the machine. No reports: nobody reads them here.
        overrides={"PARLEY_IDLE_S": "0", "PARLEY_TYPING_MAX_S": "0", "SENTRY_DSN": ""},
    )
    return Servers(
        directory=directory,
        databases=databases,
        redis_url=redis.url,
        superuser_url=postgres.superuser_url,
        addresses=addresses,
        environment=environment,
    )
