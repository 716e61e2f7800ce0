"""WhatsApp numbers: the list, adding one, and pairing its phone with codes that live seconds."""

import hashlib
from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath

from app.core.errors import RefusedError
from app.dashboard.desk import AnyRequest, Desk, form_of, go
from app.dashboard.qr import inline_svg
from app.dashboard.refusals import Refusals, refused
from app.dashboard.render import page, partial
from app.dashboard.visit import Visit
from app.messaging.numbers.pairing import Pairing
from app.messaging.numbers.reading import PAIRING, NumberState
from app.messaging.numbers.service import NewNumber
from tenants.access import Permission, may

HERE = "/numbers"
_NEW, _ONE = "numbers/new.html", "numbers/number.html"
_ASKING = PAIRING | {NumberState.LOGGED_OUT}


def routes(desk: Desk) -> list[Any]:
    """Return the handlers."""
    return [*_list(desk), *_add(desk), *_one(desk), *_pair(desk), *_change(desk)]


def _list(desk: Desk) -> list[Any]:
    @get(HERE)
    async def show(request: AnyRequest) -> Response[Any]:
        someone, services = desk.someone(request), await desk.services()
        found = await services.numbers.all_of(someone)
        return page(desk.visit(request), "numbers/list.html", numbers=found)

    return [show]


def _add(desk: Desk) -> list[Any]:
    @get(f"{HERE}/new")
    async def new(request: AnyRequest) -> Response[Any]:
        desk.someone(request).business(Permission.EDIT_CHANNELS)
        platform = (await desk.services()).numbers.has_platform_server
        form = {"server": "platform" if platform else "own"}
        return page(desk.visit(request), _NEW, errors={}, form=form, platform=platform, version="")

    @post(f"{HERE}/new")
    async def create(request: AnyRequest) -> Response[Any]:
        someone, form = desk.someone(request), await form_of(request)
        visit, services = desk.visit(request), await desk.services()
        numbers = services.numbers
        own = form.get("server") == "own"
        url, key = form.get("api_url", ""), form.get("api_password", "")
        view: dict[str, Any] = {"form": form, "platform": numbers.has_platform_server}
        try:
            if own and not url:
                raise RefusedError("Give the address of your WAHA server.")
            if own:
                await services.accounts.throttles.trial(someone.user_id)
            if "check" in form:
                version = await numbers.check_server(someone, url, key)
                return page(visit, _NEW, errors={}, version=version, **view)
            wanted = NewNumber(
                name=form.get("name", ""),
                api_url=url if own else "",
                api_key=key if own else "",
                agreed=bool(form.get("agreed")),
            )
            channel_id = await numbers.connect(someone, wanted, desk.device(request))
        except Refusals as error:
            return refused(visit, _NEW, error, fields=("name",), version="", **view)
        return go(f"{HERE}/{channel_id}")

    return [new, create]


async def _view(
    desk: Desk, request: AnyRequest, channel_id: UUID, pairing: Pairing | None = None
) -> dict[str, Any]:
    """Return what the page of a number shows; WAHA is asked only while a phone is paired."""
    someone, services = desk.someone(request), await desk.services()
    visit = desk.visit(request)
    if pairing is None:
        number = await services.numbers.one(someone, channel_id)
        pairing = Pairing(number)
        if number.state in _ASKING:
            pairing = await services.number_pairing.now(someone, channel_id)
    number = pairing.number
    role = someone.role
    return {
        "number": number,
        "pairing": pairing,
        "qr": _drawn(visit, pairing),
        "seen": _seen(pairing),
        "asking": number.state in _ASKING,
        "edits": role is None or may(role, Permission.EDIT_CHANNELS),
        "campaigns": await services.campaigns.of(someone, channel_id),
        "code": "",
        "errors": {},
    }


def _drawn(visit: Visit, pairing: Pairing) -> Any:
    label = visit._("Code to scan with WhatsApp")
    return inline_svg(pairing.qr, label) if pairing.qr else ""


