"""What people do in the inbox: answer, note, take over, give back, label, assign, block."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.datastructures import UploadFile
from litestar.params import FromPath
from litestar.status_codes import HTTP_200_OK

from app.core.errors import NotFoundError, RefusedError
from app.dashboard.desk import AnyRequest, Desk, form_of, go
from app.dashboard.inbox_words import inbox_words
from app.dashboard.pages.inbox import HERE, thread_part, whole
from app.dashboard.refusals import Refusals, refused
from app.dashboard.render import page
from app.messaging import ownership
from app.messaging.desk import words
from app.messaging.desk.service import TAKEOVER_S
from app.messaging.desk.writing import Draft
from app.messaging.media.uploads import UPLOAD_BYTES_MAX, store_upload

_BODY_BYTES_MAX = UPLOAD_BYTES_MAX + 64 * 1024
_SPAN_S_MAX = 31 * 24 * 3600
_DAY_S = 24 * 3600
_CANNED = "inbox/replies.html"
_Step = Callable[..., Awaitable[Any]]


def routes(desk: Desk) -> list[Any]:
    """Return the handlers."""
    return [*_writing(desk), *_owning(desk), *_sorting(desk), *_replies(desk)]


def _writing(desk: Desk) -> list[Any]:
    @post("/inbox/{conversation_id:uuid}/messages", request_max_body_size=_BODY_BYTES_MAX)
    async def send(request: AnyRequest, conversation_id: FromPath[UUID]) -> Response[Any]:
        someone, form = desk.someone(request), await form_of(request)
        inbox = (await desk.services()).inbox
        try:
            draft = Draft(
                body=form.get("body", ""),
                form_key=_form_key(form),
                media_id=await _upload(desk, request, conversation_id),
                request_id=desk.device(request).request_id,
            )
            sent_to = await inbox.send(someone, conversation_id, draft)
        except Refusals as error:
            return await _again(desk, request, conversation_id, error, form)
        return await _after(desk, request, sent_to, moved=sent_to != conversation_id)

    @post("/inbox/{conversation_id:uuid}/notes")
    async def note(request: AnyRequest, conversation_id: FromPath[UUID]) -> Response[Any]:
        someone, form = desk.someone(request), await form_of(request)
        inbox = (await desk.services()).inbox
        try:
            async with inbox.acting(someone, conversation_id) as (connection, looker, _):
                await words.add_note(connection, looker, conversation_id, form.get("body", ""))
        except Refusals as error:
            return await _again(desk, request, conversation_id, error, form)
        return await _after(desk, request, conversation_id)

    @post("/inbox/start")
    async def start(request: AnyRequest) -> Response[Any]:
        someone, form = desk.someone(request), await form_of(request)
        try:
            contact_id = UUID(form.get("contact", ""))
        except ValueError:
            raise NotFoundError("There is no such contact.") from None
        found = await (await desk.services()).inbox.start(someone, contact_id)
        return go(f"{HERE}/{found}")

    return [send, note, start, *_suggesting(desk)]


def _suggesting(desk: Desk) -> list[Any]:
    @post("/inbox/{conversation_id:uuid}/suggestion")
    async def suggest(request: AnyRequest, conversation_id: FromPath[UUID]) -> Response[Any]:
        """Answer with the assistant's words for the composer; nothing is sent."""
        someone, services = desk.someone(request), await desk.services()
        form = await form_of(request)
        try:
            # Whether this person sees the conversation at all; the model is asked outside of it.
            async with services.inbox.acting(someone, conversation_id):
                pass
            words = await services.playground.suggest(someone, conversation_id)
        except Refusals as error:
            return await _again(desk, request, conversation_id, error, form)
        if desk.visit(request).partial:
            return Response(
                words,
                status_code=HTTP_200_OK,
                media_type="text/plain",
                headers={"Cache-Control": "no-store"},
            )
        return await whole(desk, request, conversation_id, draft=words)

    return [suggest]


