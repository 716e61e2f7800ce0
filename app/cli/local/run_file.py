"""`run.json`: what other programs need to know about the local stack that runs here."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.cli.local.demo_tenant import DemoTenant
from app.cli.local.files import write_json
from app.cli.local.stack_environment import Addresses
from app.core.config import Settings

FILE_NAME = "run.json"
PROCESSES = ("api", "worker", "scheduler", "simulator", "postgres", "redis")
TWILIO_FIELDS = ("account_sid", "auth_token", "number", "channel_key")
LOGINS = ("owner", "agent", "admin")


def run_description(
    environment: Mapping[str, str],
    addresses: Addresses,
    tenant: DemoTenant,
    *,
    pids: Mapping[str, int | None],
    logs: Mapping[str, Path],
) -> dict[str, Any]:
    """The content of run.json; what does not exist is null, never absent."""
    limits = Settings.from_environ(environment).limits
    return {
        "api_url": addresses.api_url,
        "app_url": environment["APP_URL"],
        "simulator_url": addresses.simulator_url,
        "database_url": environment["DATABASE_URL"],
        "database_system_url": environment["DATABASE_SYSTEM_URL"],
        "redis_url": environment["REDIS_URL"],
        "tenant_id": tenant.tenant_id,
        "channel_key": tenant.channel_key,
        "waha_session": tenant.waha_session,
        "waha_number": tenant.waha_number,
        "webhook_secret": tenant.webhook_secret,
        "shared_webhook_secret": environment["WAHA_WEBHOOK_SECRET"],
        "api_key": tenant.api_key,
        "twilio": dict.fromkeys(TWILIO_FIELDS),
        "debounce": {"idle_s": tenant.idle_s, "cap_s": tenant.cap_s},
        "limits": {
            "hook": {"per_min": tenant.hook_per_min, "burst": tenant.hook_burst},
            "turn": {"per_min": tenant.turn_per_min, "burst": tenant.turn_burst},
            "hook_bad": {"per_min": limits.hook_bad_per_min, "burst": limits.hook_bad_burst},
        },
        "logins": {
            role: dict(zip(("email", "password"), tenant.logins[role], strict=True))
            if role in tenant.logins
            else None
            for role in LOGINS
        },
        "pids": {name: pids.get(name) for name in PROCESSES},
        "logs": {name: str(logs[name]) if name in logs else None for name in PROCESSES},
    }


def write_run_file(data_dir: Path, description: Mapping[str, Any]) -> Path:
    """Replace run.json in one step (mode 0600: it holds secrets)."""
    path = data_dir / FILE_NAME
    write_json(path, dict(description))
    return path


def remove_run_file(data_dir: Path) -> None:
    """Take run.json away: its absence says that nothing runs here."""
    (data_dir / FILE_NAME).unlink(missing_ok=True)
