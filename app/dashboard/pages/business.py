"""The business's own settings: name, language, time zone, country, how long messages are kept."""

from typing import Any
from uuid import UUID

from litestar import Response, get, post

from app.core.errors import RefusedError
from app.dashboard.desk import AnyRequest, Desk, form_of, go
from app.dashboard.pages.businesses import choices
from app.dashboard.refusals import Refusals, refused
from app.dashboard.render import page
from app.dashboard.visit import Visit
from tenants import consents
from tenants.access import Permission
from tenants.businesses import RETENTION_DAYS, Profile

HERE = "/settings/business"
_NEEDS = Permission.EDIT_BUSINESS
_FIELDS = ("name", "time_zone", "locale", "country", "retention_days")


def routes(desk: Desk) -> list[Any]:
    """Return the handlers."""

    async def view_of(visit: Visit, tenant_id: UUID) -> dict[str, Any]:
        services = await desk.services()
        async with services.database.tenant(tenant_id) as connection:
            given = await consents.of_business(connection, tenant_id)
        async with services.database.system_statement() as connection:
            names = await consents.names(connection, given)
        return {"days": RETENTION_DAYS, "consents": given, "names": names, **choices(visit)}

    @get(HERE)
    async def show(request: AnyRequest) -> Response[Any]:
        tenant_id = desk.someone(request).business(_NEEDS)
        visit = desk.visit(request)
        profile = await (await desk.services()).businesses.profile(tenant_id)
        form = {name: getattr(profile, name) or "" for name in _FIELDS}
        form["locale"] = profile.locale.partition("-")[0]
        view = {"form": form, **await view_of(visit, tenant_id)}
        return page(visit, "settings/business.html", errors={}, **view)

    @post(HERE)
    async def change(request: AnyRequest) -> Response[Any]:
        someone, form = desk.someone(request), await form_of(request)
        visit = desk.visit(request)
        try:
            profile = Profile(
                name=form.get("name", ""),
                time_zone=form.get("time_zone", ""),
                locale=form.get("locale", ""),
                country=form.get("country") or None,
                retention_days=_days(form.get("retention_days", "")),
            )
            services = await desk.services()
            await services.businesses.change(someone, profile, desk.device(request))
        except Refusals as error:
            view = {"form": form, **await view_of(visit, someone.business(_NEEDS))}
            return refused(visit, "settings/business.html", error, fields=_FIELDS, **view)
        return desk.leave_word(go(HERE), "saved")

    return [show, change]


def _days(raw: str) -> int:
    if not (raw.isascii() and raw.isdigit()):
        raise RefusedError("Give the days as a whole number, such as 30.")
    return int(raw[:6])
