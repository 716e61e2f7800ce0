"""Checks of the environment: what is set, what is missing, what start-up would refuse."""

from collections.abc import Mapping

from app.cli.checks.result import Finding
from app.core.config import Settings
from app.core.errors import ConfigurationError

REQUIRED = (
    "DATABASE_URL",
    "DATABASE_SYSTEM_URL",
    "REDIS_URL",
    "SECRET_KEY",
    "ENCRYPTION_KEYS",
    "WAHA_API_URL",
    "WAHA_API_KEY",
    "WAHA_WEBHOOK_SECRET",
    "OPENAI_API_KEY",
    "RESEND_API_KEY",
    "EMAIL_FROM",
    "APP_URL",
    "MEDIA_URL",
)
OPTIONAL = (
    "METRICS_TOKEN",
    "SENTRY_DSN",
    "DATABASE_ADMIN_URL",
    "UPSTASH_REDIS_REST_URL",
    "UPSTASH_REDIS_REST_TOKEN",
    "OPENAI_BASE_URL",
    "OPENAI_MODEL",
    "RESEND_API_URL",
    "TRUSTED_PROXIES",
    "OUTBOUND_ALLOW_CIDRS",
    "ENVIRONMENT",
)


def read_settings(environ: Mapping[str, str]) -> tuple[Settings | None, list[Finding]]:
    """The settings, if they can be used, and one finding a variable; values are never shown."""
    findings = [_required(name, environ) for name in REQUIRED]
    findings += [_optional(name, environ) for name in OPTIONAL]
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


def _optional(name: str, environ: Mapping[str, str]) -> Finding:
    given = environ.get(name, "").strip()
    return Finding(name, "ok" if given else "skipped", "set" if given else "not set (optional)")
