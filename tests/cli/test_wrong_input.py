"""What the command line says of an environment or a place that it cannot use: what to do."""

import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.exc import DBAPIError

from app.cli.errors import ExitCode
from app.cli.main import code_of, run
from app.core.config import Settings
from app.core.errors import ConfigurationError
from app.queue import make_celery

NOBODY = "postgresql://login:password@127.0.0.1:1/parley"


class WrongPasswordError(Exception):
    """As the driver tells it."""

    sqlstate = "28P01"


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No stack's directory, no environment of ours, and pytest's own signals afterwards."""
    monkeypatch.chdir(tmp_path)
    for name in ("DATABASE_URL", "DATABASE_SYSTEM_URL", "DATABASE_ADMIN_URL", "REDIS_URL"):
        monkeypatch.delenv(name, raising=False)
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("url", ["parley", "mysql://host/parley", "postgresql://host:many/parley"])
def test_an_admins_url_that_is_none(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_ADMIN_URL", url)
    assert run(["migrate", "status"]) == ExitCode.USAGE
    assert "DATABASE_ADMIN_URL must be like postgresql://" in capsys.readouterr().err


def test_a_data_directory_that_cannot_be_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert run(["up", "--data-dir", str(tmp_path / "file" / "data")]) == ExitCode.USAGE
    assert "choose another --data-dir" in capsys.readouterr().err


def test_a_port_that_is_taken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("DATABASE_URL", "DATABASE_SYSTEM_URL"):
        monkeypatch.setenv(name, NOBODY)
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1")
    monkeypatch.setenv("ENCRYPTION_KEYS", f"k:{'0123456789abcdef' * 4}")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        assert run(["serve", "--port", str(port)]) == ExitCode.UNREACHABLE
    assert f"cannot listen on 127.0.0.1:{port}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (
            DBAPIError(None, None, WrongPasswordError("password authentication failed")),
            ExitCode.WRONG,
            "PostgreSQL refused: password authentication failed. Check DATABASE_URL",
        ),
        (ConnectionRefusedError("refused"), ExitCode.UNREACHABLE, "`parley doctor` says what"),
    ],
)
def test_what_no_command_has_put_into_words(
    error: Exception,
    code: ExitCode,
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def failing() -> int:
        raise error

    monkeypatch.setattr("workers.main.run_worker", failing)
    assert run(["worker"]) == code == code_of(error)
    assert told in capsys.readouterr().err


def test_variables_of_a_wrong_form_are_told_the_right_one() -> None:
    given = {"LOG_LEVEL": "LOUD", "REDIS_URL": "http://host", "APP_URL": "host"}
    with pytest.raises(ConfigurationError) as refused:
        Settings.from_environ(given)
    assert sorted(refused.value.problems) == [
        "APP_URL must be a URL that begins with https:// or http://.",
        "LOG_LEVEL must be DEBUG, INFO, WARNING or ERROR.",
        "REDIS_URL must be a URL that begins with redis:// or rediss:// or unix://.",
    ]
    assert Settings.from_environ({"LOG_LEVEL": "warn"}).log_level == "warn"


def test_celery_is_not_left_to_a_broker_of_its_own_choice() -> None:
    with pytest.raises(ConfigurationError, match="REDIS_URL is missing"):
        make_celery(Settings())
