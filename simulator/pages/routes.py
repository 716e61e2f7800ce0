"""The simulator's pages: a phone to type on, and the mailbox."""

from gettext import NullTranslations
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from simulator.http import Headers, HttpError, Request, Response, Router, text_response
from simulator.pages.strings import mail_outcomes, phone_strings
from simulator.stripe.pages import StripePages
from simulator.world import World

_FOLDER = Path(__file__).parent
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_COMMON: Headers = [
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cache-control", "no-cache"),
]
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " media-src 'self'; connect-src 'self'; frame-src 'self'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'"
)
# An e-mail is somebody's HTML: no scripts, nothing from elsewhere; links open in a new tab.
MAIL_POLICY = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none';"
    " style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"
)
# A number reserved for fiction, for the first visit.
FIRST_CUSTOMER = "12025550147"


class Pages:
    """Renders the pages; all their data comes later, from the control."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._templates = Environment(
            loader=FileSystemLoader(_FOLDER / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            extensions=["jinja2.ext.i18n"],
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._translations = NullTranslations()
        self._templates.install_gettext_translations(  # type: ignore[attr-defined]
            self._translations, newstyle=True
        )
        self._static = {
            f"/_static/{file.name}": (file.read_text(), _TYPES[file.suffix])
            for file in sorted((_FOLDER / "static").iterdir())
            if file.suffix in _TYPES
        }
        self._router = Router()
        self._router.add("GET HEAD", "/", self.phone)
        self._router.add("GET HEAD", "/mail", self.mail)
        self._router.add("GET", "/mail/{id}/html", self.mail_html)
        StripePages(world.stripe, self._page).register(self._router)
        for path in self._static:
            self._router.add("GET HEAD", path, self.static)
        self._router.add("GET", "/favicon.ico", self.icon)

    async def handle(self, request: Request) -> Response:
        """Answer one call of a browser."""
        handler, _ = self._router.find(request)
        if handler is None:
            return self._page("missing.html", status=404)
        try:
            response = await handler(request)
        except HttpError:
            return self._page("missing.html", status=404)
        if request.method == "HEAD":
            response.body = b""
        return response

    async def phone(self, _: Request) -> Response:
        """The phones of customer and business, side by side."""
        strings = phone_strings(self._translations.gettext)
        return self._page("phone.html", strings=strings, first_customer=FIRST_CUSTOMER)

    async def mail(self, request: Request) -> Response:
        """The mailbox; `id` chooses the e-mail, the newest one otherwise."""
        emails = self._world.resend.emails()[::-1]
        chosen = self._world.resend.find(request.query.get("id", "")) or next(iter(emails), None)
        outcomes = mail_outcomes(self._translations.gettext)
        return self._page("mail.html", emails=emails, chosen=chosen, outcomes=outcomes)

    async def mail_html(self, request: Request) -> Response:
        """An e-mail's HTML for its frame."""
        mail = self._world.resend.find(request.params["id"])
        if mail is None or not mail["html"]:
            return self._page("missing.html", status=404)
        headers = [*_COMMON, ("content-security-policy", MAIL_POLICY)]
        html = str(mail["html"]).replace("<head>", '<head><base target="_blank">', 1)
        return text_response(html, "text/html", headers=headers)

    async def static(self, request: Request) -> Response:
        """Styles, scripts and the icon."""
        text, content_type = self._static[request.path]
        return text_response(text, content_type, headers=list(_COMMON))

    async def icon(self, _: Request) -> Response:
        """Where browsers look first; the real one is named in the pages."""
        return Response(status=308, headers=[("location", "/_static/icon.svg")])

    def _page(self, template: str, *, status: int = 200, **values: Any) -> Response:
        html = self._templates.get_template(template).render(
            version=self._world.waha.engine.version, **values
        )
        headers = [*_COMMON, ("content-security-policy", PAGE_POLICY)]
        response = text_response(html, "text/html", headers=headers)
        response.status = status
        return response
