"""The playground: a conversation with the draft that nobody receives, and a reply once more."""

from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath

from app.assistant.playground import CHARS_MAX, MESSAGES_MAX, Line, told_passages
from app.dashboard.desk import AnyRequest, Desk, form_of
from app.dashboard.refusals import Refusals, refused
from app.dashboard.render import page

HERE = "/assistant/playground"
TEMPLATE = "assistant/playground.html"


def routes(desk: Desk) -> list[Any]:
    """Return the handlers."""

    async def draft_and_live(request: AnyRequest) -> dict[str, Any]:
        versions = (await desk.services()).assistant_versions
        draft, live = await versions.editing(desk.someone(request))
        return {"draft": draft, "live": live}

    @get(HERE)
    async def show(request: AnyRequest) -> Response[Any]:
        view = {"lines": [], "rehearsed": None, "typed": "", **await draft_and_live(request)}
        return page(desk.visit(request), TEMPLATE, errors={}, told=[], **view)

    @post(HERE)
    async def say(request: AnyRequest) -> Response[Any]:
        someone, form = desk.someone(request), await form_of(request)
        services, around = await desk.services(), await draft_and_live(request)
        lines = _lines(form)
        asked = [*lines, Line("customer", form.get("message", "")[:CHARS_MAX])]
        profile = around["draft"].profile if form.get("who") != "live" else None
        try:
            rehearsed = await services.playground.say(someone, asked, profile)
        except Refusals as error:
            view = {"lines": lines, "rehearsed": None, "typed": form.get("message", ""), **around}
            return refused(desk.visit(request), TEMPLATE, error, fields=(), told=[], **view)
        said = "\n\n".join(part for part in (rehearsed.opening, rehearsed.reply) if part)
        lines = [*asked, Line("assistant", said)] if rehearsed.reply else asked
        view = {"lines": lines, "rehearsed": rehearsed, "typed": "", **around}
        told = told_passages(rehearsed.finished.passages)
        return page(desk.visit(request), TEMPLATE, errors={}, told=told, **view)

    @post("/assistant/playground/turns/{turn_id:uuid}")
    async def again(request: AnyRequest, turn_id: FromPath[UUID]) -> Response[Any]:
        someone, form = desk.someone(request), await form_of(request)
        services = await desk.services()
        as_it_was = form.get("as") != "now"
        rehearsed = await services.playground.again(someone, turn_id, as_it_was=as_it_was)
        told = told_passages(rehearsed.finished.passages)
        return page(
            desk.visit(request),
            "assistant/again.html",
            rehearsed=rehearsed,
            told=told,
            turn_id=turn_id,
            as_it_was=as_it_was,
        )

    return [show, say, again]


def _lines(form: dict[str, str]) -> list[Line]:
    """The rehearsal so far travels in its form: nothing of it is kept."""
    lines = []
    for place in range(MESSAGES_MAX):
        author, text = form.get(f"author-{place}", ""), form.get(f"text-{place}", "")
        if author not in {"customer", "assistant"}:
            break
        lines.append(Line(author, text))
    return lines
