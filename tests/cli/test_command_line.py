"""`parley` without an environment: help, unknown commands, exit codes."""

import importlib
import socket
from pathlib import Path

import asyncpg
import click
import pytest
from sqlalchemy.exc import DBAPIError

from app.cli import main as command_line
from app.cli.errors import CommandError, ExitCode
from app.cli.main import COMMANDS, cli, code_of, run
from app.core.errors import ConfigurationError, NotFoundError, RefusedError, UnavailableError
from tests.cli.conftest import RunParley

OWN = ("up", "demo", "serve", "worker", "scheduler", "doctor", "smoke")


def test_help_needs_no_environment_and_imports_no_command(parley: RunParley) -> None:
    done = parley("--help", env={"ENVIRONMENT": "nonsense", "PORT": "many"})
    assert done.returncode == 0, done.stderr
    for name in COMMANDS:
        assert f"  {name} " in done.stdout


@pytest.mark.parametrize("name", OWN)
def test_each_command_explains_itself(name: str) -> None:
    module, attribute, _ = COMMANDS[name]
    command = getattr(importlib.import_module(module), attribute)
    text = command.get_help(click.Context(command, info_name=f"parley {name}"))
    assert f"Usage: parley {name}" in text
    assert len(command.help) > 80
    assert all(getattr(option, "help", "x") for option in command.params)


def test_usage_errors_are_2(parley: RunParley) -> None:
    assert parley("nonsense").returncode == 2
    assert parley("serve", "--port", "many").returncode == 2
    assert parley().returncode == 2


def test_smoke_tells_an_address_from_none(parley: RunParley) -> None:
    assert parley("smoke", "desk.example.com").returncode == 2
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening
        done = parley("smoke", f"http://127.0.0.1:{taken.getsockname()[1]}")
    assert done.returncode == 3
    assert "✗ alive  no answer" in done.stdout


def test_doctor_without_environment_says_what_is_missing(parley: RunParley) -> None:
    done = parley("doctor")
    assert done.returncode == 1
    assert "✗ DATABASE_URL" in done.stdout
    assert "Traceback" not in done.stderr


def test_a_refused_connection_is_3(parley: RunParley) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: connections are refused
        port = taken.getsockname()[1]
        done = parley("doctor", "--json", env={"REDIS_URL": f"redis://127.0.0.1:{port}/0"})
    assert done.returncode == 3, done.stdout
    assert '"name": "redis", "state": "unreachable"' in done.stdout


def wrapped(cause: Exception) -> Exception:
    error = RuntimeError("driver")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConnectionRefusedError(), ExitCode.UNREACHABLE),
        (TimeoutError(), ExitCode.UNREACHABLE),
        (socket.gaierror(), ExitCode.UNREACHABLE),
        (wrapped(ConnectionResetError()), ExitCode.UNREACHABLE),
        (UnavailableError("redis"), ExitCode.UNREACHABLE),
        (DBAPIError(None, None, asyncpg.CannotConnectNowError()), ExitCode.UNREACHABLE),
        (DBAPIError(None, None, asyncpg.UndefinedTableError()), None),
        (RefusedError("no"), ExitCode.USAGE),
        (NotFoundError(), ExitCode.WRONG),
        (ConfigurationError(["SECRET_KEY is missing."]), ExitCode.WRONG),
        (KeyError("a defect"), None),
    ],
)
def test_errors_have_exit_codes(error: Exception, code: ExitCode | None) -> None:
    assert code_of(error) is code


@pytest.mark.parametrize(
    ("raised", "status"),
    [
        (CommandError(1, "found wrong"), 1),
        (CommandError(3, "found silent"), 3),
        (ConnectionRefusedError("found silent"), 3),
        (click.UsageError("found odd"), 2),
        (KeyboardInterrupt(), 1),
    ],
)
def test_commands_end_with_the_code_of_their_error(
    raised: BaseException, status: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    @click.command()
    def failing() -> None:
        raise raised

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command_line.LazyGroup, "get_command", lambda *_: failing)
    assert run(["worker"]) == status


@pytest.mark.parametrize("result", [0, 1, 3])
def test_a_returned_number_is_the_exit_code(
    result: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    @click.command()
    def returning() -> int:
        return result

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command_line.LazyGroup, "get_command", lambda *_: returning)
    assert run(["worker"]) == result


def test_group_lists_the_table() -> None:
    assert cli.list_commands(click.Context(cli)) == list(COMMANDS)
