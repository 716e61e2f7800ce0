"""What does not go on by itself, and a button for each that sets it going."""

from typing import Any
from uuid import UUID

from litestar import Response, get, post

from app.core.errors import ConflictError, NotFoundError, RefusedError
from app.core.mail import delivery
from app.dashboard.desk import AnyRequest, Desk, form_of, go
from app.dashboard.pages.admin.console import (
    admin_of,
    console_page,
    deciding,
    id_of,
    refused_there,
)
from app.dashboard.services import Services
from app.messaging.platform import stuck
from app.messaging.platform.stuck import EventKey
from billing.payments import events
from tenants import account_log
from tenants.service import Actor

HERE = "/admin/stuck"
_KEY_HEX_MAX = 64


def routes(desk: Desk) -> list[Any]:
    """Return the handlers."""

    @get(HERE)
    async def show(request: AnyRequest) -> Response[Any]:
        admin_of(desk, request)
        async with (await desk.services()).database.system() as connection:
            view: dict[str, Any] = {"stuck": await stuck.read(connection)}
        return console_page(desk, request, "admin/stuck.html", view)

    @post(HERE)
    async def again(request: AnyRequest) -> Response[Any]:
        _, actor = deciding(desk, request)
        form, services = await form_of(request), await desk.services()
        try:
            queue = await _set_going(services, form, actor)
        except ConflictError as error:
            async with services.database.system() as connection:
                view: dict[str, Any] = {"stuck": await stuck.read(connection)}
            return refused_there(desk, request, "admin/stuck.html", error, view)
        await services.doorbell.ring(queue)
        return desk.leave_word(go(HERE), "set-going")

    return [show, again]


async def _set_going(services: Services, form: dict[str, str], actor: Actor) -> str:
    """Do what the form asks; return the queue whose workers should look."""
    what = form.get("what", "")
    async with services.database.system() as connection:
        if what == "event":
            key = form.get("key", "")
            if not key.isalnum() or len(key) > _KEY_HEX_MAX or not _is_hex(key):
                raise RefusedError("The form is not complete. Reload the page and try again.")
            which = EventKey(id_of(form.get("business")), id_of(form.get("channel")), key)
            await stuck.replay_event(connection, which, actor)
            return "ingest"
        if what == "turn":
            await stuck.retry_turn(connection, *_row(form), actor)
            return "reply"
        if what == "hand_over":
            await stuck.hand_over(connection, *_row(form), actor)
            return "reply"
        if what == "send":
            await stuck.look_again(connection, *_row(form), actor)
            return "ingest"
        if what == "mail":
            found = await delivery.send_sooner(connection, id_of(form.get("id")))
        elif what == "payment":
            found = await events.retry(connection, form.get("id", ""))
        else:
            raise RefusedError("The form is not complete. Reload the page and try again.")
        if not found:
            raise NotFoundError("It is not there any more, or it goes on by itself.")
        await account_log.note(
            connection, actor, action=f"{what}.retry", subject=form.get("id", "")[:255]
        )
    return "mail" if what == "mail" else events.QUEUE


def _row(form: dict[str, str]) -> tuple[UUID, UUID]:
    return id_of(form.get("business")), id_of(form.get("id"))


def _is_hex(text: str) -> bool:
    try:
        bytes.fromhex(text)
    except ValueError:
        return False
    return True
