"""An embedded PostgreSQL 18 with pgvector, for `parley up` and the tests."""

import shutil
import signal
import time
from pathlib import Path

from app.cli.local.cluster import SERVER_ENV, Cluster, open_cluster
from app.cli.local.embedded import EmbeddedServer
from app.cli.local.files import make_private_directory
from app.cli.local.install import (
    EmbeddedServerError,
    postgres_bin,
    remove_cluster,
    unprivileged_identity,
)
from app.cli.local.ports import LOOPBACK
from app.cli.local.postmaster import clear_stale_file, is_ready, is_stopping
from app.cli.local.process import POLL_S, ChildProcess, tail

MAX_CONNECTIONS = 200


class EmbeddedPostgres(EmbeddedServer):
    """One PostgreSQL server whose identity lives in `data_dir`.

    The server listens on 127.0.0.1 only, without a Unix socket, scram-sha-256 for everyone. Port
    and password are kept, so a URL stays good over restarts, unless another program took the port.
    `durable=False` gives up safety against power loss for speed (tests); commits still survive a
    kill -9 of the server unless `synchronous_commit` is off too. A stop is a fast shutdown: open
    transactions are rolled back.
    Raises `EmbeddedServerError` when it cannot run and `DirectoryHeldError` when another process
    already runs it.
    """

    name = "postgres"
    start_s = 30.0
    stop_s = 5.0

    def __init__(
        self,
        data_dir: Path,
        *,
        durable: bool = True,
        synchronous_commit: bool = True,
        log_path: Path | None = None,
    ) -> None:
        super().__init__(data_dir, log_path)
        self._durable = durable
        self._synchronous_commit = synchronous_commit
        self._cluster: Cluster | None = None

    @property
    def port(self) -> int:
        """TCP port on 127.0.0.1."""
        return self._known().port

    @property
    def superuser_url(self) -> str:
        """`postgresql://postgres:…@127.0.0.1:PORT/postgres`; for the bootstrap only."""
        cluster = self._known()
        return f"postgresql://postgres:{cluster.password}@{LOOPBACK}:{cluster.port}/postgres"

    def prepare(self) -> None:
        """Take the directory, make or read the cluster, end a server left over from a crash."""
        make_private_directory(self.data_dir)
        self._lock.acquire()
        try:
            self._cluster = open_cluster(
                self.data_dir, durable=self._durable, log_path=self.log_path
            )
        except BaseException:
            self._lock.release()
            raise

    def spawn(self) -> None:
        """Start the server process without waiting for it; `prepare` must have run."""
        pgdata = self._known().pgdata
        clear_stale_file(pgdata)
        self._process = ChildProcess(
            self.name,
            [str(postgres_bin() / "postgres"), "-D", str(pgdata), *self._options()],
            env=SERVER_ENV,
            log_path=self.log_path,
            cwd=Path("/"),
            identity=unprivileged_identity(),
            stop_signal=signal.SIGINT,  # fast shutdown: roll back, checkpoint, leave
            death_signal=signal.SIGINT,
        )
        self._process.spawn()

    def poll(self) -> int | None:
        """Exit status of the server, None while it runs.

        A SIGTERM from outside makes it refuse new connections until the last old one ends, and a
        pool's never does: such a stop is made a fast one.
        """
        status = super().poll()
        if status is None and self._cluster and is_stopping(self._cluster.pgdata, self.pid):
            self.request_stop()
        return status

    def wait_ready(self, timeout_s: float | None = None) -> None:
        """Wait until the server has written that it takes queries, spawning again if it fails.

        After a kill -9 its orphaned backends may hold the shared memory for a moment; the first
        attempt then ends at once.
        """
        deadline = time.monotonic() + (timeout_s or self.start_s)
        while not self._ready():
            if time.monotonic() > deadline:
                self.stop()
                raise EmbeddedServerError(f"PostgreSQL did not start:\n{tail(self.log_path)}")
            if self.poll() is not None:
                if not self._shared_memory_in_use():
                    self._lock.release()
                    raise EmbeddedServerError(f"PostgreSQL did not start:\n{tail(self.log_path)}")
                time.sleep(0.2)
                self.spawn()
            time.sleep(POLL_S)

    def destroy(self) -> None:
        """Stop, and remove the server's files and the data directory for good."""
        self.stop()
        if self._cluster is not None:
            remove_cluster(self._cluster.directory)
        shutil.rmtree(self.data_dir, ignore_errors=True)

    def _known(self) -> Cluster:
        if self._cluster is None:
            raise EmbeddedServerError(f"PostgreSQL of {self.data_dir} has not been started")
        return self._cluster

    def _ready(self) -> bool:
        return self.poll() is None and is_ready(self._known().pgdata, self.pid)

    def _options(self) -> list[str]:
        on = {True: "on", False: "off"}
        settings = {
            "listen_addresses": LOOPBACK,
            "port": str(self._known().port),
            "unix_socket_directories": "",
            "max_connections": str(MAX_CONNECTIONS),
            "fsync": on[self._durable],
            "full_page_writes": on[self._durable],
            "synchronous_commit": on[self._synchronous_commit],
            "timezone": "UTC",
            "log_timezone": "UTC",
            "max_wal_size": "2GB",
            # Statements and row values carry customers' messages; keep them out of the log.
            "log_min_error_statement": "panic",
            "log_error_verbosity": "terse",
        }
        return [item for name, value in settings.items() for item in ("-c", f"{name}={value}")]

    def _shared_memory_in_use(self) -> bool:
        return "still in use" in tail(self.log_path, lines=3)
