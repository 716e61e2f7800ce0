"""Checks of the outside world: WAHA, the models, mail, payments, the error tracker's address."""

from app.cli.checks.result import Finding
from app.cli.local.http_client import Answer, request
from app.core.config import Settings

TIMEOUT_S = 5.0
REFUSED = frozenset({401, 403})
MODELS = (
    "OPENAI_MODEL",
    "OPENAI_FALLBACK_MODEL",
    "OPENAI_EMBEDDING_MODEL",
    "OPENAI_TRANSCRIPTION_MODEL",
)
SERVER_ERROR_FIRST = 500


def provider_findings(settings: Settings) -> list[Finding]:
    """One finding a provider. Nothing is sent and nothing is charged."""
    return [
        _waha(settings),
        *_models(settings),
        _mail(settings),
        _payments(settings),
        _sentry(settings),
    ]


def _waha(settings: Settings) -> Finding:
    if not settings.waha_api_url:
        return Finding("waha", "skipped", "WAHA_API_URL is missing")
    return _probe(
        "waha",
        f"{settings.waha_api_url.rstrip('/')}/api/server/version",
        {"X-Api-Key": settings.waha_api_key},
        "WAHA_API_URL and WAHA_API_KEY",
    )


def _models(settings: Settings) -> list[Finding]:
    """Whether the model's server answers, and knows each model that the settings name."""
    if not settings.openai_api_key:
        return [Finding("model", "skipped", "OPENAI_API_KEY is missing")]
    found, answer = _ask(
        "model",
        f"{settings.openai_base_url.rstrip('/')}/models",
        {"Authorization": f"Bearer {settings.openai_api_key}"},
        "OPENAI_BASE_URL and OPENAI_API_KEY",
    )
    known = _listed(answer)
    wanted = {name: getattr(settings, name.lower()) for name in MODELS}
    # Not every server that speaks the API has a list: no list, no verdict.
    missing = [name for name, model in wanted.items() if known and model and model not in known]
    if not missing:
        return [found]
    told = ", ".join(f"{name} ({wanted[name]})" for name in missing)
    return [found, Finding("models", "wrong", f"not listed: {told}", "name models it offers")]


def _listed(answer: Answer | None) -> set[str]:
    """The names in the answer to GET /models; empty when it is no such list."""
    try:
        return {str(model["id"]) for model in answer.json()["data"]} if answer else set()
    except (ValueError, KeyError, TypeError):
        return set()


def _mail(settings: Settings) -> Finding:
    if not settings.resend_api_key:
        return Finding("mail", "skipped", "RESEND_API_KEY is missing")
    if not settings.resend_webhook_secret:
        remedy = f"make a webhook {settings.app_url}/webhooks/resend, copy its secret"
        return Finding("mail", "wrong", "RESEND_WEBHOOK_SECRET is missing", remedy)
    return _probe(
        "mail",
        f"{settings.resend_api_url.rstrip('/')}/domains",
        {"Authorization": f"Bearer {settings.resend_api_key}"},
        "RESEND_API_URL and RESEND_API_KEY",
    )


def _payments(settings: Settings) -> Finding:
    if not settings.stripe_secret_key:
        return Finding("payments", "skipped", "STRIPE_SECRET_KEY is not set; nothing can be bought")
    if not settings.stripe_webhook_secret:
        remedy = f"make an endpoint {settings.app_url}/webhooks/stripe, copy its secret"
        return Finding("payments", "wrong", "STRIPE_WEBHOOK_SECRET is missing", remedy)
    return _probe(
        "payments",
        f"{settings.stripe_api_url.rstrip('/')}/v1/balance",
        {"Authorization": f"Bearer {settings.stripe_secret_key}"},
        "STRIPE_SECRET_KEY",
    )


def _probe(name: str, url: str, headers: dict[str, str], variables: str) -> Finding:
    return _ask(name, url, headers, variables)[0]


def _ask(
    name: str, url: str, headers: dict[str, str], variables: str
) -> tuple[Finding, Answer | None]:
    """Ask once; any answer but a refusal or a server error will do, not all list what we ask."""
    try:
        answer = request("GET", url, headers=headers, timeout_s=TIMEOUT_S)
    except OSError as error:
        detail = f"no answer ({type(error).__name__})"
        return Finding(name, "unreachable", detail, f"check {variables} and the network"), None
    if answer.status in REFUSED and not _restricted(answer):
        return Finding(name, "wrong", f"answered {answer.status}", f"check {variables}"), answer
    if answer.status >= SERVER_ERROR_FIRST:
        return Finding(name, "unreachable", f"answered {answer.status}", "try again later"), answer
    return Finding(name, "ok", "reachable"), answer


def _restricted(answer: Answer) -> bool:
    """Whether the key is a right one that may not read what is asked.

    Resend refuses everything but sending to a key restricted to it; so does Stripe, with 403.
    """
    return b"restricted_api_key" in answer.body or b"required permissions" in answer.body


def _sentry(settings: Settings) -> Finding:
    from sentry_sdk.utils import BadDsn, Dsn

    if not settings.sentry_dsn:
        return Finding("sentry", "skipped", "SENTRY_DSN is not set; errors stay in the log")
    try:
        dsn = Dsn(settings.sentry_dsn)
    except BadDsn as error:
        return Finding("sentry", "wrong", str(error), "copy SENTRY_DSN from the project's settings")
    return Finding("sentry", "ok", f"project {dsn.project_id} at {dsn.netloc}")
