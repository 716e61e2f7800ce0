"""The embedded PostgreSQL: starts, survives kill -9, dies with its parent, touches nothing else."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from app.cli.local.install import shared_root, unprivileged_identity
from app.cli.local.lock import DirectoryHeldError
from app.cli.local.postgres import EmbeddedPostgres
from app.cli.local.process import process_exists, wait_gone
from tests.pace import stretched

PARENT = """
import os, signal, sys
from pathlib import Path
from app.cli.local.postgres import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]), durable=False)
server.start()
print(server.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    embedded = EmbeddedPostgres(tmp_path / "pg", durable=False)
    yield embedded
    embedded.destroy()


def query(url: str, *statements: str) -> Any:
    async def run() -> Any:
        connection = await asyncpg.connect(url, timeout=10)
        try:
            for statement in statements[:-1]:
                await connection.execute(statement)
            return await connection.fetchval(statements[-1])
        finally:
            await connection.close()

    return asyncio.run(run())


def kill_and_wait(server: EmbeddedPostgres) -> None:
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    deadline = time.monotonic() + 30
    while server.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_after_kill_it_comes_back_on_the_same_address_with_its_data(
    server: EmbeddedPostgres,
) -> None:
    server.start()
    url, first_pid = server.superuser_url, server.pid
    query(url, "create table kept (n int)", "insert into kept values (7)", "select 1")
    kill_and_wait(server)

    server.restart()

    assert server.superuser_url == url
    assert server.pid != first_pid
    assert query(url, "select n from kept") == 7


def test_stop_is_quick_and_a_new_object_finds_the_same_cluster(tmp_path: Path) -> None:
    first = EmbeddedPostgres(tmp_path / "pg", durable=False)
    first.start()
    url = first.superuser_url
    started = time.monotonic()
    assert first.stop() == 0
    took_s = time.monotonic() - started
    assert took_s < stretched(2)

    second = EmbeddedPostgres(tmp_path / "pg", durable=False)
    second.start()
    try:
        assert second.superuser_url == url
    finally:
        second.destroy()


def test_a_sigterm_from_outside_waits_for_no_open_connection(server: EmbeddedPostgres) -> None:
    server.start()

    async def end_it() -> None:
        connection = await asyncpg.connect(server.superuser_url, timeout=10)
        assert server.pid is not None
        deadline = time.monotonic() + 10
        try:
            os.kill(server.pid, signal.SIGTERM)
            while server.poll() is None:
                assert time.monotonic() < deadline, "it waits for our connection"
                await asyncio.sleep(0.01)
        finally:
            connection.terminate()

    asyncio.run(end_it())


def test_a_second_server_on_the_directory_is_refused_by_name(server: EmbeddedPostgres) -> None:
    server.start()
    with pytest.raises(DirectoryHeldError, match=f"process {os.getpid()}"):
        EmbeddedPostgres(server.data_dir).start()


def test_a_pid_file_whose_pid_belongs_to_a_stranger_does_not_block(
    server: EmbeddedPostgres,
) -> None:
    server.start()
    server.stop()
    pid_file = server._known().pgdata / "postmaster.pid"
    pid_file.write_text(f"{os.getpid()}\n{pid_file.parent}\n")

    server.start()

    assert query(server.superuser_url, "select 1") == 1


def test_it_listens_on_loopback_only_and_wants_the_password(server: EmbeddedPostgres) -> None:
    server.start()
    url = server.superuser_url
    assert query(url, "show listen_addresses") == "127.0.0.1"
    assert query(url, "show unix_socket_directories") == ""
    assert query(url, "show password_encryption") == "scram-sha-256"
    with pytest.raises(asyncpg.InvalidPasswordError):
        query(url.replace("postgres:", "postgres:x", 1).replace("x//", "//"), "select 1")


def test_pgvector_is_there(cluster: EmbeddedPostgres) -> None:
    found = query(
        cluster.superuser_url, "select count(*) from pg_available_extensions where name = 'vector'"
    )
    assert found == 1


def test_nothing_outlives_a_killed_parent(tmp_path: Path) -> None:
    data_dir = tmp_path / "pg"
    parent = subprocess.run(
        [sys.executable, "-c", PARENT, str(data_dir)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert parent.returncode == -signal.SIGKILL, parent.stderr
    assert wait_gone(int(parent.stdout), 30)

    after = EmbeddedPostgres(data_dir, durable=False)
    after.start()
    assert process_exists(after.pid or 0)
    after.destroy()


def test_only_our_own_directory_changes_mode_or_owner(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    before = [(path, path.stat().st_mode, path.stat().st_uid) for path in (home, tmp_path)]
    users = Path("/etc/passwd").read_text()
    server = EmbeddedPostgres(home / "pg", durable=False)
    server.start()
    cluster = server._known().directory
    owner = unprivileged_identity()
    try:
        assert [(path, path.stat().st_mode, path.stat().st_uid) for path, *_ in before] == before
        assert Path("/etc/passwd").read_text() == users
        assert cluster.stat().st_mode & 0o777 == 0o700
        assert cluster.stat().st_uid == (owner.uid if owner else os.geteuid())
        assert (home / "pg" / "cluster.json").stat().st_mode & 0o777 == 0o600
    finally:
        server.destroy()
    assert not cluster.exists()
    assert not (home / "pg").exists()


def test_a_shared_root_of_somebody_else_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.cli.local.install.SHARED_PARENT", tmp_path)
    root = shared_root()
    root.rmdir()
    (tmp_path / "elsewhere").mkdir()
    root.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Exception, match="somebody else"):
        shared_root()
