"""The platform's own trail: what admins and operators did, searched and as a file."""

from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Response, get
from litestar.response import Stream

from app.core.errors import RefusedError
from app.dashboard.desk import AnyRequest, Desk
from app.dashboard.pages.admin.console import admin_of, console_page
from app.dashboard.pages.books import query_of
from app.dashboard.periods import period_of
from app.dashboard.visit import Visit
from tenants import platform_audit
from tenants.audit import Search

HERE = "/admin/audit"
ROWS = 50
GROUPS = (
    *("credits.", "business.", "impersonation.", "admin.", "account."),
    *("prices.", "plan.", "deny_list."),
)


def routes(desk: Desk) -> list[Any]:
    """Return the handlers."""

    @get(HERE)
    async def show(request: AnyRequest) -> Response[Any]:
        admin_of(desk, request)
        visit, query = desk.visit(request), query_of(request)
        async with (await desk.services()).database.system() as connection:
            found = await platform_audit.search(
                connection, _wanted(query, visit), before=_before(query), rows_max=ROWS + 1
            )
            people = await platform_audit.people(connection, _named(found))
            admins = await platform_audit.admins(connection)
        shown = found[:ROWS]
        last = shown[-1] if len(found) > ROWS else None
        view = {
            "entries": shown,
            "people": people,
            "admins": admins,
            "query": query,
            "groups": GROUPS,
            "more": f"{last.at.isoformat()}_{last.id}" if last else "",
        }
        return console_page(desk, request, "admin/audit.html", view)

    @get("/admin/audit.csv")
    async def download(request: AnyRequest) -> Stream:
        admin_of(desk, request)
        wanted = _wanted(query_of(request), desk.visit(request))
        return Stream(
            platform_audit.as_csv((await desk.services()).database, wanted),
            media_type="text/csv; charset=utf-8",
            headers={
                "Content-Disposition": 'attachment; filename="parley-platform-activity.csv"',
                "Cache-Control": "no-store",
            },
        )

    return [show, download]


def _wanted(query: dict[str, str], visit: Visit) -> Search:
    since, until = period_of(query, visit)
    return Search(
        actor=query.get("actor") or None,
        action=query.get("action") or None,
        since=since,
        until=until,
    )


def _before(query: dict[str, str]) -> tuple[datetime, UUID] | None:
    raw = query.get("before")
    if not raw:
        return None
    try:
        at, entry_id = raw.split("_")
        place = datetime.fromisoformat(at), UUID(entry_id)
    except ValueError:
        raise RefusedError("This link is not complete. Begin the search again.") from None
    if place[0].tzinfo is None:
        raise RefusedError("This link is not complete. Begin the search again.")
    return place


def _named(found: list[platform_audit.PlatformEntry]) -> list[str | None]:
    """Everybody whom a page of entries names: who acted, and who asked for and decided it."""
    asked = [(e.after or {}).get(k) for e in found for k in ("requested_by", "decided_by")]
    return [*(e.actor_id for e in found), *asked]
