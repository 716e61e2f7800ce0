"""What every handler of the pages needs of a request: the visit, the device, the form, the way on.

Handlers stay thin: read the form, call one service, answer with a page or a redirect.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from litestar import Request, Response

from app.core import locales
from app.core.config import Settings
from app.core.text import storable
from app.dashboard import flashes
from app.dashboard.services import Services
from app.dashboard.visit import THEME_COOKIE, THEMES, ZONE_COOKIE, Visit, is_partial
from app.http.client import client_address
from app.http.csrf import page_token
from app.http.sessions import Cookies, person, require_person
from tenants.devices import Device, summarise
from tenants.familiar import KNOWN, cookie_name, mark_of
from tenants.login_sessions import OpenSession, SignedIn

AnyRequest = Request[Any, Any, Any]
_WORD_CHARS_MAX = 4_000
_PATH_CHARS_MAX = 400
_ZONE_CHARS_MAX = 64
_KNOWN_S = 365 * 24 * 3600


class Desk:
    """Turns requests into what services want, and their results into answers.

    Args:
        settings: the process's settings.
        services: returns the services; the first caller may have to wait for the pools.
    """

    def __init__(self, settings: Settings, services: Callable[[], Awaitable[Services]]) -> None:
        self.settings = settings
        self.services = services
        self.cookies = Cookies(settings.app_url)

    def visit(self, request: AnyRequest) -> Visit:
        """Return the request as the pages see it."""
        found: SignedIn | None = person(request)
        whole = found if found is not None and not found.awaiting_factor else None
        theme = request.cookies.get(THEME_COOKIE, "")
        path = request.url.path
        return Visit(
            path=path,
            url=self.settings.app_url.rstrip("/") + path,
            language=locales.choose(
                person=whole.locale if whole else None,
                cookie=request.cookies.get(locales.COOKIE),
                accept_language=request.headers.get("accept-language", ""),
            ),
            theme=theme if theme in THEMES else "system",
            partial=is_partial(request.headers),
            csrf=page_token(request.scope, self.settings.secret_keys),
            person=whole,
            zone=request.cookies.get(ZONE_COOKIE, "UTC")[:_ZONE_CHARS_MAX],
            flash=request.cookies.get(flashes.COOKIE, ""),
        )

    def device(self, request: AnyRequest) -> Device:
        """Return from where the request comes, for throttles, sessions and the audit."""
        return Device(
            address=client_address(request.scope, self.settings.trusted_proxies),
            agent=summarise(request.headers.get("user-agent", "")),
            request_id=request.scope.get("parley_request_id"),  # type: ignore[arg-type]
            marks=frozenset(v for k, v in request.cookies.items() if KNOWN in k),
        )

    def someone(self, request: AnyRequest) -> SignedIn:
        """Return who is signed in with every factor; NotSignedInError when nobody is."""
        found: SignedIn = require_person(request)
        found.require_complete()
        return found

    def start_session(self, answer: Response[Any], session: OpenSession) -> Response[Any]:
        """Have the answer carry a session's new token; a whole session's browser is remembered."""
        answer.headers["Set-Cookie"] = self.cookies.set_session(session.token)
        if not session.awaiting_factor:
            mark = mark_of(self.settings.secret_keys[0], session.user_id)
            answer.set_cookie(
                key=cookie_name(mark, secure=self.cookies.secure),
                value=mark,
                max_age=_KNOWN_S,
                httponly=True,
                samesite="lax",
                secure=self.cookies.secure,
            )
        return answer

    def end_session(self, answer: Response[Any]) -> Response[Any]:
        """Have the answer take the session's cookie away."""
        answer.headers["Set-Cookie"] = self.cookies.drop_session()
        return answer

    def leave_word(self, answer: Response[Any], word: str) -> Response[Any]:
        """Have the next page show a confirmation; see ``flashes``."""
        answer.set_cookie(
            key=flashes.COOKIE,
            value=word,
            max_age=60,
            httponly=True,
            samesite="lax",
            secure=self.cookies.secure,
        )
        return answer


async def form_of(request: AnyRequest) -> dict[str, str]:
    """Return a form's text fields, stripped except for passwords; files are left out.

    What PostgreSQL cannot store is replaced, so that no service has to think of it.
    """
    fields = await request.form()
    return {
        storable(name): storable(
            value if "password" in name else value.strip(), chars_max=_WORD_CHARS_MAX
        )
        for name, value in fields.items()
        if isinstance(value, str)
    }


def go(path: str) -> Response[None]:
    """Send the browser on with a GET."""
    return Response(None, status_code=303, headers={"Location": path, "Cache-Control": "no-store"})


def own_path(raw: str | None, otherwise: str) -> str:
    """Return a path of ours that a form or link named; anything else becomes ``otherwise``."""
    if not raw or len(raw) > _PATH_CHARS_MAX or not raw.isprintable():
        return otherwise
    if not raw.startswith("/") or raw.startswith(("//", "/\\")) or "\\" in raw:
        return otherwise
    return raw
