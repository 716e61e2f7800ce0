"""Importing contacts: upload a list, look at what was read, take it."""

from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.datastructures import UploadFile
from litestar.params import FromPath

from app.core.errors import RefusedError
from app.dashboard.desk import AnyRequest, Desk, form_of, go
from app.dashboard.refusals import Refusals, refused
from app.dashboard.render import page
from app.dashboard.visit import Visit
from app.messaging.address_book import importing, listing
from tenants.access import Permission
from tenants.businesses import actor_of

HERE = "/contacts/import"
_UPLOAD = "contacts/import.html"
_PREVIEW = "contacts/import_preview.html"
_BODY_BYTES_MAX = importing.FILE_BYTES_MAX + 16 * 1024
PREVIEW_ROWS = 10
FAULT_ROWS = 50


def routes(desk: Desk) -> list[Any]:
    """Return the handlers."""

    @get(HERE)
    async def show(request: AnyRequest) -> Response[Any]:
        desk.someone(request).business(Permission.IMPORT_CONTACTS)
        return page(desk.visit(request), _UPLOAD, errors={})

    @post(HERE, request_max_body_size=_BODY_BYTES_MAX)
    async def upload(request: AnyRequest) -> Response[Any]:
        someone = desk.someone(request)
        tenant_id = someone.business(Permission.IMPORT_CONTACTS)
        try:
            name, raw = await _file(request)
            async with (await desk.services()).database.tenant(tenant_id) as connection:
                country = await listing.country_of(connection, tenant_id)
                preview = importing.read_list(raw, country)
                import_id = await importing.store(
                    connection, tenant_id, someone.user_id, preview, file_name=name
                )
        except Refusals as error:
            return refused(desk.visit(request), _UPLOAD, error, fields=())
        return go(f"/contacts/imports/{import_id}")

    async def look(request: AnyRequest, import_id: UUID) -> dict[str, Any]:
        tenant_id = desk.someone(request).business(Permission.IMPORT_CONTACTS)
        async with (await desk.services()).database.tenant(tenant_id) as connection:
            found = await importing.look(connection, tenant_id, import_id)
        words = _fault_words(desk.visit(request))
        return {
            "list": found,
            "rows": found.preview.rows[:PREVIEW_ROWS],
            "faults": [(f.line, f.text, words[f.reason]) for f in found.preview.faults][
                :FAULT_ROWS
            ],
        }

    @get("/contacts/imports/{import_id:uuid}")
    async def preview(request: AnyRequest, import_id: FromPath[UUID]) -> Response[Any]:
        view = await look(request, import_id)
        return page(desk.visit(request), _PREVIEW, errors={}, tag="", **view)

    @post("/contacts/imports/{import_id:uuid}")
    async def take(request: AnyRequest, import_id: FromPath[UUID]) -> Response[Any]:
        someone, form = desk.someone(request), await form_of(request)
        tenant_id = someone.business(Permission.IMPORT_CONTACTS)
        actor, tag = actor_of(someone, desk.device(request)), form.get("tag", "")
        try:
            async with (await desk.services()).database.tenant(tenant_id) as connection:
                await importing.take(connection, tenant_id, import_id, actor, tag=tag)
        except Refusals as error:
            view = await look(request, import_id)
            return refused(desk.visit(request), _PREVIEW, error, fields=("tag",), tag=tag, **view)
        return go(f"/contacts/imports/{import_id}")

    return [show, upload, preview, take]


async def _file(request: AnyRequest) -> tuple[str, bytes]:
    """Return the uploaded file's name and content; RefusedError when there is none."""
    given = (await request.form()).get("file")
    if not isinstance(given, UploadFile) or not given.filename:
        raise RefusedError("Choose a file first.")
    return given.filename, await given.read()


def _fault_words(visit: Visit) -> dict[str, str]:
    _ = visit._
    return {
        "phone_missing": _("The phone number is missing."),
        "phone_unknown": _("This is no phone number. Give it with its country code."),
        "twice": _("This number stands in the list twice; the first one counts."),
        "too_long": _("The name, the notes or the tags are too long."),
    }