def _owning(desk: Desk) -> list[Any]:
    """Who has a conversation: each step is one function of ``ownership``."""

    async def act(
        request: AnyRequest, conversation_id: UUID, step: _Step, **how: Any
    ) -> Response[Any]:
        await _own(desk, request, conversation_id, step, **how)
        return await _after(desk, request, conversation_id)

    @post("/inbox/{conversation_id:uuid}/take-over")
    async def take_over(request: AnyRequest, conversation_id: FromPath[UUID]) -> Response[Any]:
        return await act(request, conversation_id, ownership.take_over, for_s=TAKEOVER_S)

    @post("/inbox/{conversation_id:uuid}/give-back")
    async def give_back(request: AnyRequest, conversation_id: FromPath[UUID]) -> Response[Any]:
        return await act(request, conversation_id, ownership.give_back)

    @post("/inbox/{conversation_id:uuid}/pause")
    async def pause(request: AnyRequest, conversation_id: FromPath[UUID]) -> Response[Any]:
        for_s = _span_s(await form_of(request))
        return await act(request, conversation_id, ownership.pause, for_s=for_s)

    @post("/inbox/{conversation_id:uuid}/snooze")
    async def snooze(request: AnyRequest, conversation_id: FromPath[UUID]) -> Response[Any]:
        for_s = _span_s(await form_of(request))
        return await act(request, conversation_id, ownership.snooze, for_s=for_s)

    @post("/inbox/{conversation_id:uuid}/resolve")
    async def resolve(request: AnyRequest, conversation_id: FromPath[UUID]) -> Response[Any]:
        return await act(request, conversation_id, ownership.resolve)

    @post("/inbox/{conversation_id:uuid}/reopen")
    async def reopen(request: AnyRequest, conversation_id: FromPath[UUID]) -> Response[Any]:
        return await act(request, conversation_id, ownership.reopen)

    @post("/inbox/{conversation_id:uuid}/assign")
    async def assign(request: AnyRequest, conversation_id: FromPath[UUID]) -> Response[Any]:
        raw = (await form_of(request)).get("assignee", "")
        try:
            assignee = UUID(raw) if raw else None
        except ValueError:
            raise NotFoundError("There is no such person in the team.") from None
        await _own(desk, request, conversation_id, ownership.assign, assignee=assignee)
        # An agent who gives a conversation to somebody else does not see it any more.
        someone = desk.someone(request)
        mine = assignee in {None, someone.user_id}
        return desk.leave_word(go(f"{HERE}/{conversation_id}" if mine else HERE), "saved")

    return [take_over, give_back, pause, snooze, resolve, reopen, assign]


def _sorting(desk: Desk) -> list[Any]:
    @post("/inbox/{conversation_id:uuid}/labels")
    async def put(request: AnyRequest, conversation_id: FromPath[UUID]) -> Response[Any]:
        someone, form = desk.someone(request), await form_of(request)
        inbox = (await desk.services()).inbox
        async with inbox.acting(someone, conversation_id) as (connection, looker, _):
            await words.put_label(connection, looker, conversation_id, form.get("name", ""))
        return go(f"{HERE}/{conversation_id}#panel")

    @post("/inbox/{conversation_id:uuid}/labels/{label_id:uuid}/remove")
    async def take(
        request: AnyRequest, conversation_id: FromPath[UUID], label_id: FromPath[UUID]
    ) -> Response[Any]:
        someone, inbox = desk.someone(request), (await desk.services()).inbox
        async with inbox.acting(someone, conversation_id) as (connection, looker, _):
            await words.take_label(connection, looker, conversation_id, label_id)
        return go(f"{HERE}/{conversation_id}#panel")

    @post("/inbox/{conversation_id:uuid}/block")
    async def block(request: AnyRequest, conversation_id: FromPath[UUID]) -> Response[Any]:
        someone, form = desk.someone(request), await form_of(request)
        inbox, on = (await desk.services()).inbox, form.get("on") == "yes"
        await inbox.block(someone, conversation_id, desk.device(request), on=on)
        word = "contact-blocked" if on else "contact-unblocked"
        return desk.leave_word(go(f"{HERE}/{conversation_id}#panel"), word)

    return [put, take, block]


