"""Security headers of every answer that the framework gives, page or not."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

_PAGES = "parley_pages"

_HSTS = "max-age=31536000; includeSubDomains"
_PERMISSIONS = ", ".join(
    f"{feature}=()"
    for feature in (
        "accelerometer",
        "camera",
        "display-capture",
        "geolocation",
        "gyroscope",
        "magnetometer",
        "microphone",
        "midi",
        "payment",
        "usb",
    )
)


def content_security_policy(*, form_actions: Sequence[str] = ()) -> str:
    """Return the policy of pages: our own files only, no inline script or style, no frame.

    Args:
        form_actions: origins beside ours that a form's answer may redirect to (a payment page).
    """
    directives = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "font-src": "'self'",
        "connect-src": "'self'",
        "media-src": "'self'",
        "manifest-src": "'self'",
        "form-action": " ".join(("'self'", *form_actions)),
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
        "object-src": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in directives.items())


def security_headers(
    app_url: str, *, pages: bool = False, form_actions: Sequence[str] = ()
) -> list[tuple[bytes, bytes]]:
    """Return the headers, names in lower case; HSTS only where ``app_url`` is https.

    What is no page gets the narrowest policy: nothing may be loaded at all.
    """
    policy = (
        content_security_policy(form_actions=form_actions)
        if pages
        else "default-src 'none'; frame-ancestors 'none'"
    )
    headers = {
        "content-security-policy": policy,
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "referrer-policy": "same-origin",
        "permissions-policy": _PERMISSIONS,
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        # Answers are one person's; files that may be kept say so themselves.
        "cache-control": "no-store",
    }
    if is_https(app_url):
        headers["strict-transport-security"] = _HSTS
    return [(name.encode(), value.encode()) for name, value in headers.items()]


def before_send(
    app_url: str, *, form_actions: Sequence[str] = ()
) -> Callable[[Any, Any], Awaitable[None]]:
    """Return the hook that adds the headers to every answer of the framework, errors included.

    A header that a handler set itself stays.
    """
    plain = security_headers(app_url)
    pages = security_headers(app_url, pages=True, form_actions=form_actions)

    async def add(message: Any, scope: Any) -> None:
        if message["type"] == "http.response.start":
            present = {bytes(name).lower() for name, _ in message["headers"]}
            headers = pages if scope.get(_PAGES) else plain
            message["headers"] = [
                *message["headers"],
                *((name, value) for name, value in headers if name not in present),
            ]

    return add


def mark_page(scope: Any) -> None:
    """Say that a request is for a page, whose scripts and styles may load."""
    scope[_PAGES] = True


def is_https(app_url: str) -> bool:
    """Tell whether the product is served over https."""
    return urlsplit(app_url).scheme == "https"


def origin_of(app_url: str) -> str:
    """Return scheme and authority as a browser's ``Origin`` header spells them."""
    parts = urlsplit(app_url)
    return f"{parts.scheme}://{parts.netloc}".lower()
