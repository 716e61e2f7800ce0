"""Production starts with strong secrets or not at all, and says which variable is at fault."""

import os
import subprocess
import sys

import pytest

from app.core.config import Settings
from app.core.errors import ConfigurationError

STRONG = "9f2c4e7a1b8d3f6058c7e2a94d1b6f30"
COMPLETE = {
    "ENVIRONMENT": "production",
    "DATABASE_URL": "postgresql://parley_app:x@127.0.0.1:1/parley",
    "DATABASE_SYSTEM_URL": "postgresql://parley_system:x@127.0.0.1:1/parley",
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "APP_URL": "https://desk.example.com",
    "SECRET_KEY": STRONG,
    "ENCRYPTION_KEYS": f"k1:{STRONG}{STRONG[::-1]}",
    "WAHA_API_URL": "https://waha.example.com",
    "WAHA_API_KEY": STRONG,
    "WAHA_WEBHOOK_SECRET": STRONG,
    "OPENAI_API_KEY": "sk-" + STRONG,
    "RESEND_API_KEY": "re_" + STRONG,
    "EMAIL_FROM": "Desk <desk@example.com>",
    "METRICS_TOKEN": STRONG,
    "MEDIA_URL": "file:///var/lib/parley/media",
}
WEAK = {
    "SECRET_KEY": "x1y2z3",
    "ENCRYPTION_KEYS": "k1:" + "00" * 32,
    "WAHA_WEBHOOK_SECRET": "changeme-changeme-changeme-changeme",
    "METRICS_TOKEN": "a" * 40,
    "APP_URL": "http://desk.example.com",
    "OUTBOUND_ALLOW_CIDRS": "127.0.0.0/8",
}
COMMANDS = ("serve", "worker", "scheduler")


def start(command: str, environment: dict[str, str], cwd: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "app.cli.main", command],
        env={"PATH": os.environ["PATH"], **environment},
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_nothing_set(command: str, tmp_path):
    done = start(command, {"ENVIRONMENT": "production"}, str(tmp_path))
    assert done.returncode not in {0, None}
    for name in set(COMPLETE) - {"ENVIRONMENT", "APP_URL"}:
        assert name in done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_weak_secrets(command: str, tmp_path):
    done = start(command, {**COMPLETE, **WEAK}, str(tmp_path))
    assert done.returncode not in {0, None}
    for name, value in WEAK.items():
        assert name in done.stderr
        assert value not in done.stderr


def test_complete_settings_are_taken():
    assert Settings.from_environ(COMPLETE).production


@pytest.mark.parametrize("name", sorted(set(COMPLETE) - {"ENVIRONMENT"}))
def test_each_missing_variable_is_named(name: str):
    given = {key: value for key, value in COMPLETE.items() if key != name}
    with pytest.raises(ConfigurationError) as refusal:
        Settings.from_environ(given)
    assert [problem for problem in refusal.value.problems if name in problem]
    assert len(refusal.value.problems) == 1


@pytest.mark.parametrize("name", sorted(WEAK))
def test_each_weak_variable_is_named(name: str):
    with pytest.raises(ConfigurationError) as refusal:
        Settings.from_environ({**COMPLETE, name: WEAK[name]})
    assert len(refusal.value.problems) == 1
    assert name in refusal.value.problems[0]


def test_a_fault_plan_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PARLEY_FAULT_PLAN", "claim.after_commit=kill")
    with pytest.raises(ConfigurationError, match="PARLEY_FAULT_PLAN"):
        Settings.from_environ(COMPLETE)
