"""The inbox: the list, a conversation beside it, and the parts of them that live pages fetch."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
from litestar import Response, get
from litestar.params import FromPath
from litestar.response import Stream

from app.assistant import trace
from app.core.errors import NotFoundError, RefusedError
from app.core.ids import uuid7
from app.core.live import Change
from app.dashboard.desk import AnyRequest, Desk, go
from app.dashboard.inbox_words import inbox_words
from app.dashboard.live import LiveEvent, event_stream, last_event_id
from app.dashboard.render import page
from app.dashboard.why_words import why_words
from app.messaging.desk.listing import View
from app.messaging.desk.service import ConversationView, ListView, Wanted
from app.messaging.desk.thread import require_file, turn_of
from app.messaging.desk.viewers import viewer
from app.messaging.media import links
from app.messaging.media.uploads import UPLOAD_BYTES_MAX
from tenants.access import Permission

HERE = "/inbox"
VIEWS = tuple(View)


def routes(desk: Desk) -> list[Any]:
    """Return the handlers."""
    return [*_pages(desk), *_parts(desk), *_details(desk), *_live(desk)]


def _pages(desk: Desk) -> list[Any]:
    @get(HERE)
    async def show(request: AnyRequest) -> Response[Any]:
        return await whole(desk, request)

    @get("/inbox/{conversation_id:uuid}")
    async def open_one(request: AnyRequest, conversation_id: FromPath[UUID]) -> Response[Any]:
        return await whole(desk, request, conversation_id)

    return [show, open_one]


def _parts(desk: Desk) -> list[Any]:
    @get("/inbox/list")
    async def rows(request: AnyRequest) -> Response[Any]:
        someone, wanted = desk.someone(request), wanted_of(request)
        visit = desk.visit(request)
        if not visit.partial:
            return go(HERE)
        found, _ = await (await desk.services()).inbox.look(someone, wanted)
        view = list_view(wanted, found, await names(desk, request))
        opened = _id(request.query_params.get("open"))
        return page(visit, "inbox/rows.html", opened=opened, **inbox_words(visit), **view)

    @get("/inbox/{conversation_id:uuid}/thread")
    async def lines(request: AnyRequest, conversation_id: FromPath[UUID]) -> Response[Any]:
        desk.someone(request)
        if not desk.visit(request).partial:
            return go(f"{HERE}/{conversation_id}")
        return await thread_part(desk, request, conversation_id)

    @get("/inbox/{conversation_id:uuid}/panel")
    async def panel(request: AnyRequest, conversation_id: FromPath[UUID]) -> Response[Any]:
        desk.someone(request)
        if not desk.visit(request).partial:
            return go(f"{HERE}/{conversation_id}#panel")
        return await part_of(desk, request, conversation_id, "inbox/panel.html", seen=False)

    return [rows, lines, panel]


def _details(desk: Desk) -> list[Any]:
    @get("/inbox/{conversation_id:uuid}/before/{message_id:uuid}")
    async def earlier(
        request: AnyRequest, conversation_id: FromPath[UUID], message_id: FromPath[UUID]
    ) -> Response[Any]:
        someone, visit = desk.someone(request), desk.visit(request)
        inbox = (await desk.services()).inbox
        head, found = await inbox.earlier_lines(someone, conversation_id, message_id)
        view: dict[str, Any] = {"head": head, "thread": found, "names": await names(desk, request)}
        template = "inbox/lines.html" if visit.partial else "inbox/earlier.html"
        return page(visit, template, **inbox_words(visit), **view)

    @get("/inbox/{conversation_id:uuid}/messages/{message_id:uuid}/why")
    async def why(
        request: AnyRequest, conversation_id: FromPath[UUID], message_id: FromPath[UUID]
    ) -> Response[Any]:
        someone, visit = desk.someone(request), desk.visit(request)
        inbox, reads = (await desk.services()).inbox, Permission.READ_INBOX
        async with inbox.acting(someone, conversation_id, reads) as (connection, looker, head):
            told = await turn_of(connection, looker, head.id, message_id)
            reply = None
            if told.turn_id is not None:
                reply = await trace.why(connection, looker.tenant_id, told.turn_id)
        pays = viewer(someone).sees_all
        template = "inbox/why.html" if visit.partial else "inbox/why_page.html"
        view: dict[str, Any] = {"head": head, "told": told, "reply": reply, "pays": pays}
        return page(visit, template, **inbox_words(visit), **why_words(visit), **view)

    @get("/inbox/{conversation_id:uuid}/files/{media_id:uuid}")
    async def file(
        request: AnyRequest, conversation_id: FromPath[UUID], media_id: FromPath[UUID]
    ) -> Response[Any]:
        """Lead to a file by an address that stays the same, so that live pages do not blink."""
        someone, inbox = desk.someone(request), (await desk.services()).inbox
        reads = Permission.READ_INBOX
        async with inbox.acting(someone, conversation_id, reads) as (connection, looker, head):
            await require_file(connection, looker, head.id, media_id)
        return go(links.signed_url(desk.settings.secret_keys, looker.tenant_id, media_id))

    return [earlier, why, file]


def _live(desk: Desk) -> list[Any]:
    @get("/inbox/unread")
    async def unread(request: AnyRequest) -> Response[Any]:
        someone = desk.someone(request)
        count = await (await desk.services()).inbox.unread(someone)
        return Response({"unread": count}, headers={"Cache-Control": "no-store"})

    @get("/inbox/stream")
    async def stream(request: AnyRequest) -> Stream:
        someone = desk.someone(request)
        if "text/event-stream" not in request.headers.get("accept", ""):
            raise RefusedError("This address is for pages that are kept up to date.")
        inbox = (await desk.services()).inbox
        reader = await inbox.reader(someone, _id(request.query_params.get("open")))

        async def source(after: str | None) -> Any:
            async for change in inbox.feed.changes(reader, after):
                yield LiveEvent(change.cursor, _told(change), "change")

        after = request.headers.get("last-event-id") or request.query_params.get("after")
        return event_stream(source, after=last_event_id(after))

    return [unread, stream]


def _told(change: Change) -> str:
    """Return a change as JSON: ids; null for those out of sight, or as the whole for any."""
    if change.conversations is None:
        return "null"
    ids: list[str | None] = [str(each) for each in sorted(change.conversations)]
    return msgspec.json.encode([*ids, None] if change.others else ids).decode()


async def whole(
    desk: Desk, request: AnyRequest, conversation_id: UUID | None = None, **more: Any
) -> Response[Any]:
    """Answer with the whole inbox, a conversation open in it or none."""
    someone, visit, wanted = desk.someone(request), desk.visit(request), wanted_of(request)
    inbox = (await desk.services()).inbox
    found, opened = await inbox.look(someone, wanted, conversation_id)
    team = await names(desk, request)
    view = list_view(wanted, found, team)
    if opened is not None:
        view |= conversation_view(desk, request, opened)
    status = more.pop("status", 200)
    return page(
        visit,
        "inbox/inbox.html",
        status=status,
        opened=conversation_id,
        cursor=found.summary.cursor,
        canned=found.summary.canned,
        **inbox_words(visit),
        **{"errors": {}, "draft": "", **view, **more},
    )


async def thread_part(
    desk: Desk, request: AnyRequest, conversation_id: UUID, *, seen: bool = True
) -> Response[Any]:
    """Answer with what changes of an open conversation: its banner and its lines."""
    return await part_of(desk, request, conversation_id, "inbox/thread.html", seen=seen)


async def part_of(
    desk: Desk, request: AnyRequest, conversation_id: UUID, template: str, *, seen: bool
) -> Response[Any]:
    """Answer with a part of an open conversation; ``seen`` notes that the person read it."""
    someone, visit = desk.someone(request), desk.visit(request)
    inbox = (await desk.services()).inbox
    summary, opened = await inbox.open(someone, conversation_id, seen=seen)
    view = conversation_view(desk, request, opened)
    return page(
        visit,
        template,
        names=await names(desk, request),
        labels=summary.labels,
        **inbox_words(visit),
        **view,
    )


async def names(desk: Desk, request: AnyRequest) -> dict[Any, str]:
    """Return the names of the business's people by their ids."""
    someone = desk.someone(request)
    if someone.role is None:
        return {}
    members = await (await desk.services()).team.members(someone)
    return {member.user_id: member.name for member in members}