def _seen(pairing: Pairing) -> str:
    """Return a fingerprint of what is shown, so that an unchanged page is left alone."""
    number = pairing.number
    told = f"{number.state}|{number.status}|{number.problem}|{pairing.qr}|{pairing.passkey_code}"
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def _one(desk: Desk) -> list[Any]:
    @get(f"{HERE}/{{channel_id:uuid}}")
    async def show(request: AnyRequest, channel_id: FromPath[UUID]) -> Response[Any]:
        view = await _view(desk, request, channel_id)
        return page(desk.visit(request), _ONE, **view)

    @get(f"{HERE}/{{channel_id:uuid}}/live")
    async def live(request: AnyRequest, channel_id: FromPath[UUID]) -> Response[Any]:
        someone, services = desk.someone(request), await desk.services()
        visit = desk.visit(request)
        pairing = await services.number_pairing.now(someone, channel_id)
        if not visit.partial:
            return go(f"{HERE}/{channel_id}")
        if pairing.number.state not in _ASKING:
            path = f"{HERE}/{channel_id}"
            return Response(None, status_code=200, headers={"HX-Redirect": path})
        if request.query_params.get("seen") == _seen(pairing):
            return Response(None, status_code=204, headers={"Cache-Control": "no-store"})
        view = await _view(desk, request, channel_id, pairing)
        return partial(visit, _ONE, "live", **view)

    return [show, live]


def _pair(desk: Desk) -> list[Any]:
    @post(f"{HERE}/{{channel_id:uuid}}/code")
    async def code(request: AnyRequest, channel_id: FromPath[UUID]) -> Response[Any]:
        someone, form = desk.someone(request), await form_of(request)
        services, visit = await desk.services(), desk.visit(request)
        try:
            told = await services.number_pairing.request_code(
                someone, channel_id, form.get("phone", ""), desk.device(request)
            )
        except Refusals as error:
            view = await _view(desk, request, channel_id)
            return refused(visit, _ONE, error, fields=(), **_without_errors(view))
        view = await _view(desk, request, channel_id)
        return page(visit, _ONE, **{**view, "code": told})

    @post(f"{HERE}/{{channel_id:uuid}}/passkey")
    async def passkey(request: AnyRequest, channel_id: FromPath[UUID]) -> Response[Any]:
        pairing = (await desk.services()).number_pairing
        return await _done(desk, request, channel_id, "", pairing.confirm_passkey)

    @post(f"{HERE}/{{channel_id:uuid}}/test")
    async def test(request: AnyRequest, channel_id: FromPath[UUID]) -> Response[Any]:
        someone, services = desk.someone(request), await desk.services()
        visit = desk.visit(request)
        words = visit._("This is a test from Parley: your number is connected.")

        async def send(*_: Any) -> None:
            device = desk.device(request)
            await services.number_pairing.send_test(someone, channel_id, words, device)

        return await _done(desk, request, channel_id, "number-tested", send)

    return [code, passkey, test]


def _change(desk: Desk) -> list[Any]:
    @post(f"{HERE}/{{channel_id:uuid}}/reconnect")
    async def reconnect(request: AnyRequest, channel_id: FromPath[UUID]) -> Response[Any]:
        numbers = (await desk.services()).numbers
        return await _done(desk, request, channel_id, "", numbers.reconnect)

    @post(f"{HERE}/{{channel_id:uuid}}/pause")
    async def pause(request: AnyRequest, channel_id: FromPath[UUID]) -> Response[Any]:
        numbers = (await desk.services()).numbers
        return await _done(desk, request, channel_id, "number-paused", numbers.pause)

    @post(f"{HERE}/{{channel_id:uuid}}/log-out")
    async def log_out(request: AnyRequest, channel_id: FromPath[UUID]) -> Response[Any]:
        numbers = (await desk.services()).numbers
        return await _done(desk, request, channel_id, "number-logged-out", numbers.log_out)

    @post(f"{HERE}/{{channel_id:uuid}}/rename")
    async def rename(request: AnyRequest, channel_id: FromPath[UUID]) -> Response[Any]:
        form, numbers = await form_of(request), (await desk.services()).numbers

        async def change(someone: Any, channel_id: UUID, device: Any) -> None:
            await numbers.rename(someone, channel_id, form.get("name", ""), device)

        return await _done(desk, request, channel_id, "saved", change)

    @post(f"{HERE}/{{channel_id:uuid}}/remove")
    async def remove(request: AnyRequest, channel_id: FromPath[UUID]) -> Response[Any]:
        someone, services = desk.someone(request), await desk.services()
        await services.numbers.remove(someone, channel_id, desk.device(request))
        return desk.leave_word(go(HERE), "number-removed")

    return [reconnect, pause, log_out, rename, remove]


async def _done(
    desk: Desk, request: AnyRequest, channel_id: UUID, word: str, change: Any
) -> Response[Any]:
    """Do one thing with a number and show its page again, or what was wrong on it."""
    try:
        await change(desk.someone(request), channel_id, desk.device(request))
    except Refusals as error:
        view = await _view(desk, request, channel_id)
        return refused(desk.visit(request), _ONE, error, fields=(), **_without_errors(view))
    answer = go(f"{HERE}/{channel_id}")
    return desk.leave_word(answer, word) if word else answer


def _without_errors(view: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in view.items() if name != "errors"}
