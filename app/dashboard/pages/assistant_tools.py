"""A business's own tools: made, tried, switched on and off, removed."""

from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath

from app.assistant.tool_settings import TenantTool
from app.assistant.tools.definitions import HEADERS_MAX, METHODS, OWN_PLACES
from app.core import ids
from app.dashboard.assistant_form import arguments_of, kept_headers, tool_fields, tool_of
from app.dashboard.desk import AnyRequest, Desk, form_of, go
from app.dashboard.refusals import Refusals, refused
from app.dashboard.render import page

HERE = "/assistant/tools"
TEMPLATE = "assistant/tool.html"
_NEW = {
    "method": "GET",
    "url": "https://",
    "timeout_s": "8",
    "response_bytes_max": "8192",
    "parameters": """\
{
  "properties": {
    "order_id": {"type": "string", "maxLength": 20}
  },
  "required": ["order_id"]
}""",
}
_SHOWN_CHARS_MAX = 2_000


def routes(desk: Desk) -> list[Any]:
    """Return the handlers."""
    return [*_list(desk), *_tool(desk), *_acts(desk)]


def _list(desk: Desk) -> list[Any]:
    @get(HERE)
    async def show(request: AnyRequest) -> Response[Any]:
        tools = await (await desk.services()).assistant_tools.listed(desk.someone(request))
        return page(desk.visit(request), "assistant/tools.html", tools=tools)

    @get("/assistant/tools/new")
    async def new(request: AnyRequest) -> Response[Any]:
        await (await desk.services()).assistant_tools.listed(desk.someone(request))
        return page(desk.visit(request), TEMPLATE, errors={}, **_view(None, _NEW))

    @post("/assistant/tools/new")
    async def make(request: AnyRequest) -> Response[Any]:
        someone, form = desk.someone(request), await form_of(request)
        tools = (await desk.services()).assistant_tools
        tool_id = ids.uuid7()
        try:
            wanted = tool_of(form, tool_id)
            await tools.save(someone, wanted, desk.device(request), new=True)
        except Refusals as error:
            return refused(desk.visit(request), TEMPLATE, error, fields=(), **_view(None, form))
        return desk.leave_word(go(f"{HERE}/{tool_id}"), "tool-saved")

    return [show, new, make]


def _tool(desk: Desk) -> list[Any]:
    @get("/assistant/tools/{tool_id:uuid}")
    async def show(request: AnyRequest, tool_id: FromPath[UUID]) -> Response[Any]:
        tool = await (await desk.services()).assistant_tools.one(desk.someone(request), tool_id)
        view = _view(tool, tool_fields(tool.definition))
        return page(desk.visit(request), TEMPLATE, errors={}, **view)

    @post("/assistant/tools/{tool_id:uuid}")
    async def change(request: AnyRequest, tool_id: FromPath[UUID]) -> Response[Any]:
        someone, form = desk.someone(request), await form_of(request)
        tools = (await desk.services()).assistant_tools
        tool = await tools.one(someone, tool_id)
        try:
            await tools.save(
                someone,
                tool_of(form, tool_id),
                desk.device(request),
                keep_headers=kept_headers(form),
                new=False,
            )
        except Refusals as error:
            return refused(desk.visit(request), TEMPLATE, error, fields=(), **_view(tool, form))
        return desk.leave_word(go(f"{HERE}/{tool_id}"), "tool-saved")

    return [show, change]


def _acts(desk: Desk) -> list[Any]:
    @post("/assistant/tools/{tool_id:uuid}/try")
    async def attempt(request: AnyRequest, tool_id: FromPath[UUID]) -> Response[Any]:
        someone, form = desk.someone(request), await form_of(request)
        services = await desk.services()
        tools = services.assistant_tools
        tool = await tools.one(someone, tool_id)
        values = form.get("arguments", "")
        try:
            await services.accounts.throttles.trial(someone.user_id)
            called = await tools.attempt(someone, tool_id, arguments_of(values))
        except Refusals as error:
            view = _view(tool, tool_fields(tool.definition), values)
            return refused(desk.visit(request), TEMPLATE, error, fields=(), **view)
        tool = await tools.one(someone, tool_id)
        view = _view(tool, tool_fields(tool.definition), values)
        view["called"] = called
        view["answer"] = called.text[:_SHOWN_CHARS_MAX]
        return page(desk.visit(request), TEMPLATE, errors={}, **view)

    @post("/assistant/tools/{tool_id:uuid}/switch")
    async def switch(request: AnyRequest, tool_id: FromPath[UUID]) -> Response[Any]:
        someone, form = desk.someone(request), await form_of(request)
        tools, on = (await desk.services()).assistant_tools, form.get("on") == "yes"
        await tools.switch(someone, tool_id, desk.device(request), on=on)
        return desk.leave_word(go(HERE), "tool-on" if on else "tool-off")

    @post("/assistant/tools/{tool_id:uuid}/remove")
    async def remove(request: AnyRequest, tool_id: FromPath[UUID]) -> Response[Any]:
        tools = (await desk.services()).assistant_tools
        await tools.remove(desk.someone(request), tool_id, desk.device(request))
        return desk.leave_word(go(HERE), "tool-removed")

    return [attempt, switch, remove]


def _view(tool: TenantTool | None, form: dict[str, str], arguments: str = "") -> dict[str, Any]:
    return {
        "tool": tool,
        "form": form,
        "arguments": arguments or _example(tool),
        "methods": [(method, method) for method in METHODS],
        "places": [f"{{{{{place}}}}}" for place in OWN_PLACES],
        "header_rows": range(min(2, HEADERS_MAX)),
        "called": None,
        "answer": "",
    }


def _example(tool: TenantTool | None) -> str:
    if tool is None:
        return "{}"
    names = tool.definition.parameters.get("properties", {})
    return "{" + ", ".join(f'"{name}": ""' for name in names) + "}"
