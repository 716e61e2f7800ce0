"""Who may do what to the platform: its admins, and the networks that are shut out."""

from typing import Any

from litestar import Response, get, post

from app.core.errors import NotFoundError, RefusedError
from app.dashboard.desk import AnyRequest, Desk, form_of, go
from app.dashboard.pages.admin.console import (
    admin_of,
    console_page,
    deciding,
    id_of,
    reason_of,
    refused_there,
)
from app.dashboard.refusals import Refusals
from tenants import deny_list, platform_audit

HERE = "/admin/access"
_PAGE = "admin/access.html"


def routes(desk: Desk) -> list[Any]:
    """Return the handlers."""
    return [*_reading(desk), *_changing(desk)]


async def _view(desk: Desk) -> dict[str, Any]:
    services = await desk.services()
    async with services.database.system() as connection:
        admins = await platform_audit.admins(connection)
    return {"admins": admins, "denied": await services.deny_list.entries(), "form": {}}


def _reading(desk: Desk) -> list[Any]:
    @get(HERE)
    async def show(request: AnyRequest) -> Response[Any]:
        admin_of(desk, request)
        return console_page(desk, request, _PAGE, await _view(desk))

    return [show]


def _changing(desk: Desk) -> list[Any]:
    @post(f"{HERE}/networks")
    async def change_networks(request: AnyRequest) -> Response[Any]:
        admin, _ = deciding(desk, request)
        form = await form_of(request)
        try:
            denied = (await desk.services()).deny_list
            entries, reason = await denied.entries(), reason_of(form)
            network = deny_list.parse_network(form.get("network", ""))
            entries = [entry for entry in entries if entry.network != network]
            if form.get("act") != "remove":
                entries.append(deny_list.entry(str(network), reason))
            await denied.replace(admin, entries, reason=reason, device=desk.device(request))
        except Refusals as error:
            view = {**await _view(desk), "form": form}
            return refused_there(desk, request, _PAGE, error, view)
        return desk.leave_word(go(HERE), "saved")

    @post(f"{HERE}/accounts")
    async def change_account(request: AnyRequest) -> Response[Any]:
        """Lock an account out, let it in again, or reset its second factor, by the e-mail."""
        admin, _ = deciding(desk, request)
        form = await form_of(request)
        try:
            services = await desk.services()
            async with services.database.system() as connection:
                user_id = (
                    id_of(form["id"])
                    if form.get("id")
                    else await platform_audit.account_of(connection, form.get("email", ""))
                )
            if user_id is None:
                raise RefusedError("There is no account with this e-mail address.")
            reason, device = reason_of(form), desk.device(request)
            if form.get("act") == "reset-factor":
                await services.admins.reset_factor(admin, user_id, reason=reason, device=device)
            else:
                locked = form.get("act") != "enable"
                await services.admins.disable(
                    admin, user_id, disabled=locked, reason=reason, device=device
                )
        except (*Refusals, NotFoundError) as error:
            view = {**await _view(desk), "form": form}
            return refused_there(desk, request, _PAGE, error, view)
        return desk.leave_word(go(HERE), "saved")

    return [change_networks, change_account]
