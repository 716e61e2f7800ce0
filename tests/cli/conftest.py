"""Runs the command line in a process of its own, with exactly the environment a test gives."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

RunParley = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def parley(tmp_path: Path) -> RunParley:
    def run(
        *arguments: str, env: Mapping[str, str] | None = None, cwd: Path = tmp_path
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-P", "-m", "app.cli.main", *arguments],
            env={"PATH": os.environ["PATH"], **(env or {})},
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run
