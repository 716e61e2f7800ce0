"""The environment of the local stack's processes: everything points at the simulator."""

from collections.abc import Mapping
from dataclasses import dataclass

from app.cli.errors import CommandError, ExitCode
from app.cli.local.ports import LOOPBACK
from migrations.bootstrap import DatabaseUrls

DATABASE_VARIABLES = ("DATABASE_URL", "DATABASE_SYSTEM_URL", "DATABASE_ADMIN_URL")
SECRET_VARIABLES = ("SECRET_KEY", "ENCRYPTION_KEYS", "WAHA_WEBHOOK_SECRET", "METRICS_TOKEN")
# Celery reads these on its own and they would silently win over REDIS_URL.
UNWANTED = ("CELERY_BROKER_URL", "CELERY_RESULT_BACKEND", "CELERY_CONFIG_MODULE")
SIMULATOR_NEEDS = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "WAHA_API_KEY", "REDIS_URL")


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the two front doors of the local stack are."""

    api_port: int
    simulator_port: int

    @property
    def api_url(self) -> str:
        """The web API."""
        return f"http://{LOOPBACK}:{self.api_port}"

    @property
    def simulator_url(self) -> str:
        """The simulator: phone page, mailbox, WAHA, model, mail, errors."""
        return f"http://{LOOPBACK}:{self.simulator_port}"


def external_databases(environ: Mapping[str, str]) -> DatabaseUrls | None:
    """The databases given by the environment; None when the embedded one is to be used."""
    given = {name: environ.get(name, "") for name in DATABASE_VARIABLES}
    if not any(given.values()):
        return None
    missing = [name for name, value in given.items() if not value]
    if missing:
        raise CommandError(
            ExitCode.USAGE,
            f"{', '.join(missing)} must be set too: your own database is used with all three of"
            f" {', '.join(DATABASE_VARIABLES)}; set none of them for the embedded one",
        )
    return DatabaseUrls(
        app=given["DATABASE_URL"],
        system=given["DATABASE_SYSTEM_URL"],
        admin=given["DATABASE_ADMIN_URL"],
    )


def stack_environment(
    environ: Mapping[str, str],
    *,
    addresses: Addresses,
    databases: DatabaseUrls,
    redis_url: str,
    secrets: Mapping[str, str],
    overrides: Mapping[str, str],
    media_url: str = "",
) -> dict[str, str]:
    """The full environment of API, worker and scheduler.

    WhatsApp, mail and payments always go to the simulator. The model does unless OPENAI_API_KEY
    is set, the error reports unless SENTRY_DSN is; secrets that are set are kept.
    """
    simulator = addresses.simulator_url
    values = {name: value for name, value in environ.items() if name not in UNWANTED}
    for name in SECRET_VARIABLES:
        if not values.get(name):
            values[name] = secrets[name]
    values |= {
        "ENVIRONMENT": "development",
        "DATABASE_URL": databases.app,
        "DATABASE_SYSTEM_URL": databases.system,
        "DATABASE_ADMIN_URL": databases.admin,
        "REDIS_URL": redis_url,
        "PORT": str(addresses.api_port),
        "WAHA_API_URL": simulator,
        "WAHA_API_KEY": secrets["WAHA_API_KEY"],
        "RESEND_API_URL": f"{simulator}/resend",
        "RESEND_API_KEY": secrets["RESEND_API_KEY"],
        "RESEND_WEBHOOK_SECRET": secrets["RESEND_WEBHOOK_SECRET"],
        "STRIPE_API_URL": f"{simulator}/stripe",
        "STRIPE_SECRET_KEY": "sk_test_simulator",
        "STRIPE_WEBHOOK_SECRET": secrets["STRIPE_WEBHOOK_SECRET"],
        "OUTBOUND_ALLOW_CIDRS": "127.0.0.0/8,::1/128",
        "PYTHONUNBUFFERED": "1",
    }
    if not values.get("OPENAI_API_KEY"):
        values |= {"OPENAI_API_KEY": "simulator", "OPENAI_BASE_URL": f"{simulator}/v1"}
    defaults = {
        "APP_URL": addresses.api_url,
        "SENTRY_DSN": f"http://public@{LOOPBACK}:{addresses.simulator_port}/sentry/1",
        "EMAIL_FROM": "Parley <frontdesk@parley.invalid>",
        "MEDIA_URL": media_url,
    }
    for name, value in defaults.items():
        if value and not values.get(name):
            values[name] = value
    return values | dict(overrides)


def simulator_environment(values: Mapping[str, str]) -> dict[str, str]:
    """What the simulator gets: of our secrets only those that the outside world has too."""
    wanted = {name: values[name] for name in SIMULATOR_NEEDS if name in values}
    stripe = {
        "SIMULATOR_STRIPE_WEBHOOK_URL": f"http://{LOOPBACK}:{values['PORT']}/webhooks/stripe",
        "SIMULATOR_STRIPE_WEBHOOK_SECRET": values["STRIPE_WEBHOOK_SECRET"],
    }
    resend = {
        "SIMULATOR_RESEND_WEBHOOK_URL": f"http://{LOOPBACK}:{values['PORT']}/webhooks/resend",
        "SIMULATOR_RESEND_WEBHOOK_SECRET": values["RESEND_WEBHOOK_SECRET"],
    }
    return wanted | stripe | resend | {"PYTHONUNBUFFERED": "1"}


def server_environment(values: Mapping[str, str]) -> dict[str, str]:
    """What API, worker and scheduler get: never the owner's login."""
    return {name: value for name, value in values.items() if name != "DATABASE_ADMIN_URL"}
