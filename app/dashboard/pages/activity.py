"""The audit trail for people: searched, page by page, and as a CSV file."""

from typing import Any
from uuid import UUID

from litestar import Response, get
from litestar.response import Stream

from app.core.errors import RefusedError
from app.dashboard.desk import AnyRequest, Desk
from app.dashboard.periods import period_of
from app.dashboard.render import partial
from app.dashboard.visit import Visit
from tenants import audit
from tenants.access import Permission

ROWS = 50
GROUPS = ("business.", "member.", "channel.", "credits.", "api_key.", "contact.")


def routes(desk: Desk) -> list[Any]:
    """Return the handlers."""

    @get("/settings/audit")
    async def show(request: AnyRequest) -> Response[Any]:
        someone = desk.someone(request)
        tenant_id = someone.business(Permission.READ_AUDIT)
        visit, services = desk.visit(request), await desk.services()
        query = {k: str(v) for k, v in request.query_params.items()}
        async with services.database.tenant(tenant_id) as connection:
            entries = await audit.search(
                connection,
                tenant_id,
                _wanted(query, visit),
                after_id=_after(query),
                rows_max=ROWS + 1,
            )
        names = {str(m.user_id): m.name for m in await services.team.members(someone)}
        more = entries[ROWS - 1].id if len(entries) > ROWS else None
        view: dict[str, Any] = {
            "entries": entries[:ROWS],
            "names": names,
            "query": query,
            "more": more,
        }
        return partial(visit, "settings/audit.html", "results", groups=GROUPS, **view)

    @get("/settings/audit.csv")
    async def download(request: AnyRequest) -> Stream:
        tenant_id = desk.someone(request).business(Permission.READ_AUDIT)
        query = {k: str(v) for k, v in request.query_params.items()}
        wanted = _wanted(query, desk.visit(request))
        return Stream(
            audit.as_csv((await desk.services()).database, tenant_id, wanted),
            media_type="text/csv; charset=utf-8",
            headers={
                "Content-Disposition": 'attachment; filename="parley-activity.csv"',
                "Cache-Control": "no-store",
            },
        )

    return [show, download]


def _wanted(query: dict[str, str], visit: Visit) -> audit.Search:
    """Read the search; days are the reader's own, from midnight to midnight."""
    since, until = period_of(query, visit)
    return audit.Search(
        actor=query.get("actor") or None,
        action=query.get("action") or None,
        since=since,
        until=until,
    )


def _after(query: dict[str, str]) -> UUID | None:
    try:
        return UUID(query["after"]) if query.get("after") else None
    except ValueError:
        raise RefusedError("This link is not complete. Begin the search again.") from None
