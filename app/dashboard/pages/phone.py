"""A person's own phone: asked for, proved with a code that WhatsApp brings, forgotten."""

from typing import Any

from litestar import Response, get, post

from app.core.errors import ProviderError
from app.dashboard.desk import AnyRequest, Desk, form_of, go
from app.dashboard.refusals import Refusals, refused
from app.dashboard.render import page
from app.messaging.address_book import phones

HERE = "/account/phone"
_TEMPLATE = "account/phone.html"


def routes(desk: Desk) -> list[Any]:
    """Return the handlers."""

    async def view(request: AnyRequest, **changes: Any) -> dict[str, Any]:
        someone, services = desk.someone(request), await desk.services()
        own = await services.own_phones.of(someone.user_id)
        shown = phones.shown(own.phone) if own.phone else ""
        return {"own": own, "shown": shown, "phone": "", "sent_to": "", **changes}

    @get(HERE)
    async def show(request: AnyRequest) -> Response[Any]:
        return page(desk.visit(request), _TEMPLATE, errors={}, **await view(request))

    @post(HERE)
    async def send(request: AnyRequest) -> Response[Any]:
        someone, form = desk.someone(request), await form_of(request)
        visit, phone = desk.visit(request), form.get("phone", "")
        try:
            digits = await (await desk.services()).own_phones.send(
                someone, phone, desk.device(request)
            )
        except Refusals as error:
            told = await view(request, phone=phone)
            return refused(visit, _TEMPLATE, error, fields=("phone",), **told)
        except ProviderError as error:
            told = await view(request, phone=phone)
            words = visit._("WhatsApp did not take the message. Try again in a minute.")
            return page(visit, _TEMPLATE, status=error.status, errors={"form": words}, **told)
        told = await view(request, phone=digits, sent_to=phones.shown(digits))
        return page(visit, _TEMPLATE, errors={}, **told)

    @post("/account/phone/confirm")
    async def confirm(request: AnyRequest) -> Response[Any]:
        someone, form = desk.someone(request), await form_of(request)
        visit, phone = desk.visit(request), form.get("phone", "")
        try:
            await (await desk.services()).own_phones.confirm(
                someone, phone, form.get("code", ""), desk.device(request)
            )
        except Refusals as error:
            told = await view(request, phone=phone, sent_to=phones.shown(phone))
            return refused(visit, _TEMPLATE, error, fields=("code",), **told)
        return desk.leave_word(go(HERE), "phone-verified")

    @post("/account/phone/remove")
    async def remove(request: AnyRequest) -> Response[Any]:
        someone = desk.someone(request)
        await (await desk.services()).own_phones.remove(someone, desk.device(request))
        return desk.leave_word(go(HERE), "phone-removed")

    return [show, send, confirm, remove]
