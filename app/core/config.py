"""The settings: one frozen object, read once from the environment.

Start-up refuses what cannot work and names every variable at fault, in one error. In
production (``ENVIRONMENT=production``) secrets must be present and strong.
"""

import ipaddress
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Literal, TypeVar
from urllib.parse import urlsplit

from app.core.crypto import Keyring
from app.core.errors import ConfigurationError

Environment = Literal["development", "test", "production"]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_SECRET_CHARS_MIN = 32
_DISTINCT_CHARS_MIN = 8
_PLACEHOLDERS = ("changeme", "change-me", "secret", "password", "example", "insecure", "default")


@dataclass(frozen=True, slots=True)
class Timings:
    """Every duration of the message path, in seconds; tests and drills scale them.

    One test asserts the production values and their order (renew < lease,
    send timeout < unknown-after, and so on).
    """

    idle_s: float = 8.0
    cap_s: float = 45.0
    lease_s: float = 60.0
    renew_s: float = 20.0
    send_timeout_s: float = 85.0
    unknown_after_s: float = 90.0
    sweep_s: float = 5.0
    model_timeout_s: float = 60.0
    stop_grace_s: float = 0.5
    typing_max_s: float = 4.0
    model_give_up_s: float = 120.0
    retry_base_s: float = 2.0
    drain_s: float = 25.0
    answer_max_age_s: float = 3600.0
    silence_s: float = 300.0
    reconcile_s: float = 3600.0
    reconcile_check_s: float = 60.0
    read_back_s: float = 20.0
    lead_s: float = 10.0
    crawl_pause_s: float = 1.0
    media_wait_s: float = 30.0
    number_check_s: float = 60.0
    number_down_s: float = 900.0


@dataclass(frozen=True, slots=True)
class Limits:
    """Door limits that operators may move; tenants' own limits live in their plan."""

    hook_per_min: int = 1200
    hook_burst: int = 300
    hook_bad_per_min: int = 60
    hook_bad_burst: int = 60
    edge_per_min: int = 600
    edge_burst: int = 300


@dataclass(frozen=True, slots=True)
class Settings:
    """All of Parley's configuration. Empty strings mean "not given"."""

    environment: Environment = "development"
    service_name: str = "parley"
    log_level: str = "INFO"
    port: int = 8000
    app_url: str = "http://127.0.0.1:8000"
    database_url: str = ""
    database_system_url: str = ""
    database_admin_url: str = ""
    database_pool_size: int = 10
    redis_url: str = ""
    upstash_redis_rest_url: str = ""
    upstash_redis_rest_token: str = field(default="", repr=False)
    secret_key: str = field(default="", repr=False)
    encryption_keys: str = field(default="", repr=False)
    waha_api_url: str = ""
    waha_api_key: str = field(default="", repr=False)
    waha_webhook_secret: str = field(default="", repr=False)
    openai_api_key: str = field(default="", repr=False)
    openai_base_url: str = "https://api.openai.com/v1"
    openai_model: str = "gpt-4.1-mini"
    openai_fallback_model: str = ""
    openai_embedding_model: str = "text-embedding-3-small"
    openai_transcription_model: str = "gpt-4o-mini-transcribe"
    twilio_account_sid: str = ""
    twilio_auth_token: str = field(default="", repr=False)
    twilio_whatsapp_number: str = ""
    twilio_api_url: str = "https://api.twilio.com"
    resend_webhook_secret: str = field(default="", repr=False)
    stripe_secret_key: str = field(default="", repr=False)
    stripe_webhook_secret: str = field(default="", repr=False)
    stripe_api_url: str = "https://api.stripe.com"
    stripe_automatic_tax: bool = False
    sentry_dsn: str = field(default="", repr=False)
    resend_api_key: str = field(default="", repr=False)
    resend_api_url: str = "https://api.resend.com"
    email_from: str = ""
    media_url: str = ""
    metrics_token: str = field(default="", repr=False)
    trusted_proxies: tuple[Network, ...] = ()
    outbound_allow_cidrs: tuple[Network, ...] = ()
    expected_instances: int = 1
    timings: Timings = field(default_factory=Timings)
    limits: Limits = field(default_factory=Limits)

    @property
    def production(self) -> bool:
        """True when real customers are served."""
        return self.environment == "production"

    @property
    def secret_keys(self) -> tuple[str, ...]:
        """``SECRET_KEY`` split at commas: the first signs, all verify."""
        return tuple(k.strip() for k in self.secret_key.split(",") if k.strip())

    def keyring(self) -> Keyring:
        """Return the keys that encrypt secrets at rest; ConfigurationError when unusable."""
        try:
            return Keyring.parse(self.encryption_keys)
        except ValueError as error:
            raise ConfigurationError([f"ENCRYPTION_KEYS cannot be used: {error}."]) from None

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] | None = None) -> "Settings":
        """Read and check the environment; ConfigurationError lists every problem at once."""
        reader = _Reader(os.environ if environ is None else environ)
        settings = reader.settings()
        problems = reader.problems + (_production_problems(settings) if settings.production else [])
        if problems:
            raise ConfigurationError(problems)
        return settings


