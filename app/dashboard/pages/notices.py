"""What a person is told by e-mail about the business that is chosen."""

from typing import Any

from litestar import Response, get, post

from app.dashboard.desk import AnyRequest, Desk, form_of, go
from app.dashboard.render import page
from app.dashboard.visit import Visit
from tenants import notifications
from tenants.access import Permission
from tenants.notifications import Notice

HERE = "/account/notifications"


def routes(desk: Desk) -> list[Any]:
    """Return the handlers."""

    @get(HERE)
    async def show(request: AnyRequest) -> Response[Any]:
        someone, visit = desk.someone(request), desk.visit(request)
        tenant_id = someone.business(Permission.READ_TEAM)
        async with (await desk.services()).database.tenant(tenant_id) as connection:
            wanted = await notifications.choices(connection, someone)
        words = _words(visit)
        notices = [(notice.value, *words[notice], on) for notice, on in wanted.items()]
        return page(visit, "account/notifications.html", notices=notices)

    @post(HERE)
    async def choose(request: AnyRequest) -> Response[Any]:
        someone, form = desk.someone(request), await form_of(request)
        tenant_id = someone.business(Permission.READ_TEAM)
        wanted = {notice.value for notice in Notice if form.get(notice.value)}
        async with (await desk.services()).database.tenant(tenant_id) as connection:
            await notifications.choose(connection, someone, wanted, desk.device(request))
        return desk.leave_word(go(HERE), "saved")

    return [show, choose]


def _words(visit: Visit) -> dict[Notice, tuple[str, str]]:
    _ = visit._
    return {
        Notice.HANDOVER: (
            _("A conversation waits for a person"),
            _("When the assistant hands a customer over to your team."),
        ),
        Notice.NUMBER_DOWN: (
            _("A number lost its connection"),
            _("When WhatsApp has to be connected again, and when it works again."),
        ),
        Notice.CREDITS: (
            _("Credits and payments"),
            _("When credits run low or expire, a payment fails, or your rule stops the assistant."),
        ),
    }
