"""Passkeys: what the script asks for (options as JSON), and the forms that bring the answers."""

import json
from typing import Any
from uuid import UUID

from litestar import Response, post

from app.core.errors import RefusedError
from app.dashboard.desk import AnyRequest, Desk, form_of, go, own_path
from app.dashboard.pages.auth import proof_view
from app.dashboard.refusals import Refusals, refused
from app.http.sessions import person
from tenants.login_sessions import SignedIn
from tenants.passkeys import Ceremony


def routes(desk: Desk) -> list[Any]:
    """Return the handlers."""

    @post("/passkeys/options/sign-in", status_code=200)
    async def sign_in_options() -> Response[bytes]:
        return _options(await (await desk.services()).passkeys.begin_sign_in())

    @post("/passkeys/options/register", status_code=200)
    async def register_options(request: AnyRequest) -> Response[bytes]:
        someone = desk.someone(request)
        return _options(await (await desk.services()).passkeys.begin_adding(someone))

    @post("/login/passkey")
    async def sign_in(request: AnyRequest) -> Response[Any]:
        """Sign in, finish a sign-in, or prove oneself again: whoever has the key."""
        visit, form = desk.visit(request), await form_of(request)
        found: SignedIn | None = person(request)
        after = own_path(form.get("next"), "/home")
        services, device = await desk.services(), desk.device(request)
        try:
            ceremony, answer = _answer(form)
            if found is None:
                session = await services.passkeys.sign_in(ceremony, answer, device)
            else:
                session = await services.passkeys.complete(found, ceremony, answer, device)
        except Refusals as error:
            if found is None:
                return refused(visit, "auth/login.html", error, fields=(), email="", after=after)
            if found.awaiting_factor:
                return refused(visit, "auth/code.html", error, fields=(), after=after)
            view = await proof_view(desk, found, after)
            return refused(visit, "auth/confirm.html", error, fields=(), **view)
        return desk.start_session(go(after), session)

    @post("/account/passkeys")
    async def add(request: AnyRequest) -> Response[Any]:
        someone, form = desk.someone(request), await form_of(request)
        ceremony, answer = _answer(form)
        device = desk.device(request)
        name = form.get("name") or device.agent
        session = await (await desk.services()).passkeys.add(
            someone, ceremony, answer, name, device
        )
        return desk.leave_word(desk.start_session(go("/account"), session), "passkey-added")

    return [sign_in_options, register_options, sign_in, add]


def _options(ceremony: Ceremony) -> Response[bytes]:
    body = {"ceremony": str(ceremony.id), "options": json.loads(ceremony.options)}
    return Response(
        json.dumps(body).encode(),
        status_code=200,
        media_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


def _answer(form: dict[str, str]) -> tuple[UUID, dict[str, Any]]:
    """Return the ceremony's id and the browser's answer; RefusedError when they are no such."""
    try:
        answer = json.loads(form["credential"])
        ceremony = UUID(form["ceremony"])
    except (KeyError, ValueError) as error:
        raise RefusedError("Your browser sent no passkey. Please try again.") from error
    if not isinstance(answer, dict):
        raise RefusedError("Your browser sent no passkey. Please try again.")
    return ceremony, answer
