"""Home: the first steps until the first reply, then the figures and what needs somebody."""

from typing import Any

from litestar import Response, get

from app.dashboard.charts import bars
from app.dashboard.desk import AnyRequest, Desk, go
from app.dashboard.inbox_words import inbox_words
from app.dashboard.overview import RANGES
from app.dashboard.render import page
from tenants.access import Permission, may
from tenants.login_sessions import SignedIn


def routes(desk: Desk) -> list[Any]:
    """Return the handlers."""

    @get("/home")
    async def home(request: AnyRequest) -> Response[Any]:
        someone = desk.someone(request)
        visit, services = desk.visit(request), await desk.services()
        if someone.tenant_id is None:
            return go(await _elsewhere(desk, someone))
        if not _may(someone, Permission.READ_REPORTS):
            waiting, total = await services.overviews.waiting(someone)
            own = await services.inbox.own_figures(someone)
            view: dict[str, Any] = {"waiting": waiting, "waiting_total": total, "figures": own}
            return page(visit, "home/agent.html", **view, **inbox_words(visit))
        days = _days(request.query_params.get("days", ""))
        overview = await services.overviews.read(
            someone, days, credits_too=_may(someone, Permission.READ_CREDITS)
        )
        passkeys = await services.passkeys.all_of(someone.user_id)
        return page(
            visit,
            "home/overview.html",
            overview=overview,
            days=days,
            ranges=RANGES,
            chart=bars(overview.days),
            safe=bool(passkeys) or someone.second_factor,
        )

    return [home]


async def _elsewhere(desk: Desk, someone: SignedIn) -> str:
    """Return where somebody without a business goes."""
    places = await (await desk.services()).businesses.of_person(someone.user_id)
    if places:
        return "/businesses"
    if someone.admin:
        return "/admin"
    return "/account" if someone.must_enrol else "/businesses/new"


def _may(someone: SignedIn, permission: Permission) -> bool:
    """Tell whether a page part is for somebody; admins who act for a business have no role."""
    return someone.role is None or may(someone.role, permission)


def _days(raw: str) -> int:
    return int(raw) if raw in {str(days) for days in RANGES} else RANGES[0]
