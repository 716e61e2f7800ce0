"""An embedded Redis, for `parley up` and the tests: a broker that may forget everything."""

import socket
import time
from pathlib import Path

from app.cli.local.embedded import EmbeddedServer
from app.cli.local.files import make_private_directory, read_json, write_json
from app.cli.local.install import EmbeddedServerError, redis_server, unprivileged_identity
from app.cli.local.ports import LOOPBACK, free_port
from app.cli.local.process import POLL_S, ChildProcess, tail

SERVER_ENV = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C"}


class EmbeddedRedis(EmbeddedServer):
    """One Redis on 127.0.0.1 whose port lives in `data_dir`; nothing is written to disk.

    `maxmemory-policy` is noeviction, because a broker must refuse rather than forget silently. As
    root it runs as `nobody`: an open Redis of root would let any local user write files as root.
    After a restart it is empty.
    """

    name = "redis"
    start_s = 10.0
    stop_s = 2.0

    def __init__(self, data_dir: Path, *, log_path: Path | None = None) -> None:
        super().__init__(data_dir, log_path)
        self._port: int | None = None

    @property
    def port(self) -> int:
        """TCP port on 127.0.0.1."""
        if self._port is None:
            raise EmbeddedServerError(f"Redis of {self.data_dir} has not been started")
        return self._port

    @property
    def url(self) -> str:
        """`redis://127.0.0.1:PORT/0`."""
        return f"redis://{LOOPBACK}:{self.port}/0"

    def prepare(self) -> None:
        """Take the directory and settle the port: that of last time where it is free."""
        make_private_directory(self.data_dir)
        self._lock.acquire()
        note = self.data_dir / "redis.json"
        remembered = (read_json(note) or {}).get("port")
        self._port = free_port(remembered if isinstance(remembered, int) else None)
        write_json(note, {"port": self._port})

    def spawn(self) -> None:
        """Start the server process without waiting for it; `prepare` must have run."""
        identity = unprivileged_identity()
        # fmt: off
        self._process = ChildProcess(
            self.name,
            [
                str(redis_server()),
                "--bind", LOOPBACK, "--port", str(self.port),
                "--save", "", "--appendonly", "no",
                "--maxmemory-policy", "noeviction", "--daemonize", "no",
                "--dir", "/" if identity else str(self.data_dir),
                "--loglevel", "warning",
            ],
            env=SERVER_ENV, log_path=self.log_path, cwd=Path("/"), identity=identity,
        )
        # fmt: on
        self._process.spawn()

    def wait_ready(self, timeout_s: float | None = None) -> None:
        """Wait until PING is answered with PONG."""
        deadline = time.monotonic() + (timeout_s or self.start_s)
        while not self._answers():
            if self.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise EmbeddedServerError(f"Redis did not start:\n{tail(self.log_path)}")
            time.sleep(POLL_S)

    def _answers(self) -> bool:
        try:
            with socket.create_connection((LOOPBACK, self.port), timeout=1.0) as link:
                link.sendall(b"PING\r\n")
                return link.recv(16).startswith(b"+PONG")
        except OSError:
            return False
