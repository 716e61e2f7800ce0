"""A PostgreSQL cluster on disk: made by initdb, remembered in `cluster.json` (0600)."""

import os
import secrets
from dataclasses import dataclass, replace
from pathlib import Path

from app.cli.local.files import read_json, write_json
from app.cli.local.install import (
    EmbeddedServerError,
    new_cluster_directory,
    postgres_bin,
    remove_cluster,
    unprivileged_identity,
)
from app.cli.local.ports import free_port, is_free
from app.cli.local.postmaster import end_left_over
from app.cli.local.process import ChildProcess, tail

MAJOR = "18"
INITDB_S = 60.0
NOTE = "cluster.json"
# PostgreSQL takes nothing from our environment but these.
SERVER_ENV = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where a cluster's files are (`directory`, mode 0700) and how to reach its server."""

    name: str
    directory: Path
    port: int
    password: str

    @property
    def pgdata(self) -> Path:
        """PostgreSQL's own data directory."""
        return self.directory / "data"


def open_cluster(data_dir: Path, *, durable: bool, log_path: Path) -> Cluster:
    """The cluster of a data directory, made if there is none, on a port that is free now.

    A server that a killed supervisor left behind is ended first: it would hold the port. The
    caller holds the directory's lock. Raises `EmbeddedServerError`.
    """
    cluster = _load(data_dir) or _create(data_dir, durable=durable, log_path=log_path)
    end_left_over(cluster.pgdata)
    if not is_free(cluster.port):
        cluster = replace(cluster, port=free_port())
    _save(data_dir, cluster)
    return cluster


def _load(data_dir: Path) -> Cluster | None:
    value = read_json(data_dir / NOTE)
    if value is None:
        return None
    cluster = Cluster(
        name=value["cluster"],
        directory=Path(value["directory"]),
        port=value["port"],
        password=value["password"],
    )
    version_file = cluster.pgdata / "PG_VERSION"
    if not version_file.exists():
        return None  # cleaned away under /var/tmp, or never finished: make a new one
    version = version_file.read_text().strip()
    if version != MAJOR:
        raise EmbeddedServerError(
            f"{data_dir} was made by PostgreSQL {version}, this is {MAJOR}: export the data with"
            " that version, or remove the directory to begin anew"
        )
    return cluster


def _save(data_dir: Path, cluster: Cluster) -> None:
    value = {
        "cluster": cluster.name,
        "directory": str(cluster.directory),
        "port": cluster.port,
        "password": cluster.password,
    }
    write_json(data_dir / NOTE, value)


def _create(data_dir: Path, *, durable: bool, log_path: Path) -> Cluster:
    name = secrets.token_hex(8)
    cluster = Cluster(
        name=name,
        directory=new_cluster_directory(data_dir, name),
        port=free_port(),
        password=secrets.token_urlsafe(32),
    )
    try:
        _initdb(cluster, durable=durable, log_path=log_path)
    except BaseException:
        remove_cluster(cluster.directory)
        raise
    return cluster


def _initdb(cluster: Cluster, *, durable: bool, log_path: Path) -> None:
    """Run initdb as the server's user; the password file is gone when it returns."""
    password_file = _write_password(cluster)
    # fmt: off
    process = ChildProcess(
        "initdb",
        [
            str(postgres_bin() / "initdb"),
            "--pgdata", str(cluster.pgdata),
            "--username", "postgres", "--pwfile", str(password_file),
            "--auth", "scram-sha-256", "--encoding", "UTF8",
            # The built-in provider sorts alike on every machine.
            "--locale", "C", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8",
            *([] if durable else ["--no-sync"]),
        ],
        env=SERVER_ENV, log_path=log_path, cwd=Path("/"), identity=unprivileged_identity(),
    )
    # fmt: on
    process.spawn()
    status = process.finish_stop(INITDB_S)
    password_file.unlink(missing_ok=True)
    if status != 0:
        raise EmbeddedServerError(f"initdb failed:\n{tail(log_path)}")


def _write_password(cluster: Cluster) -> Path:
    """Put the superuser's password where only initdb's user reads it."""
    identity = unprivileged_identity()
    path = cluster.directory / "password"
    # The directory may belong to `nobody`: never follow or reuse what stands there.
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(fd, "w") as stream:
        stream.write(cluster.password)
        if identity:
            os.fchown(stream.fileno(), identity.uid, identity.gid)
    return path
