"""Start-up settings from the command line, with environment variables behind them."""

from dataclasses import dataclass
from pathlib import Path

import click


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the simulator is told when it starts."""

    host: str = "127.0.0.1"
    port: int = 8900
    state_file: Path | None = None
    redis_url: str | None = None
    webhook_url: str | None = None
    webhook_hmac_key: str | None = None
    webhook_events: tuple[str, ...] = ("*",)
    waha_api_key: str | None = None
    stripe_webhook_url: str | None = None
    stripe_webhook_secret: str | None = None
    resend_webhook_url: str | None = None
    resend_webhook_secret: str | None = None
    base_url: str | None = None
    warm: bool = False

    @property
    def public_url(self) -> str:
        """Where this simulator is reached, the base of media addresses; no slash at the end."""
        if self.base_url:
            return self.base_url.rstrip("/")
        host = "127.0.0.1" if self.host in {"0.0.0.0", "::", ""} else self.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"


def _option(name: str, *variables: str) -> click.Option:
    return click.Option([name], envvar=list(variables))


def parse_settings(argv: list[str]) -> Settings:
    """Read the command line.

    Raises:
        click.ClickException: an option is unknown or has a wrong value.
    """
    command = click.Command(
        "simulator",
        params=[
            click.Option(["--host"], default="127.0.0.1", envvar="SIMULATOR_HOST"),
            click.Option(["--port"], default=8900, type=int, envvar="SIMULATOR_PORT"),
            _option("--state-file", "SIMULATOR_STATE_FILE"),
            _option("--redis-url", "SIMULATOR_REDIS_URL", "REDIS_URL"),
            _option("--webhook-url", "SIMULATOR_WEBHOOK_URL", "WHATSAPP_HOOK_URL"),
            _option("--webhook-hmac-key", "SIMULATOR_WEBHOOK_HMAC_KEY", "WHATSAPP_HOOK_HMAC_KEY"),
            _option("--webhook-events", "SIMULATOR_WEBHOOK_EVENTS", "WHATSAPP_HOOK_EVENTS"),
            _option("--waha-api-key", "SIMULATOR_WAHA_API_KEY", "WAHA_API_KEY"),
            _option("--stripe-webhook-url", "SIMULATOR_STRIPE_WEBHOOK_URL"),
            _option("--stripe-webhook-secret", "SIMULATOR_STRIPE_WEBHOOK_SECRET"),
            _option("--resend-webhook-url", "SIMULATOR_RESEND_WEBHOOK_URL"),
            _option("--resend-webhook-secret", "SIMULATOR_RESEND_WEBHOOK_SECRET"),
            _option("--base-url", "SIMULATOR_BASE_URL", "WAHA_BASE_URL"),
            click.Option(
                ["--warm"],
                is_flag=True,
                envvar="SIMULATOR_WARM",
                help="Load the embedding model in the background, once the start is over.",
            ),
        ],
        help=(
            "The outside world for Parley over real HTTP: WAHA, an OpenAI-compatible model,"
            " Resend, Stripe, Sentry and Upstash Redis, with a phone to type on."
        ),
    )
    with command.make_context("simulator", argv) as context:
        values = context.params
    return Settings(
        host=values["host"],
        port=values["port"],
        state_file=Path(values["state_file"]) if values["state_file"] else None,
        redis_url=values["redis_url"] or None,
        webhook_url=values["webhook_url"] or None,
        webhook_hmac_key=values["webhook_hmac_key"] or None,
        webhook_events=tuple((values["webhook_events"] or "*").replace(" ", "").split(",")),
        waha_api_key=values["waha_api_key"] or None,
        stripe_webhook_url=values["stripe_webhook_url"] or None,
        stripe_webhook_secret=values["stripe_webhook_secret"] or None,
        resend_webhook_url=values["resend_webhook_url"] or None,
        resend_webhook_secret=values["resend_webhook_secret"] or None,
        base_url=values["base_url"] or None,
        warm=values["warm"],
    )
