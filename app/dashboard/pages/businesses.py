"""The businesses of a person: the switcher, and making a new one."""

from typing import Any
from uuid import UUID
from zoneinfo import available_timezones

from litestar import Response, get, post

from app.core import locales
from app.core.errors import NotFoundError
from app.dashboard.desk import AnyRequest, Desk, form_of, go
from app.dashboard.pages.public import TERMS_VERSION
from app.dashboard.refusals import Refusals, refused
from app.dashboard.render import page
from app.dashboard.visit import Visit
from tenants import login_sessions
from tenants.businesses import NewBusiness

_FIELDS = ("name", "slug", "time_zone", "locale", "country", "terms")
# Codes of the catalogue that stand for no country.
_NO_COUNTRIES = frozenset({"EU", "EZ", "UN", "XA", "XB", "ZZ", "QO"})
_CODE_CHARS = 2
_REGIONS = ("Africa", "America", "Antarctica", "Asia", "Atlantic", "Australia", "Europe")


def routes(desk: Desk) -> list[Any]:
    """Return the handlers."""

    @get("/businesses")
    async def businesses(request: AnyRequest) -> Response[Any]:
        someone = desk.someone(request)
        places = await (await desk.services()).businesses.of_person(someone.user_id)
        return page(desk.visit(request), "businesses.html", places=places)

    @post("/businesses/switch")
    async def switch(request: AnyRequest) -> Response[Any]:
        someone, form = desk.someone(request), await form_of(request)
        try:
            tenant_id = UUID(form.get("business", ""))
        except ValueError:
            raise NotFoundError("There is no such business.") from None
        async with (await desk.services()).database.system() as connection:
            await login_sessions.switch(connection, someone.session_id, tenant_id)
        return go("/home")

    @get("/businesses/new")
    async def new(request: AnyRequest) -> Response[Any]:
        someone, visit = desk.someone(request), desk.visit(request)
        # Whoever was invited may have come past their invitation while they made an account.
        invited_by = await (await desk.services()).invitations.offered(someone)
        form = {"locale": visit.language, "time_zone": "Europe/Madrid", "country": ""}
        view = {"form": form, "invited_by": invited_by, **choices(visit)}
        return page(visit, "auth/business.html", errors={}, **view)

    @post("/businesses/new")
    async def create(request: AnyRequest) -> Response[Any]:
        someone, form = desk.someone(request), await form_of(request)
        visit = desk.visit(request)
        business = NewBusiness(
            name=form.get("name", ""),
            slug=form.get("slug", ""),
            time_zone=form.get("time_zone", ""),
            locale=form.get("locale", ""),
            country=form.get("country", ""),
            terms_version=TERMS_VERSION if form.get("terms") else "",
            ai_disclosure_version=TERMS_VERSION if form.get("disclosure") else "",
        )
        try:
            services = await desk.services()
            await services.businesses.create(someone, business, desk.device(request))
        except Refusals as error:
            view = {"form": form, "invited_by": None, **choices(visit)}
            return refused(visit, "auth/business.html", error, fields=_FIELDS, **view)
        return desk.leave_word(go("/home"), "business-created")

    return [businesses, switch, new, create]


def choices(visit: Visit) -> dict[str, Any]:
    """Return the options of a business's form, countries in the reader's words."""
    territories = locales.locale(visit.language).territories
    countries = sorted(
        (
            (code, name)
            for code, name in territories.items()
            if len(code) == _CODE_CHARS and code.isalpha() and code not in _NO_COUNTRIES
        ),
        key=lambda item: item[1],
    )
    zones = sorted(z for z in available_timezones() if z.partition("/")[0] in _REGIONS)
    return {
        "zones": [(z, z.replace("_", " ")) for z in ["UTC", *zones]],
        "languages_of_business": list(locales.NAMES.items()),
        "countries": countries,
    }
