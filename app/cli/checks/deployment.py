"""Checks of a running installation from outside, as a stranger and as a provider would see it."""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from app.cli.checks.result import Finding
from app.cli.local.http_client import Answer, request

TIMEOUT_S = 10.0
OK = 200
PAGE_HEADERS = ("content-security-policy", "x-content-type-options", "x-frame-options")
_HSTS = "strict-transport-security"
_ASSET = re.compile(r"""["'](/[^"'\s]+\.(?:css|js))["']""")


@dataclass(frozen=True, slots=True)
class _Refusal:
    """A door that stays shut: what is asked without a key, and the statuses that are right."""

    name: str
    method: str
    path: str
    right: tuple[int, ...]
    remedy: str = "requests reach another program"


_REFUSALS = (
    _Refusal("webhook without a signature", "POST", "/api/webhooks/whatsapp", (401, 429)),
    _Refusal("unknown webhook", "POST", "/webhooks/waha/parley-smoke", (404, 429)),
    _Refusal("Stripe without a signature", "POST", "/webhooks/stripe", (400, 429)),
    _Refusal("Resend without a signature", "POST", "/webhooks/resend", (400, 429)),
    _Refusal("API without a key", "GET", "/api/v1/me", (401,)),
    _Refusal("console for strangers", "GET", "/admin", (401, 404)),
)
# Only production asks for the token.
_FIGURES = _Refusal("figures without a token", "GET", "/metrics", (401,), "ENVIRONMENT=production")


def deployment_findings(url: str) -> list[Finding]:
    """Ask a dozen harmless questions of the installation at ``url``; one finding each.

    When it cannot be reached at all, that is the only one.
    """
    root = url.rstrip("/")
    try:
        first = request("GET", f"{root}/healthz", timeout_s=TIMEOUT_S)
    except OSError as error:
        detail = f"no answer ({type(error).__name__})"
        return [Finding("alive", "unreachable", detail, "check the address, start parley serve")]
    return [_status("alive", first, OK, "start parley serve"), *_others(root)]


def _others(root: str) -> Iterator[Finding]:
    yield _asked("ready", root, "/readyz", _ready)
    yield _asked("health", root, "/api/health", _health)
    yield _asked("front page", root, "/", lambda answer: _page(root, answer))
    yield _asked("assets", root, "/", lambda answer: _assets(root, answer))
    yield _asked("sign-in page", root, "/login", lambda answer: _page(root, answer))
    https = urlsplit(root).scheme == "https"
    for refusal in (*_REFUSALS, _FIGURES) if https else _REFUSALS:
        yield _refused(root, refusal)


def _asked(name: str, root: str, path: str, judge: Callable[[Answer], Finding]) -> Finding:
    began = time.perf_counter()
    try:
        answer = request("GET", root + path, timeout_s=TIMEOUT_S)
        took_ms = (time.perf_counter() - began) * 1000
        found = judge(answer)
    except OSError as error:
        return Finding(name, "unreachable", f"no answer ({type(error).__name__})", "try again")
    return Finding(name, found.state, f"{found.detail} ({took_ms:.0f} ms)", found.remedy)


def _ready(answer: Answer) -> Finding:
    return _status("", answer, OK, "start PostgreSQL, parley migrate up")


def _health(answer: Answer) -> Finding:
    """The report's own words; what is degraded still takes messages."""
    try:
        report = answer.json()
        services = {name: one["status"] for name, one in report["services"].items()}
        told = f"{report['status']}, {report['service']} {report['version']}"
    except (ValueError, KeyError, TypeError, AttributeError):
        return Finding("", "wrong", f"answered {answer.status} with no report", "is this Parley?")
    troubled = [f"{n} {s}" for n, s in services.items() if s not in {"healthy", "not_configured"}]
    if troubled:
        return Finding(
            "", "wrong", f"{told}: {', '.join(troubled)}", "parley doctor, on its machine"
        )
    return Finding("", "ok", told)


def _page(root: str, answer: Answer) -> Finding:
    found = _status("", answer, OK, "build the pages: make assets")
    wanted = [*PAGE_HEADERS, *([_HSTS] if urlsplit(root).scheme == "https" else [])]
    missing = [name for name in wanted if name not in answer.headers]
    if found.state == "ok" and missing:
        remedy = "a proxy removes headers, or APP_URL is not this https address"
        return Finding("", "wrong", f"without {', '.join(missing)}", remedy)
    return found


def _assets(root: str, answer: Answer) -> Finding:
    """The style sheets and scripts that the front page names."""
    paths = sorted(set(_ASSET.findall(answer.body.decode("utf-8", "replace"))))
    if not paths:
        return Finding("", "wrong", "the front page names none", "build the pages: make assets")
    for path in paths:
        status = request("GET", root + path, timeout_s=TIMEOUT_S).status
        if status != OK:
            return Finding("", "wrong", f"{path} answered {status}", "build the pages: make assets")
    return Finding("", "ok", f"{len(paths)} files")


def _refused(root: str, refusal: _Refusal) -> Finding:
    body = b"{}" if refusal.method == "POST" else None
    try:
        answer = request(refusal.method, root + refusal.path, body=body, timeout_s=TIMEOUT_S)
    except OSError as error:
        detail = f"no answer ({type(error).__name__})"
        return Finding(refusal.name, "unreachable", detail, "try again")
    if answer.status in refusal.right:
        return Finding(refusal.name, "ok", f"refused with {answer.status}")
    wanted = " or ".join(map(str, refusal.right))
    return Finding(
        refusal.name, "wrong", f"answered {answer.status} instead of {wanted}", refusal.remedy
    )


def _status(name: str, answer: Answer, wanted: int, remedy: str) -> Finding:
    if answer.status == wanted:
        return Finding(name, "ok", f"answered {wanted}")
    return Finding(name, "wrong", f"answered {answer.status} instead of {wanted}", remedy)
