"""Errors as pages for browsers, and as problem documents for everyone else."""

from typing import Any
from urllib.parse import quote, urlsplit

from litestar import Response
from litestar.exceptions import HTTPException

from app.core.errors import NotSignedInError, ParleyError
from app.dashboard.desk import AnyRequest, Desk, go, own_path
from app.dashboard.render import page
from app.dashboard.visit import Visit
from app.http.problems import on_http_error, on_parley_error, on_unexpected
from tenants.login_sessions import FactorNeededError, SignedIn, StepUpNeededError

_CARRIED = ("retry-after", "x-request-id", "allow")
_FORBIDDEN, _MISSING, _MANY, _AWAY, _SERVER = 403, 404, 429, 503, 500


class Failures:
    """The pages' exception handlers."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def handlers(self) -> dict[Any, Any]:
        """Return them as Litestar takes them."""
        return {
            HTTPException: lambda request, error: self._show(request, on_http_error, error),
            ParleyError: self._ours,
            Exception: lambda request, error: self._show(request, on_unexpected, error),
        }

    def _ours(self, request: AnyRequest, error: ParleyError) -> Response[Any]:
        if isinstance(error, FactorNeededError) and wants_html(request):
            return to_page(request, "/account")
        if isinstance(error, NotSignedInError) and wants_html(request):
            return self._to_proof(request, error)
        return self._show(request, on_parley_error, error)

    def _to_proof(self, request: AnyRequest, error: NotSignedInError) -> Response[Any]:
        """Send somebody who has to prove more to where they can, and back afterwards."""
        back = quote(_page_of(request), safe="/")
        found: SignedIn | None = request.scope.get("parley_person")  # type: ignore[assignment]
        if isinstance(error, StepUpNeededError):
            target = f"/confirm?next={back}"
        elif found is not None and found.awaiting_factor:
            target = f"/login/code?next={back}"
        else:
            target = f"/login?next={back}"
        return to_page(request, target)

    def _show(self, request: AnyRequest, as_problem: Any, error: Any) -> Response[Any]:
        problem: Response[bytes] = as_problem(request, error)
        if not wants_html(request):
            return problem
        visit = self._desk.visit(request)
        status = problem.status_code or _SERVER
        title, text = _words(visit, status)
        if isinstance(error, ParleyError) and status < _SERVER and status != _MISSING:
            text = error.told(visit._)
        carried = {k: v for k, v in problem.headers.items() if k.lower() in _CARRIED}
        return page(
            visit,
            "error.html",
            status=status,
            headers=carried,
            number=status,
            title=title,
            text=text,
            again=status in {_MANY, _AWAY, _SERVER},
            request_id=problem.headers.get("X-Request-Id", "") if status >= _SERVER else "",
        )


def to_page(request: AnyRequest, target: str) -> Response[Any]:
    """Send a browser to a page, out of a part of one, too."""
    if request.headers.get("hx-request") == "true":
        return Response(None, status_code=200, headers={"HX-Redirect": target})
    return go(target)


def wants_html(request: AnyRequest) -> bool:
    """Tell whether a browser asks: it names text/html."""
    return "text/html" in request.headers.get("accept", "")


def _page_of(request: AnyRequest) -> str:
    """Return the page that a request came from or asks for, as a path of ours."""
    if request.method == "GET":
        query = f"?{request.url.query}" if request.url.query else ""
        return own_path(request.url.path + query, "/home")
    return own_path(urlsplit(request.headers.get("referer", "")).path, "/home")


def _words(visit: Visit, status: int) -> tuple[str, str]:
    _ = visit._
    known = {
        _FORBIDDEN: (
            _("You cannot do this"),
            _("Your role does not allow it. Ask an owner of the business."),
        ),
        _MISSING: (
            _("There is nothing here"),
            _("The address may be mistyped, or the page was moved or belongs to somebody else."),
        ),
        _MANY: (
            _("One moment, please"),
            _("There were too many attempts. Wait a little, then try again."),
        ),
        _AWAY: (
            _("We will be right back"),
            _("Something we need does not answer at the moment. Messages are kept meanwhile."),
        ),
    }
    if status in known:
        return known[status]
    if status >= _SERVER:
        return (
            _("Something went wrong on our side"),
            _("It has been reported. Try again in a moment."),
        )
    return _("That did not work"), _("The request could not be understood. Go back and try again.")