def wanted_of(request: AnyRequest) -> Wanted:
    """Read what the list is to show; what cannot be read is a refusal."""
    query = {k: str(v) for k, v in request.query_params.items()}
    try:
        view = View(query["view"]) if query.get("view") else None
    except ValueError:
        raise NotFoundError("There is no such view.") from None
    return Wanted(
        view=view,
        label_id=_id(query.get("label")),
        before=_before(query.get("before")),
        query=query.get("q", "").strip(),
    )


def list_view(wanted: Wanted, found: ListView, team: dict[Any, str]) -> dict[str, Any]:
    """Return what the list's templates need."""
    kept = {"view": found.view.value}
    if wanted.label_id:
        kept["label"] = str(wanted.label_id)
    if wanted.query:
        kept["q"] = wanted.query
    return {
        "wanted": wanted,
        "shown_view": found.view,
        "kept": kept,
        "views": VIEWS,
        "rows": found.page.rows,
        "more": found.page.before,
        "summary": found.summary,
        "counts": found.summary.counts,
        "labels": found.summary.labels,
        "names": team,
    }


def conversation_view(desk: Desk, request: AnyRequest, opened: ConversationView) -> dict[str, Any]:
    """Return what the conversation's templates need."""
    looker = viewer(desk.someone(request))
    return {
        "head": opened.head,
        "thread": opened.thread,
        "facts": opened.facts,
        "acts": looker.answers,
        "form_key": uuid7(),
        "upload_bytes_max": UPLOAD_BYTES_MAX,
    }


def _id(raw: str | None) -> UUID | None:
    try:
        return UUID(raw) if raw else None
    except ValueError:
        raise RefusedError("This link is not complete. Open the inbox again.") from None


def _before(raw: str | None) -> tuple[datetime, UUID] | None:
    if not raw:
        return None
    moment, _, conversation_id = raw.partition("~")
    try:
        # Ours carry their zone; any other moment is read as if it did.
        return datetime.fromisoformat(moment).astimezone(UTC), UUID(conversation_id)
    except (ValueError, OverflowError):
        raise RefusedError("This link is not complete. Open the inbox again.") from None
