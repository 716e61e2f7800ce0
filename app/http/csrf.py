"""Protection against forged requests: every change must come from one of our own pages.

Three checks, all of which must hold: the browser says it comes from our origin
(``Sec-Fetch-Site``, else ``Origin``); the session cookie is ``SameSite=Lax``; and the request
carries a token that only a page of ours could know. The token is an HMAC over the session's
token, or over a visitor's cookie before sign-in (whose forms can be forged too), with random
bytes in front so that no two pages show the same one.

Only routes that read cookies need this: it stands in front of the pages, not of the API.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable, Sequence
from typing import Any

from litestar.connection import Request
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from app.core.errors import ForbiddenError
from app.http.client import header
from app.http.headers import origin_of
from app.http.sessions import Cookies, read_cookie, session_token

HEADER = b"x-csrf-token"
FIELD = "csrf_token"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
_NONCE_HEX = 16
_DIGEST_HEX = 64
_VISITOR_BYTES = 32
_VISITOR_S = 24 * 3600
_VISITOR = "parley_visitor"


class CsrfError(ForbiddenError):
    """The request did not come from one of our pages, or the page is too old."""

    code = "csrf"


def make_token(key: str, binding: str) -> str:
    """Return a token for a page: 16 random hex digits, then the HMAC."""
    nonce = secrets.token_hex(_NONCE_HEX // 2)
    return nonce + _digest(key, binding, nonce)


def is_token_of(keys: Sequence[str], binding: str, token: str) -> bool:
    """Tell whether a token belongs to this binding, under any of the keys in force."""
    if not binding or len(token) != _NONCE_HEX + _DIGEST_HEX or not token.isascii():
        return False
    nonce, digest = token[:_NONCE_HEX], token[_NONCE_HEX:]
    return any(hmac.compare_digest(_digest(key, binding, nonce), digest) for key in keys)


class CsrfMiddleware:
    """Refuses forged changes, and gives strangers the cookie that their token is bound to."""

    def __init__(
        self, app: ASGIApp, *, cookies: Cookies, app_url: str, keys: Sequence[str]
    ) -> None:
        self._app = app
        self._cookies = cookies
        self._origin = origin_of(app_url)
        self._keys = tuple(keys)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check a change, pass on what is safe."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        fresh = self._bind_visitor(scope)
        if scope["method"] not in _SAFE:
            self._require_own_origin(scope)
            await self._require_token(scope, receive, send)

        async def send_with_visitor(message: Message) -> None:
            if fresh and message["type"] == "http.response.start":
                baked = self._cookies.bake(self._cookies.visitor, fresh, max_age_s=_VISITOR_S)
                message["headers"] = [*message["headers"], (b"set-cookie", baked.encode())]
            await send(message)

        await self._app(scope, receive, send_with_visitor)

    def _bind_visitor(self, scope: Scope) -> str:
        """Remember a stranger's cookie in the scope; return it if it has to be set."""
        if session_token(scope):
            return ""
        known = read_cookie(scope, self._cookies.visitor)
        visitor = known or secrets.token_urlsafe(_VISITOR_BYTES)
        scope[_VISITOR] = visitor  # type: ignore[literal-required]
        return "" if known else visitor

    def _require_own_origin(self, scope: Scope) -> None:
        site = header(scope, b"sec-fetch-site")
        if site is not None:
            if site not in {b"same-origin", b"none"}:
                raise CsrfError(
                    "This request came from another site. Open the page here and try again."
                )
            return
        origin = header(scope, b"origin")
        if origin is not None and origin.decode("latin-1").lower() != self._origin:
            raise CsrfError(
                "This request came from another site. Open the page here and try again."
            )

    async def _require_token(self, scope: Scope, receive: Receive, send: Send) -> None:
        raw = header(scope, HEADER)
        token = raw.decode("latin-1") if raw is not None else ""
        content_type = (header(scope, b"content-type") or b"").decode("latin-1").lower()
        # Files are for people who are signed in: a stranger's are not even read.
        readable = _FORMS if session_token(scope) else _FORMS[:1]
        if not token and content_type.startswith(readable):
            # Litestar keeps what was read in the scope: the handler reads the same form again.
            form = await Request[Any, Any, Any](scope, receive, send).form()
            token = str(form.get(FIELD, ""))
        if not is_token_of(self._keys, binding_of(scope), token):
            raise CsrfError("This page is too old. Reload it and try again.")


def csrf(
    *, cookies: Cookies, app_url: str, keys: Sequence[str]
) -> Callable[[ASGIApp], CsrfMiddleware]:
    """Return the middleware as a factory for Litestar's layers; it stands after ``sessions``."""

    def build(app: ASGIApp) -> CsrfMiddleware:
        return CsrfMiddleware(app, cookies=cookies, app_url=app_url, keys=keys)

    return build


def binding_of(scope: Any) -> str:
    """Return what tokens of this request are bound to: the session's token, or the visitor's."""
    visitor: str = scope.get(_VISITOR, "")
    return session_token(scope) or visitor


def page_token(scope: Any, keys: Sequence[str]) -> str:
    """Return a token for the forms of a page that answers this request."""
    return make_token(keys[0], binding_of(scope))


def _digest(key: str, binding: str, nonce: str) -> str:
    message = f"csrf\0{nonce}\0{hashlib.sha256(binding.encode()).hexdigest()}"
    return hmac.new(key.encode(), message.encode(), hashlib.sha256).hexdigest()
