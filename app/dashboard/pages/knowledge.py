"""What the assistant knows: files, pages and sites, their progress, and a search to try it."""

from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.datastructures import UploadFile
from litestar.params import FromPath

from app.assistant.knowledge.library import (
    FILES_MAX,
    PAGE_ROWS,
    PAGES_MAX,
    Upload,
)
from app.assistant.knowledge.reading import BYTES_MAX
from app.core.errors import ParleyError, RefusedError
from app.dashboard.desk import AnyRequest, Desk, form_of, go
from app.dashboard.knowledge_words import knowledge_words
from app.dashboard.refusals import Refusals, refused
from app.dashboard.render import partial
from app.dashboard.visit import Visit
from tenants.access import Permission, may
from tenants.login_sessions import SignedIn

HERE = "/knowledge"
_LIST = "knowledge/sources.html"
_SOURCE = "knowledge/source.html"
_TRY = "knowledge/try.html"
_BODY_BYTES_MAX = FILES_MAX * BYTES_MAX // 4
"""Of one upload: five large files or twenty usual ones."""
_QUESTION_CHARS_MAX = 500
_PAGES_USUAL = 50


def routes(desk: Desk) -> list[Any]:
    """Return the handlers."""
    return [*_sources(desk), *_adding(desk), *_one(desk), _trying(desk)]


def edits(someone: SignedIn) -> bool:
    """Tell whether somebody may change what the assistant knows."""
    return someone.role is not None and may(someone.role, Permission.EDIT_KNOWLEDGE)


def view_of(desk: Desk, request: AnyRequest) -> tuple[Visit, dict[str, Any]]:
    """Return the visit and what every page of the knowledge needs."""
    visit = desk.visit(request)
    return visit, {**knowledge_words(visit), "edits": edits(desk.someone(request))}


def after_of(request: AnyRequest) -> UUID | None:
    """Return the last row of the page before."""
    raw = request.query_params.get("after", "")
    try:
        return UUID(raw) if raw else None
    except ValueError:
        raise RefusedError("This page of the list does not exist.") from None


def cut(rows: list[Any]) -> tuple[list[Any], UUID | None]:
    """Return a page's rows, and the last one's id when more follow."""
    shown = rows[:PAGE_ROWS]
    return shown, shown[-1].id if len(rows) > PAGE_ROWS else None


async def _listed(desk: Desk, request: AnyRequest) -> dict[str, Any]:
    figures, found = await (await desk.services()).library.sources(
        desk.someone(request), after_of(request)
    )
    shown, more = cut(found)
    return {
        "figures": figures,
        "sources": shown,
        "more": more,
        "busy": any(source.state == "reading" for source in shown),
        "form": {"url": "", "pages_max": _PAGES_USUAL, "sync_every_h": 168, "scope": "page"},
        "limits": {"files": FILES_MAX, "megabytes": BYTES_MAX // 1024 // 1024},
    }


def _sources(desk: Desk) -> list[Any]:
    @get(HERE)
    async def show(request: AnyRequest) -> Response[Any]:
        visit, view = view_of(desk, request)
        return partial(visit, _LIST, "list", errors={}, **view, **await _listed(desk, request))

    return [show]


async def _refuse(
    desk: Desk, request: AnyRequest, error: ParleyError, **form: Any
) -> Response[Any]:
    visit, view = view_of(desk, request)
    listed = await _listed(desk, request)
    listed["form"] |= form
    fields = ("address", "file")
    return refused(visit, _LIST, error, fields=fields, **view, **listed)


def _adding(desk: Desk) -> list[Any]:
    @post("/knowledge/files", request_max_body_size=_BODY_BYTES_MAX)
    async def upload(request: AnyRequest) -> Response[Any]:
        someone, library = desk.someone(request), (await desk.services()).library
        someone.business(Permission.EDIT_KNOWLEDGE)
        try:
            await library.upload(someone, await _files(request), desk.device(request))
        except Refusals as error:
            return await _refuse(desk, request, error)
        return desk.leave_word(go(HERE), "knowledge-added")

    @post("/knowledge/pages")
    async def add_page(request: AnyRequest) -> Response[Any]:
        someone, form = desk.someone(request), await form_of(request)
        services = await desk.services()
        tenant_id = someone.business(Permission.EDIT_KNOWLEDGE)
        try:
            await services.accounts.throttles.crawl(tenant_id)
            await services.library.add_web(
                someone,
                form.get("url", ""),
                whole_site=form.get("scope") == "site",
                pages_max=_number(form.get("pages_max", ""), _PAGES_USUAL),
                sync_every_h=_number(form.get("sync_every_h", ""), 0),
                device=desk.device(request),
            )
        except Refusals as error:
            return await _refuse(desk, request, error, url=form.get("url", ""))
        return desk.leave_word(go(HERE), "knowledge-added")

    return [upload, add_page]


def _one(desk: Desk) -> list[Any]:
    @get("/knowledge/sources/{source_id:uuid}")
    async def show(request: AnyRequest, source_id: FromPath[UUID]) -> Response[Any]:
        found, items = await (await desk.services()).library.source(
            desk.someone(request), source_id, after_of(request)
        )
        shown, more = cut(items)
        visit, view = view_of(desk, request)
        return partial(
            visit, _SOURCE, "list", errors={}, source=found, items=shown, more=more, **view
        )

    @post("/knowledge/sources/{source_id:uuid}/sync")
    async def sync(request: AnyRequest, source_id: FromPath[UUID]) -> Response[Any]:
        someone, services = desk.someone(request), await desk.services()
        tenant_id = someone.business(Permission.EDIT_KNOWLEDGE)
        await services.accounts.throttles.crawl(tenant_id)
        await services.library.read_again(someone, source_id)
        return desk.leave_word(go(f"/knowledge/sources/{source_id}"), "knowledge-sync")

    @post("/knowledge/sources/{source_id:uuid}/remove")
    async def remove(request: AnyRequest, source_id: FromPath[UUID]) -> Response[Any]:
        library = (await desk.services()).library
        await library.remove_source(desk.someone(request), source_id, desk.device(request))
        return desk.leave_word(go(HERE), "knowledge-removed")

    return [show, sync, remove]


def _trying(desk: Desk) -> Any:
    @get("/knowledge/try")
    async def show(request: AnyRequest) -> Response[Any]:
        someone, services = desk.someone(request), await desk.services()
        library = services.library
        question = request.query_params.get("q", "").strip()[:_QUESTION_CHARS_MAX]
        figures = await library.figures(someone)
        if question:
            await services.accounts.throttles.trial(someone.user_id)
        tried = await library.try_question(someone, question) if question else None
        visit, view = view_of(desk, request)
        return partial(
            visit,
            _TRY,
            "results",
            errors={},
            question=question,
            tried=tried,
            figures=figures,
            **view,
        )

    return show


async def _files(request: AnyRequest) -> list[Upload]:
    fields = await request.form()
    found: list[Upload] = []
    for item in fields.getall("files", []):
        if isinstance(item, UploadFile) and item.filename:
            if len(found) == FILES_MAX:
                raise RefusedError("Send at most 20 files at once.")
            found.append(Upload(item.filename, await item.read()))
    return found


def _number(raw: str, otherwise: int) -> int:
    return (
        int(raw)
        if raw.isascii() and raw.isdigit() and len(raw) <= len(str(PAGES_MAX))
        else otherwise
    )
