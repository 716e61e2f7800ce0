"""One owner per data directory, and the environment it lends to commands typed beside it."""

import os
import stat
from pathlib import Path

import pytest

from app.cli.environment import load_environment, save_environment
from app.cli.local.development_secrets import load_secrets
from app.cli.local.files import read_json
from app.cli.local.lock import DirectoryHeldError, DirectoryLock, is_held
from app.core.config import Settings
from tests.cli.conftest import RunParley


def test_a_second_up_says_who_holds_the_directory(parley: RunParley, tmp_path: Path) -> None:
    with DirectoryLock(tmp_path):
        (tmp_path / "run.json").write_text("{}")
        done = parley("up", "--data-dir", str(tmp_path), "--no-demo")
    assert done.returncode == 2
    assert f"process {os.getpid()}" in done.stderr
    assert (tmp_path / "run.json").exists(), "the other one's file must stay"


def test_up_refuses_a_half_given_database(parley: RunParley, tmp_path: Path) -> None:
    url = "postgresql://parley_app:x@127.0.0.1:1/parley"
    done = parley("up", "--data-dir", str(tmp_path / "d"), env={"DATABASE_URL": url})
    assert done.returncode == 2
    assert "DATABASE_SYSTEM_URL, DATABASE_ADMIN_URL must be set too" in done.stderr
    assert not (tmp_path / "d").exists()


def test_the_lock_is_exclusive_and_leaves_with_its_holder(tmp_path: Path) -> None:
    lock = DirectoryLock(tmp_path)
    lock.acquire()
    assert is_held(tmp_path)
    with pytest.raises(DirectoryHeldError, match=str(os.getpid())):
        DirectoryLock(tmp_path).acquire()
    lock.release()
    assert not is_held(tmp_path)
    with DirectoryLock(tmp_path):
        assert is_held(tmp_path)


def test_a_running_stack_lends_its_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DATABASE_URL", "REDIS_URL", "OPENAI_MODEL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PARLEY_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("OPENAI_MODEL", "mine")
    path = save_environment(
        tmp_path, {"DATABASE_URL": "postgresql://a/b", "REDIS_URL": "r", "OPENAI_MODEL": "theirs"}
    )
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_environment() is None, "nobody runs there"
    assert "DATABASE_URL" not in os.environ
    with DirectoryLock(tmp_path):
        assert load_environment() == path
    assert os.environ["DATABASE_URL"] == "postgresql://a/b"
    assert os.environ["OPENAI_MODEL"] == "mine"


def test_a_chosen_database_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://chosen/db")
    save_environment(tmp_path, {"REDIS_URL": "other"})
    with DirectoryLock(tmp_path):
        assert load_environment(tmp_path) is None


def test_secrets_are_made_once_and_good_enough_for_production(tmp_path: Path) -> None:
    first = load_secrets(tmp_path)
    assert load_secrets(tmp_path) == first == read_json(tmp_path / "secrets.json")
    assert stat.S_IMODE((tmp_path / "secrets.json").stat().st_mode) == 0o600
    settings = Settings.from_environ({"ENCRYPTION_KEYS": first["ENCRYPTION_KEYS"]})
    assert len(settings.keyring().keys) == 1
    assert all(len(value) >= 32 for value in first.values())
