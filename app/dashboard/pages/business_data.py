"""The business's data: its export, prepared in the background, and closing the business."""

from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Stream

from app.core.errors import NotFoundError
from app.dashboard.desk import AnyRequest, Desk, go
from app.dashboard.refusals import Refusals, refused
from app.dashboard.render import partial
from tenants import download_links, service
from tenants.access import Permission
from tenants.businesses import actor_of
from tenants.closing import GRACE_DAYS, erase_due_at

HERE = "/settings/data"
_TEMPLATE = "settings/data.html"
_PURPOSE = "business_export"


def routes(desk: Desk) -> list[Any]:
    """Return the handlers."""
    return [*_page(desk), *_download(desk), *_closing(desk)]


async def _view(desk: Desk, request: AnyRequest) -> dict[str, Any]:
    someone, services = desk.someone(request), await desk.services()
    tenant_id = someone.business(Permission.EDIT_BUSINESS)
    exports = await services.exports.all_of(tenant_id)
    async with services.database.tenant(tenant_id) as connection:
        due = await erase_due_at(connection, tenant_id)
    return {
        "exports": exports,
        "under_way": any(export.under_way for export in exports),
        "closes_at": due,
        "grace_days": GRACE_DAYS,
    }


def _page(desk: Desk) -> list[Any]:
    @get(HERE)
    async def show(request: AnyRequest) -> Response[Any]:
        view = await _view(desk, request)
        return partial(desk.visit(request), _TEMPLATE, "exports", errors={}, **view)

    @post("/settings/data/export")
    async def ask(request: AnyRequest) -> Response[Any]:
        someone = desk.someone(request)
        try:
            await (await desk.services()).exports.ask(someone, desk.device(request))
        except Refusals as error:
            view = await _view(desk, request)
            return refused(desk.visit(request), _TEMPLATE, error, fields=(), **view)
        return desk.leave_word(go(HERE), "export-asked")

    return [show, ask]


def _download(desk: Desk) -> list[Any]:
    @get("/settings/data/exports/{export_id:uuid}")
    async def link(request: AnyRequest, export_id: FromPath[UUID]) -> Response[Any]:
        """Send an owner on to a link that works for a quarter of an hour, for owners alone."""
        tenant_id = desk.someone(request).business(Permission.EXPORT_BUSINESS)
        await (await desk.services()).exports.open(tenant_id, export_id)
        keys = desk.settings.secret_keys
        return go(f"/exports/{download_links.sign(keys, _PURPOSE, tenant_id, export_id)}")

    @get("/exports/{token:str}")
    async def download(request: AnyRequest, token: FromPath[str]) -> Stream:
        someone = desk.someone(request)
        tenant_id = someone.business(Permission.EXPORT_BUSINESS)
        found = download_links.open_link(desk.settings.secret_keys, _PURPOSE, token)
        if found.tenant_id != tenant_id:
            raise NotFoundError("This link has run out. Get a new one on the page where it was.")
        services, device = await desk.services(), desk.device(request)
        export = await services.exports.open(tenant_id, found.thing_id)
        async with services.database.tenant(tenant_id) as connection:
            await service.record(
                connection,
                tenant_id,
                actor_of(someone, device),
                action="business.export_download",
                subject=str(found.thing_id),
            )
        return Stream(
            export.chunks,
            media_type="application/gzip",
            headers={
                "Content-Disposition": f'attachment; filename="{export.name}"',
                "Content-Length": str(export.size_bytes),
                "Cache-Control": "no-store",
            },
        )

    return [link, download]


def _closing(desk: Desk) -> list[Any]:
    @post("/settings/data/close")
    async def close(request: AnyRequest) -> Response[Any]:
        someone = desk.someone(request)
        try:
            await (await desk.services()).closing.close(someone, desk.device(request))
        except Refusals as error:
            view = await _view(desk, request)
            return refused(desk.visit(request), _TEMPLATE, error, fields=(), **view)
        return desk.leave_word(go(HERE), "business-closing")

    @post("/settings/data/reopen")
    async def reopen(request: AnyRequest) -> Response[Any]:
        someone = desk.someone(request)
        try:
            await (await desk.services()).closing.reopen(someone, desk.device(request))
        except Refusals as error:
            view = await _view(desk, request)
            return refused(desk.visit(request), _TEMPLATE, error, fields=(), **view)
        return desk.leave_word(go(HERE), "business-reopened")

    return [close, reopen]
