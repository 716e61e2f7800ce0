"""Checks of the environment: what is set, what is missing, what start-up would refuse."""

from collections.abc import Mapping
from dataclasses import fields

from app.cli.checks.result import Finding
from app.core.config import REQUIRED_IN_PRODUCTION, Settings
from app.core.errors import ConfigurationError

OPTIONAL = tuple(
    name.upper()
    for item in fields(Settings)
    if (name := item.name) not in {"timings", "limits"}
    and name.upper() not in REQUIRED_IN_PRODUCTION
)


def read_settings(environ: Mapping[str, str]) -> tuple[Settings | None, list[Finding]]:
    """The settings, if they can be used, and one finding a variable; values are never shown."""
    findings = [_required(name, environ) for name in REQUIRED_IN_PRODUCTION]
    findings.append(_optional(environ))
    try:
        settings = Settings.from_environ(environ)
        if settings.encryption_keys:
            settings.keyring()
    except ConfigurationError as error:
        problems = [
            Finding("settings", "wrong", problem, "see above") for problem in error.problems
        ]
        return None, [*findings, *problems]
    return settings, findings


def _required(name: str, environ: Mapping[str, str]) -> Finding:
    if environ.get(name, "").strip():
        return Finding(name, "ok", "set")
    return Finding(name, "wrong", "missing", f"set {name}, or run inside a `parley up` directory")


def _optional(environ: Mapping[str, str]) -> Finding:
    given = [name for name in OPTIONAL if environ.get(name, "").strip()]
    return Finding("optional variables", "ok", f"set: {', '.join(given) or 'none'}")
