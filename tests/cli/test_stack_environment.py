"""What the local stack's processes are told: the simulator everywhere, the owner nowhere."""

from app.cli.local.demo_tenant import DemoTenant
from app.cli.local.run_file import run_description
from app.cli.local.stack_environment import (
    Addresses,
    external_databases,
    server_environment,
    simulator_environment,
    stack_environment,
)
from migrations.bootstrap import DatabaseUrls

ADDRESSES = Addresses(api_port=8001, simulator_port=8901)
DATABASES = DatabaseUrls(
    app="postgresql://app", system="postgresql://sys", admin="postgresql://own"
)
SECRETS = {
    name: f"{name.lower()}-value"
    for name in (
        "SECRET_KEY",
        "ENCRYPTION_KEYS",
        "WAHA_WEBHOOK_SECRET",
        "METRICS_TOKEN",
        "WAHA_API_KEY",
        "RESEND_API_KEY",
        "RESEND_WEBHOOK_SECRET",
        "STRIPE_WEBHOOK_SECRET",
    )
}
TENANT = DemoTenant(
    tenant_id="t",
    name="Bakery",
    channel_key="key",
    waha_session="bakery",
    webhook_secret="s",
    waha_number="12025550100",
    idle_s=1,
    cap_s=10,
    turn_per_min=6000,
    turn_burst=600,
    hook_per_min=1200,
    hook_burst=300,
    api_key="pk_live_demo",
    logins={"owner": ("owner@example.org", "words")},
)


def build(environ: dict[str, str], **overrides: str) -> dict[str, str]:
    return stack_environment(
        environ,
        addresses=ADDRESSES,
        databases=DATABASES,
        redis_url="redis://r",
        secrets=SECRETS,
        overrides=overrides,
    )


def test_everything_points_at_the_simulator() -> None:
    values = build({"CELERY_BROKER_URL": "redis://elsewhere", "WAHA_API_URL": "https://real"})
    assert values["WAHA_API_URL"] == "http://127.0.0.1:8901"
    assert values["OPENAI_BASE_URL"] == "http://127.0.0.1:8901/v1"
    assert values["OPENAI_API_KEY"] == "simulator"
    assert values["RESEND_API_URL"] == "http://127.0.0.1:8901/resend"
    assert values["STRIPE_API_URL"] == "http://127.0.0.1:8901/stripe"
    assert values["SENTRY_DSN"] == "http://public@127.0.0.1:8901/sentry/1"
    assert values["APP_URL"] == "http://127.0.0.1:8001"
    assert values["OUTBOUND_ALLOW_CIDRS"] == "127.0.0.0/8,::1/128"
    assert values["ENVIRONMENT"] == "development"
    assert "CELERY_BROKER_URL" not in values


def test_a_model_key_of_ones_own_means_the_real_model() -> None:
    values = build({"OPENAI_API_KEY": "sk-mine", "SECRET_KEY": "mine", "APP_URL": "http://a"})
    assert values["OPENAI_API_KEY"] == "sk-mine"
    assert "OPENAI_BASE_URL" not in values
    assert values["SECRET_KEY"] == "mine"
    assert values["APP_URL"] == "http://a"


def test_overrides_win() -> None:
    assert build({"PARLEY_IDLE_S": "8"}, PARLEY_IDLE_S="1")["PARLEY_IDLE_S"] == "1"


def test_servers_never_get_the_owner_nor_the_simulator_our_secrets() -> None:
    values = build({"PATH": "/bin"})
    assert "DATABASE_ADMIN_URL" not in server_environment(values)
    assert set(simulator_environment(values)) == {
        "PATH",
        "WAHA_API_KEY",
        "REDIS_URL",
        "PYTHONUNBUFFERED",
        "SIMULATOR_RESEND_WEBHOOK_URL",
        "SIMULATOR_RESEND_WEBHOOK_SECRET",
        "SIMULATOR_STRIPE_WEBHOOK_URL",
        "SIMULATOR_STRIPE_WEBHOOK_SECRET",
    }


def test_no_database_given_means_the_embedded_one() -> None:
    assert external_databases({}) is None
    given = {
        "DATABASE_URL": "postgresql://app",
        "DATABASE_SYSTEM_URL": "postgresql://sys",
        "DATABASE_ADMIN_URL": "postgresql://own",
    }
    assert external_databases(given) == DATABASES


def test_the_run_file_has_the_promised_keys() -> None:
    description = run_description(
        build({"PATH": "/bin"}), ADDRESSES, TENANT, pids={"api": 5}, logs={}
    )
    assert set(description) == {
        *("api_url", "app_url", "simulator_url", "database_url", "redis_url", "tenant_id"),
        "database_system_url",
        *("channel_key", "waha_session", "waha_number", "webhook_secret", "shared_webhook_secret"),
        *("api_key", "twilio", "debounce", "limits", "logins", "pids", "logs"),
    }
    assert description["debounce"] == {"idle_s": 1, "cap_s": 10}
    assert description["limits"]["hook"] == {"per_min": 1200, "burst": 300}
    assert description["limits"]["hook_bad"] == {"per_min": 60, "burst": 60}
    assert description["api_key"] == "pk_live_demo"
    owner = {"email": "owner@example.org", "password": "words"}
    assert description["logins"] == {"owner": owner, "agent": None, "admin": None}
    assert description["pids"]["api"] == 5
    assert set(description["logs"]) == set(description["pids"])