def _replies(desk: Desk) -> list[Any]:
    async def show(request: AnyRequest, error: Any = None, **typed: Any) -> Response[Any]:
        someone, visit = desk.someone(request), desk.visit(request)
        inbox = (await desk.services()).inbox
        summary, figures = await inbox.summary(someone), await inbox.own_figures(someone)
        view: dict[str, Any] = {"replies": summary.canned, "figures": figures, "typed": typed}
        view |= inbox_words(visit)
        if error is not None:
            return refused(visit, _CANNED, error, fields=("shortcut", "body"), **view)
        return page(visit, _CANNED, errors={}, **view)

    @get("/inbox/replies")
    async def listed(request: AnyRequest) -> Response[Any]:
        return await show(request)

    async def save(request: AnyRequest, reply_id: UUID | None) -> Response[Any]:
        someone, form = desk.someone(request), await form_of(request)
        shortcut, body = form.get("shortcut", ""), form.get("body", "")
        inbox = (await desk.services()).inbox
        try:
            async with inbox.writing_words(someone) as (connection, looker):
                await words.save_canned(connection, looker, reply_id, shortcut, body)
        except Refusals as error:
            return await show(request, error, id=reply_id, shortcut=shortcut, body=body)
        return desk.leave_word(go("/inbox/replies"), "saved")

    @post("/inbox/replies")
    async def add(request: AnyRequest) -> Response[Any]:
        return await save(request, None)

    @post("/inbox/replies/{reply_id:uuid}")
    async def change(request: AnyRequest, reply_id: FromPath[UUID]) -> Response[Any]:
        return await save(request, reply_id)

    @post("/inbox/replies/{reply_id:uuid}/remove")
    async def remove(request: AnyRequest, reply_id: FromPath[UUID]) -> Response[Any]:
        someone, inbox = desk.someone(request), (await desk.services()).inbox
        async with inbox.writing_words(someone) as (connection, looker):
            await words.drop_canned(connection, looker, reply_id)
        return desk.leave_word(go("/inbox/replies"), "saved")

    return [listed, add, change, remove]


async def _own(
    desk: Desk, request: AnyRequest, conversation_id: UUID, step: _Step, **how: Any
) -> None:
    """Do one step of ``ownership`` to a conversation that the person sees."""
    someone, inbox = desk.someone(request), (await desk.services()).inbox
    async with inbox.acting(someone, conversation_id) as (connection, looker, _):
        await step(connection, looker.tenant_id, conversation_id, looker.user_id, **how)


async def _after(
    desk: Desk, request: AnyRequest, conversation_id: UUID, *, moved: bool = False
) -> Response[Any]:
    """Answer a script with the conversation's new state, and a browser with the way to it."""
    if desk.visit(request).partial and not moved:
        return await thread_part(desk, request, conversation_id)
    return go(f"{HERE}/{conversation_id}#end")


async def _again(
    desk: Desk, request: AnyRequest, conversation_id: UUID, error: Any, form: dict[str, str]
) -> Response[Any]:
    """Show what was written again, with what is wrong about it."""
    visit = desk.visit(request)
    sentence = error.told(visit._)
    if visit.partial:
        return Response(sentence, status_code=error.status, media_type="text/plain")
    return await whole(
        desk,
        request,
        conversation_id,
        status=error.status,
        errors={"body": sentence},
        draft=form.get("body", ""),
    )


async def _upload(desk: Desk, request: AnyRequest, conversation_id: UUID) -> UUID | None:
    """Keep the file that a form carries; None when it carries none."""
    given = (await request.form()).get("file")
    if not isinstance(given, UploadFile) or not given.filename:
        return None
    someone, services = desk.someone(request), await desk.services()
    async with services.inbox.acting(someone, conversation_id) as (_, looker, _head):
        tenant_id = looker.tenant_id
    return await store_upload(
        services.database,
        services.media_store,
        tenant_id,
        name=given.filename,
        content_type=given.content_type,
        data=await given.read(),
    )


def _form_key(form: dict[str, str]) -> UUID:
    try:
        return UUID(form.get("form_key", ""))
    except ValueError:
        raise RefusedError("This form is not complete. Reload the page.") from None


def _span_s(form: dict[str, str]) -> int:
    raw = form.get("for_s", "")
    for_s = int(raw) if raw.isdecimal() else _DAY_S
    if not 0 < for_s <= _SPAN_S_MAX:
        raise RefusedError("Choose a time of at most a month.")
    return for_s
