"""The session cookie, and the middleware that turns it into the person behind a request.

Over https the cookie is ``__Host-parley_session`` (Secure, no Domain, Path=/: no other host or
path can set it), in development over http ``parley_session``. Who a token stands for is asked
of a function handed in at assembly, so this layer knows no tables. The person is kept in the
scope; handlers read it with ``person``.
"""

from collections.abc import Awaitable, Callable
from http.cookies import CookieError, SimpleCookie
from typing import Any

from litestar.connection import ASGIConnection
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

from app.core.errors import NotSignedInError
from app.http.client import header
from app.http.headers import is_https, mark_page

COOKIE = "parley_session"
SECURE_COOKIE = f"__Host-{COOKIE}"
MAX_AGE_S = 30 * 24 * 3600
_COOKIE_BYTES_MAX = 8_192
_PERSON = "parley_person"
_TOKEN = "parley_session_token"  # noqa: S105 - a key of the scope

Find = Callable[[str, Any], Awaitable[Any]]
"""Return who a token (first) stands for in a request (its scope, second), or None."""


class Cookies:
    """Names and attributes of our cookies, for the address that the product is served at."""

    def __init__(self, app_url: str) -> None:
        self.secure = is_https(app_url)
        self.session = SECURE_COOKIE if self.secure else COOKIE
        self.visitor = "__Host-parley_visitor" if self.secure else "parley_visitor"

    def set_session(self, token: str) -> str:
        """Return the Set-Cookie value that starts or rotates a session."""
        return self.bake(self.session, token, max_age_s=MAX_AGE_S)

    def drop_session(self) -> str:
        """Return the Set-Cookie value that ends a session in the browser."""
        return self.bake(self.session, "", max_age_s=0)

    def bake(self, name: str, value: str, *, max_age_s: int) -> str:
        """Return a Set-Cookie value: HttpOnly, SameSite=Lax, Path=/, Secure over https."""
        secure = "; Secure" if self.secure else ""
        return f"{name}={value}; Path=/; Max-Age={max_age_s}; HttpOnly; SameSite=Lax{secure}"


def read_cookie(scope: Any, name: str) -> str:
    """Return a cookie's value, empty when it is missing, malformed or stands there twice.

    Twice means that somebody planted one: which of them is ours cannot be told.
    """
    raw = header(scope, b"cookie")
    if raw is None or len(raw) > _COOKIE_BYTES_MAX:
        return ""
    text = raw.decode("latin-1")
    given = [part for part in text.split(";") if part.strip().partition("=")[0] == name]
    if len(given) != 1:
        return ""
    try:
        jar = SimpleCookie(given[0].strip())
    except CookieError:
        return ""
    return jar[name].value if name in jar else ""


class SessionMiddleware:
    """Finds the person behind each request of the pages."""

    def __init__(self, app: ASGIApp, cookies: Cookies, find: Find) -> None:
        self._app = app
        self._cookies = cookies
        self._find = find

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Put the person, or None, into the scope, then go on."""
        if scope["type"] == ScopeType.HTTP:
            mark_page(scope)
            token = read_cookie(scope, self._cookies.session)
            found = await self._find(token, scope) if token else None
            scope[_PERSON] = found  # type: ignore[literal-required]
            scope[_TOKEN] = token if found is not None else ""  # type: ignore[literal-required]
        await self._app(scope, receive, send)


def sessions(cookies: Cookies, find: Find) -> Callable[[ASGIApp], SessionMiddleware]:
    """Return the middleware as a factory for Litestar's layers."""

    def build(app: ASGIApp) -> SessionMiddleware:
        return SessionMiddleware(app, cookies, find)

    return build


def person(connection: ASGIConnection[Any, Any, Any, Any]) -> Any:
    """Return who is signed in, or None."""
    return connection.scope.get(_PERSON)


def require_person(connection: ASGIConnection[Any, Any, Any, Any]) -> Any:
    """Return who is signed in; NotSignedInError when nobody is."""
    found = person(connection)
    if found is None:
        raise NotSignedInError("Please sign in.")
    return found


def session_token(scope: Any) -> str:
    """Return the token of the session in force, empty for strangers."""
    token: str = scope.get(_TOKEN, "")
    return token
