"""The business's own settings: name, language, time zone, country, how long messages are kept."""

from typing import Any

from litestar import Response, get, post

from app.core.errors import RefusedError
from app.dashboard.desk import AnyRequest, Desk, form_of, go
from app.dashboard.pages.businesses import choices
from app.dashboard.refusals import Refusals, refused
from app.dashboard.render import page
from tenants.access import Permission
from tenants.businesses import RETENTION_DAYS, Profile

HERE = "/settings/business"
_FIELDS = ("name", "time_zone", "locale", "country", "retention_days")


def routes(desk: Desk) -> list[Any]:
    """Return the handlers."""

    @get(HERE)
    async def show(request: AnyRequest) -> Response[Any]:
        tenant_id = desk.someone(request).business(Permission.EDIT_BUSINESS)
        visit = desk.visit(request)
        profile = await (await desk.services()).businesses.profile(tenant_id)
        form = {name: getattr(profile, name) or "" for name in _FIELDS}
        form["locale"] = profile.locale.partition("-")[0]
        view: dict[str, Any] = {"form": form, "days": RETENTION_DAYS, **choices(visit)}
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
            view = {"form": form, "days": RETENTION_DAYS, **choices(visit)}
            return refused(visit, "settings/business.html", error, fields=_FIELDS, **view)
        return desk.leave_word(go(HERE), "saved")

    return [show, change]


def _days(raw: str) -> int:
    if not (raw.isascii() and raw.isdigit()):
        raise RefusedError("Give the days as a whole number, such as 30.")
    return int(raw[:6])