_Group = TypeVar("_Group", Timings, Limits)


class _Reader:
    """Reads variables by field name and collects what is wrong with them."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.problems: list[str] = []

    def settings(self) -> Settings:
        values: dict[str, object] = {}
        for item in fields(Settings):
            if item.name in {"timings", "limits"}:
                continue
            raw = self.environ.get(item.name.upper(), "").strip()
            if raw:
                values[item.name] = self._convert(item.name, raw)
        values["timings"] = self._group(Timings, _seconds)
        values["limits"] = self._group(Limits, _count)
        return Settings(**values)  # type: ignore[arg-type]

    def _convert(self, name: str, raw: str) -> object:
        if name in {"port", "database_pool_size", "expected_instances"}:
            return self._read(name.upper(), raw, _count, "a whole number above 0, e.g. 8000")
        if name == "stripe_automatic_tax":
            return self._read(name.upper(), raw, _flag, "true or false")
        if name in {"trusted_proxies", "outbound_allow_cidrs"}:
            return self._read(name.upper(), raw, _networks, "networks such as 10.0.0.0/8, fd00::/8")
        if name == "environment":
            if raw not in {"development", "test", "production"}:
                self.problems.append(
                    "ENVIRONMENT must be development, test or production; it decides which checks"
                    " apply."
                )
            return raw
        if name == "log_level" and raw.upper() not in logging.getLevelNamesMapping():
            self.problems.append("LOG_LEVEL must be DEBUG, INFO, WARNING or ERROR.")
        if name.endswith(("_url", "sentry_dsn")) and not is_usable_url(name, raw):
            schemes = " or ".join(f"{scheme}://" for scheme in _SCHEMES.get(name, _WEB))
            self.problems.append(f"{name.upper()} must be a URL that begins with {schemes}.")
        return raw

    def _group(self, kind: type[_Group], convert: Callable[[str], object]) -> _Group:
        values: dict[str, object] = {}
        for item in fields(kind):
            name = f"PARLEY_{item.name.upper()}"
            raw = self.environ.get(name, "").strip()
            if raw:
                values[item.name] = self._read(name, raw, convert, "a number of 0 or more")
        return kind(**values)  # type: ignore[arg-type]

    def _read(self, name: str, raw: str, convert: Callable[[str], object], want: str) -> object:
        try:
            return convert(raw)
        except ValueError:
            self.problems.append(f"{name} must be {want}.")
            return convert("1") if convert is not _networks else ()


def _seconds(raw: str) -> float:
    value = float(raw)
    if not 0 <= value < 1e9:  # noqa: PLR2004
        raise ValueError(raw)
    return value


def _count(raw: str) -> int:
    value = int(raw)
    if value < 1:
        raise ValueError(raw)
    return value


def _flag(raw: str) -> bool:
    words = {"true": True, "1": True, "false": False, "0": False}
    if raw.lower() not in words:
        raise ValueError(raw)
    return words[raw.lower()]


def _networks(raw: str) -> tuple[Network, ...]:
    return tuple(
        ipaddress.ip_network(part.strip(), strict=False) for part in raw.split(",") if part.strip()
    )


_WEB = ("https", "http")
_SCHEMES = {
    "database_url": ("postgresql",),
    "database_system_url": ("postgresql",),
    "database_admin_url": ("postgresql",),
    "redis_url": ("redis", "rediss", "unix"),
    "media_url": ("file", "s3"),
}


def is_usable_url(name: str, raw: str) -> bool:
    """Tell whether a URL has the form that the setting of this name needs."""
    try:
        parts = urlsplit(raw)
        _ = parts.port
    except ValueError:
        return False
    return parts.scheme in _SCHEMES.get(name, _WEB) and bool(parts.netloc or parts.path)


REQUIRED_IN_PRODUCTION = (
    "DATABASE_URL",
    "DATABASE_SYSTEM_URL",
    "REDIS_URL",
    "APP_URL",
    "SECRET_KEY",
    "ENCRYPTION_KEYS",
    "WAHA_API_URL",
    "WAHA_API_KEY",
    "WAHA_WEBHOOK_SECRET",
    "OPENAI_API_KEY",
    "RESEND_API_KEY",
    "EMAIL_FROM",
    "METRICS_TOKEN",
    "MEDIA_URL",
)


def _production_problems(settings: Settings) -> list[str]:
    problems = [
        f"{name} is missing; production does not start without it."
        for name in REQUIRED_IN_PRODUCTION
        if not getattr(settings, name.lower())
    ]
    for name in ("SECRET_KEY", "WAHA_WEBHOOK_SECRET", "METRICS_TOKEN"):
        values = (
            settings.secret_keys if name == "SECRET_KEY" else (getattr(settings, name.lower()),)
        )
        problems += [f"{name} {reason}" for v in values if v and (reason := _weakness(v))]
    if settings.encryption_keys:
        problems += _keyring_problems(settings)
    if settings.app_url and not settings.app_url.startswith("https://"):
        problems.append("APP_URL must start with https:// in production.")
    if settings.upstash_redis_rest_url and not settings.upstash_redis_rest_token:
        problems.append("UPSTASH_REDIS_REST_TOKEN is missing while UPSTASH_REDIS_REST_URL is set.")
    if settings.stripe_secret_key and not settings.stripe_webhook_secret:
        problems.append("STRIPE_WEBHOOK_SECRET is missing while STRIPE_SECRET_KEY is set.")
    if _dangerous(settings.outbound_allow_cidrs):
        problems.append(
            "OUTBOUND_ALLOW_CIDRS may name your own WAHA's network only: loopback, link-local and"
            " ranges wider than /8 are refused in production."
        )
    if os.environ.get("PARLEY_FAULT_PLAN"):
        problems.append("PARLEY_FAULT_PLAN is for drills only; unset it in production.")
    return problems


def _dangerous(networks: tuple[Network, ...]) -> bool:
    return any(n.is_loopback or n.is_link_local or n.prefixlen < 8 for n in networks)  # noqa: PLR2004


def _keyring_problems(settings: Settings) -> list[str]:
    try:
        ring = settings.keyring()
    except ConfigurationError as error:
        return error.problems
    weak = [kid for kid, key in ring.keys if len(set(key)) < _DISTINCT_CHARS_MIN]
    return [
        f"ENCRYPTION_KEYS: key {kid!r} is not random; use openssl rand -hex 32." for kid in weak
    ]


def _weakness(value: str) -> str | None:
    if len(value) < _SECRET_CHARS_MIN:
        return f"is too short: use {_SECRET_CHARS_MIN} characters, e.g. from openssl rand -hex 32."
    if len(set(value)) < _DISTINCT_CHARS_MIN or any(p in value.lower() for p in _PLACEHOLDERS):
        return "looks like a placeholder; use random characters, e.g. from openssl rand -hex 32."
    return None
