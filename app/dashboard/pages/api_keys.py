"""API keys: the list, making one (its secret is shown once), revoking."""

from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath

from app.core.errors import RefusedError
from app.dashboard.desk import AnyRequest, Desk, form_of, go
from app.dashboard.refusals import Refusals, refused
from app.dashboard.render import page
from app.dashboard.visit import Visit
from tenants.access import Permission, may
from tenants.api_keys import KEYS_MAX, SCOPES

HERE = "/settings/keys"
_TEMPLATE = "settings/keys.html"
LIFETIMES = ("30", "90", "365", "")


def routes(desk: Desk) -> list[Any]:
    """Return the handlers."""

    @get(HERE)
    async def show(request: AnyRequest) -> Response[Any]:
        visit, view = desk.visit(request), await _view(desk, request)
        form = {"name": "", "days": "90"}
        return page(visit, _TEMPLATE, errors={}, form=form, chosen={"read"}, **view)

    @post(HERE)
    async def create(request: AnyRequest) -> Response[Any]:
        someone, form = desk.someone(request), await form_of(request)
        visit = desk.visit(request)
        chosen = {scope for scope in SCOPES if form.get(f"scope_{scope}")}
        try:
            made = await (await desk.services()).api_keys.create(
                someone,
                name=form.get("name", ""),
                scopes=sorted(chosen),
                days=_days(form.get("days", "")),
                device=desk.device(request),
            )
        except Refusals as error:
            view = await _view(desk, request)
            return refused(
                visit, _TEMPLATE, error, fields=("name",), form=form, chosen=chosen, **view
            )
        return page(visit, "settings/key_made.html", key=made.text, name=form["name"])

    @post("/settings/keys/{key_id:uuid}/revoke")
    async def revoke(request: AnyRequest, key_id: FromPath[UUID]) -> Response[Any]:
        someone = desk.someone(request)
        await (await desk.services()).api_keys.revoke(someone, key_id, desk.device(request))
        return desk.leave_word(go(HERE), "key-revoked")

    return [show, create, revoke]


async def _view(desk: Desk, request: AnyRequest) -> dict[str, Any]:
    someone, visit = desk.someone(request), desk.visit(request)
    keys = await (await desk.services()).api_keys.all_of(someone)
    alive = [key for key in keys if not key.revoked_at and not key.expired]
    return {
        "keys": alive,
        "ended": [key for key in keys if key not in alive],
        "edits": someone.role is not None and may(someone.role, Permission.EDIT_API_KEYS),
        "full": len(alive) >= KEYS_MAX,
        "scopes": _scope_words(visit),
        "lifetimes": _lifetimes(visit),
    }


def _scope_words(visit: Visit) -> dict[str, tuple[str, str]]:
    """Return each scope's name and what it allows."""
    _ = visit._
    return {
        "read": (_("Read"), _("Conversations, messages, contacts and the balance.")),
        "write": (_("Write"), _("Send messages; change conversations and contacts.")),
    }


def _lifetimes(visit: Visit) -> list[tuple[str, str]]:
    _ = visit._
    words = (_("30 days"), _("90 days"), _("A year"), _("No end"))
    return list(zip(LIFETIMES, words, strict=True))


def _days(raw: str) -> int | None:
    if raw not in LIFETIMES:
        raise RefusedError("Choose one of the lifetimes that are offered.")
    return int(raw) if raw else None
