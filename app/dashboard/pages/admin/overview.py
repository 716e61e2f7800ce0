"""The console's first page: how the platform does, right now."""

from typing import Any

from litestar import Response, get

from app.dashboard.desk import AnyRequest, Desk
from app.dashboard.pages.admin.console import HERE, admin_of, console_page
from app.messaging.platform import overview
from billing import margin, platform


def routes(desk: Desk) -> list[Any]:
    """Return the handlers."""

    @get(HERE)
    async def show(request: AnyRequest) -> Response[Any]:
        admin_of(desk, request)
        visit = desk.visit(request)
        midnight = visit.now.replace(hour=0, minute=0, second=0, microsecond=0)
        async with (await desk.services()).database.system() as connection:
            margins = await margin.margins(connection, since=midnight, until=visit.now)
            view: dict[str, Any] = {
                "now": await overview.read(connection),
                "day": await platform.day(connection),
                "totals": await platform.totals(connection),
                "cost_usd_micro": sum(m.cost_usd_micro for m in margins),
                "revenue": margin.revenue(margins),
            }
        return console_page(desk, request, "admin/overview.html", view)

    return [show]
