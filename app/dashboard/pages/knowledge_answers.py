"""Questions and answers: the list, writing one, approving; and what customers asked in vain."""

from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath

from app.assistant.knowledge.pairs import Draft
from app.dashboard.desk import AnyRequest, Desk, form_of, go
from app.dashboard.pages.knowledge import after_of, cut, view_of
from app.dashboard.refusals import Refusals, refused
from app.dashboard.render import page, partial
from tenants.access import Permission

HERE = "/knowledge/answers"
UNANSWERED = "/knowledge/unanswered"
_LIST = "knowledge/answers.html"
_FORM = "knowledge/answer.html"
_ASKED = "knowledge/unanswered.html"
_STATUSES = ("approved", "pending")
_WORD_CHARS_MAX = 100
_FIELDS = ("question", "answer", "alternatives")


def routes(desk: Desk) -> list[Any]:
    """Return the handlers."""
    return [*_list(desk), *_writing(desk), *_changing(desk), *_unanswered(desk)]


def _list(desk: Desk) -> list[Any]:
    @get(HERE)
    async def show(request: AnyRequest) -> Response[Any]:
        status = request.query_params.get("status", "")
        word = request.query_params.get("q", "").strip()[:_WORD_CHARS_MAX]
        figures, found = await (await desk.services()).library.pairs(
            desk.someone(request),
            status=status if status in _STATUSES else None,
            word=word or None,
            after_id=after_of(request),
        )
        shown, more = cut(found)
        visit, view = view_of(desk, request)
        query = {name: value for name, value in (("status", status), ("q", word)) if value}
        return partial(
            visit,
            _LIST,
            "list",
            errors={},
            figures=figures,
            pairs=shown,
            more=more,
            query=query,
            **view,
        )

    return [show]


def _draft(form: dict[str, str]) -> Draft:
    return Draft(
        form.get("question", ""),
        form.get("answer", ""),
        form.get("alternatives", "").splitlines(),
        form.get("status", "approved") == "approved",
    )


def _shown(form: dict[str, str]) -> dict[str, str]:
    return {name: form.get(name, "") for name in (*_FIELDS, "status")}


def _writing(desk: Desk) -> list[Any]:
    @get("/knowledge/answers/new")
    async def write(request: AnyRequest) -> Response[Any]:
        desk.someone(request).business(Permission.EDIT_KNOWLEDGE)
        visit, view = view_of(desk, request)
        form = {**_shown({}), "status": "approved"}
        return page(visit, _FORM, errors={}, form=form, action=HERE, pair=None, **view)

    @post(HERE)
    async def add(request: AnyRequest) -> Response[Any]:
        someone, form = desk.someone(request), await form_of(request)
        library = (await desk.services()).library
        try:
            await library.add_pair(someone, _draft(form), desk.device(request))
        except Refusals as error:
            visit, view = view_of(desk, request)
            again = {"form": _shown(form), "action": HERE, "pair": None}
            return refused(visit, _FORM, error, fields=_FIELDS, **again, **view)
        return desk.leave_word(go(HERE), "saved")

    return [write, add]


def _changing(desk: Desk) -> list[Any]:
    @get("/knowledge/answers/{answer_id:uuid}")
    async def show(request: AnyRequest, answer_id: FromPath[UUID]) -> Response[Any]:
        pair = await (await desk.services()).library.pair(desk.someone(request), answer_id)
        form = {
            "question": pair.question,
            "answer": pair.answer,
            "alternatives": "\n".join(pair.alternatives),
            "status": pair.status,
        }
        visit, view = view_of(desk, request)
        action = f"{HERE}/{answer_id}"
        return page(visit, _FORM, errors={}, form=form, action=action, pair=pair, **view)

    @post("/knowledge/answers/{answer_id:uuid}")
    async def change(request: AnyRequest, answer_id: FromPath[UUID]) -> Response[Any]:
        someone, form = desk.someone(request), await form_of(request)
        library = (await desk.services()).library
        try:
            await library.change_pair(someone, answer_id, _draft(form), desk.device(request))
        except Refusals as error:
            pair = await library.pair(someone, answer_id)
            visit, view = view_of(desk, request)
            again = {"form": _shown(form), "action": f"{HERE}/{answer_id}", "pair": pair}
            return refused(visit, _FORM, error, fields=_FIELDS, **again, **view)
        return desk.leave_word(go(HERE), "saved")

    @post("/knowledge/answers/{answer_id:uuid}/approve")
    async def approve(request: AnyRequest, answer_id: FromPath[UUID]) -> Response[Any]:
        library = (await desk.services()).library
        await library.approve_pair(desk.someone(request), answer_id, desk.device(request))
        return desk.leave_word(go(HERE), "answer-approved")

    @post("/knowledge/answers/{answer_id:uuid}/remove")
    async def remove(request: AnyRequest, answer_id: FromPath[UUID]) -> Response[Any]:
        library = (await desk.services()).library
        await library.remove_pair(desk.someone(request), answer_id, desk.device(request))
        return desk.leave_word(go(HERE), "knowledge-removed")

    return [show, change, approve, remove]


def _unanswered(desk: Desk) -> list[Any]:
    @get(UNANSWERED)
    async def show(request: AnyRequest) -> Response[Any]:
        figures, found = await (await desk.services()).library.unanswered(
            desk.someone(request), after_of(request)
        )
        shown, more = cut(found)
        visit, view = view_of(desk, request)
        return page(visit, _ASKED, errors={}, figures=figures, asked=shown, more=more, **view)

    @get("/knowledge/unanswered/{question_id:uuid}")
    async def write(request: AnyRequest, question_id: FromPath[UUID]) -> Response[Any]:
        someone = desk.someone(request)
        someone.business(Permission.EDIT_KNOWLEDGE)
        asked = await (await desk.services()).library.asked(someone, question_id)
        visit, view = view_of(desk, request)
        form = {**_shown({}), "question": asked.question, "status": "approved"}
        action = f"{UNANSWERED}/{question_id}"
        return page(visit, _FORM, errors={}, form=form, action=action, pair=None, **view)

    @post("/knowledge/unanswered/{question_id:uuid}")
    async def answer(request: AnyRequest, question_id: FromPath[UUID]) -> Response[Any]:
        someone, form = desk.someone(request), await form_of(request)
        library = (await desk.services()).library
        someone.business(Permission.EDIT_KNOWLEDGE)
        await library.asked(someone, question_id)
        try:
            draft, device = _draft(form), desk.device(request)
            await library.add_pair(someone, draft, device, asked_id=question_id)
        except Refusals as error:
            visit, view = view_of(desk, request)
            again = {"form": _shown(form), "action": f"{UNANSWERED}/{question_id}", "pair": None}
            return refused(visit, _FORM, error, fields=_FIELDS, **again, **view)
        return desk.leave_word(go(UNANSWERED), "question-answered")

    @post("/knowledge/unanswered/{question_id:uuid}/dismiss")
    async def dismiss(request: AnyRequest, question_id: FromPath[UUID]) -> Response[Any]:
        await (await desk.services()).library.dismiss(desk.someone(request), question_id)
        return desk.leave_word(go(UNANSWERED), "question-dismissed")

    return [show, write, answer, dismiss]
