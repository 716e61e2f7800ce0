"""Checks of the outside world: WAHA, the model, mail, the error tracker's address."""

from app.cli.checks.result import Finding
from app.cli.local.http_client import Answer, request
from app.core.config import Settings

TIMEOUT_S = 5.0
REFUSED = frozenset({401, 403})
SERVER_ERROR_FIRST = 500


def provider_findings(settings: Settings) -> list[Finding]:
    """One finding a provider. Nothing is sent and nothing is charged."""
    return [_waha(settings), _model(settings), _mail(settings), _sentry(settings)]


def _waha(settings: Settings) -> Finding:
    if not settings.waha_api_url:
        return Finding("waha", "skipped", "WAHA_API_URL is missing")
    return _probe(
        "waha",
        f"{settings.waha_api_url.rstrip('/')}/api/server/version",
        {"X-Api-Key": settings.waha_api_key},
        "WAHA_API_URL and WAHA_API_KEY",
    )


def _model(settings: Settings) -> Finding:
    if not settings.openai_api_key:
        return Finding("model", "skipped", "OPENAI_API_KEY is missing")
    return _probe(
        "model",
        f"{settings.openai_base_url.rstrip('/')}/models",
        {"Authorization": f"Bearer {settings.openai_api_key}"},
        "OPENAI_BASE_URL and OPENAI_API_KEY",
    )


def _mail(settings: Settings) -> Finding:
    if not settings.resend_api_key:
        return Finding("mail", "skipped", "RESEND_API_KEY is missing")
    return _probe(
        "mail",
        f"{settings.resend_api_url.rstrip('/')}/domains",
        {"Authorization": f"Bearer {settings.resend_api_key}"},
        "RESEND_API_URL and RESEND_API_KEY",
    )


def _probe(name: str, url: str, headers: dict[str, str], variables: str) -> Finding:
    """Ask once; any answer but a refusal or a server error will do, not all list what we ask."""
    try:
        answer = request("GET", url, headers=headers, timeout_s=TIMEOUT_S)
    except OSError as error:
        detail = f"no answer ({type(error).__name__})"
        return Finding(name, "unreachable", detail, f"check {variables} and the network")
    if answer.status in REFUSED and not _sending_only(answer):
        return Finding(name, "wrong", f"answered {answer.status}", f"check {variables}")
    if answer.status >= SERVER_ERROR_FIRST:
        return Finding(name, "unreachable", f"answered {answer.status}", "try again later")
    return Finding(name, "ok", "reachable")


def _sending_only(answer: Answer) -> bool:
    """Resend refuses everything but sending to a key restricted to it, which is the right key."""
    return b"restricted_api_key" in answer.body


def _sentry(settings: Settings) -> Finding:
    from sentry_sdk.utils import BadDsn, Dsn

    if not settings.sentry_dsn:
        return Finding("sentry", "skipped", "SENTRY_DSN is not set; errors stay in the log")
    try:
        dsn = Dsn(settings.sentry_dsn)
    except BadDsn as error:
        return Finding("sentry", "wrong", str(error), "copy SENTRY_DSN from the project's settings")
    return Finding("sentry", "ok", f"project {dsn.project_id} at {dsn.netloc}")
