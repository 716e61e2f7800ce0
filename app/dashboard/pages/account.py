"""A person's own account: name and language, e-mail, password, second factor, passkeys, devices."""

from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath

from app.core import locales
from app.dashboard.desk import AnyRequest, Desk, form_of, go
from app.dashboard.refusals import Refusals, refused
from app.dashboard.render import page
from tenants import login_sessions, users
from tenants.second_factor import qr_svg

HERE = "/account"


def routes(desk: Desk) -> list[Any]:
    """Return the handlers."""
    return [*_overview(desk), *_secrets(desk), *_authenticator(desk), *_devices(desk)]


async def _view(desk: Desk, request: AnyRequest) -> dict[str, Any]:
    someone, services = desk.someone(request), await desk.services()
    async with services.database.system_statement() as connection:
        user = await users.by_id(connection, someone.user_id)
        devices = await login_sessions.devices(connection, someone.user_id)
    return {
        "devices": devices,
        "undeliverable": await services.accounts.undeliverable([user.email]),
        "has_totp": user.has_totp,
        "passkeys": await services.passkeys.all_of(someone.user_id),
        "codes_left": await services.second_factor.codes_left(someone.user_id),
        "form": {"name": user.name, "locale": user.locale.partition("-")[0]},
    }


def _overview(desk: Desk) -> list[Any]:
    @get(HERE)
    async def show(request: AnyRequest) -> Response[Any]:
        view = await _view(desk, request)
        return page(desk.visit(request), "account/overview.html", errors={}, **view)

    @post("/account/profile")
    async def change_profile(request: AnyRequest) -> Response[Any]:
        someone, form = desk.someone(request), await form_of(request)
        locale = form.get("locale", "")
        locale = locale if locale in locales.NAMES else someone.locale
        try:
            async with (await desk.services()).database.system() as connection:
                await users.change_profile(
                    connection, someone.user_id, name=form.get("name", ""), locale=locale
                )
        except Refusals as error:
            view = await _view(desk, request) | {"form": form}
            visit = desk.visit(request)
            return refused(visit, "account/overview.html", error, fields=("name",), **view)
        return desk.leave_word(go(HERE), "name-changed")

    @post("/account/email/again")
    async def write_again(request: AnyRequest) -> Response[Any]:
        accounts = (await desk.services()).accounts
        await accounts.write_again(desk.someone(request), desk.device(request))
        return desk.leave_word(go(HERE), "mail-again")

    return [show, change_profile, write_again]


def _secrets(desk: Desk) -> list[Any]:
    @get("/account/password")
    async def show_password(request: AnyRequest) -> Response[Any]:
        desk.someone(request)
        return page(desk.visit(request), "account/password.html", errors={})

    @post("/account/password")
    async def change_password(request: AnyRequest) -> Response[Any]:
        someone, form = desk.someone(request), await form_of(request)
        try:
            session = await (await desk.services()).accounts.change_password(
                someone,
                form.get("current_password", ""),
                form.get("password", ""),
                desk.device(request),
            )
        except Refusals as error:
            visit = desk.visit(request)
            return refused(visit, "account/password.html", error, fields=("password",))
        return desk.leave_word(desk.start_session(go(HERE), session), "password-changed")

    @get("/account/email")
    async def show_email(request: AnyRequest) -> Response[Any]:
        desk.someone(request).require_recent()
        return page(desk.visit(request), "account/email.html", errors={}, email="")

    @post("/account/email")
    async def ask_email(request: AnyRequest) -> Response[Any]:
        someone, form = desk.someone(request), await form_of(request)
        email = form.get("email", "")
        try:
            email_change = (await desk.services()).email_change
            await email_change.ask(someone, email, desk.device(request))
        except Refusals as error:
            visit = desk.visit(request)
            return refused(visit, "account/email.html", error, fields=("email",), email=email)
        return desk.leave_word(go(HERE), "email-asked")

    return [show_password, change_password, show_email, ask_email]


def _authenticator(desk: Desk) -> list[Any]:
    @get("/account/authenticator")
    async def enrol(request: AnyRequest) -> Response[Any]:
        someone = desk.someone(request)
        someone.require_recent()
        return page(desk.visit(request), "account/authenticator.html", enrolment=None, errors={})

    @post("/account/authenticator/begin")
    async def begin(request: AnyRequest) -> Response[Any]:
        someone = desk.someone(request)
        enrolment = await (await desk.services()).second_factor.enrol(someone)
        view: dict[str, Any] = {"enrolment": enrolment, "qr": qr_svg(enrolment.uri), "errors": {}}
        return page(desk.visit(request), "account/authenticator.html", **view)

    @post("/account/authenticator/confirm")
    async def confirm(request: AnyRequest) -> Response[Any]:
        someone, form = desk.someone(request), await form_of(request)
        try:
            session, codes = await (await desk.services()).second_factor.confirm(
                someone, form.get("code", ""), desk.device(request)
            )
        except Refusals as error:
            visit = desk.visit(request)
            return refused(
                visit, "account/authenticator.html", error, fields=("code",), enrolment=None
            )
        shown = page(desk.visit(request), "account/codes.html", codes=codes)
        return desk.start_session(shown, session)

    @post("/account/authenticator/remove")
    async def remove(request: AnyRequest) -> Response[Any]:
        someone = desk.someone(request)
        await (await desk.services()).second_factor.remove(someone, desk.device(request))
        return desk.leave_word(go(HERE), "factor-removed")

    @post("/account/codes")
    async def renew_codes(request: AnyRequest) -> Response[Any]:
        someone = desk.someone(request)
        services = await desk.services()
        codes = await services.second_factor.renew_codes(someone, desk.device(request))
        return page(desk.visit(request), "account/codes.html", codes=codes)

    return [enrol, begin, confirm, remove, renew_codes]


def _devices(desk: Desk) -> list[Any]:
    @get("/account/passkeys/new")
    async def new_passkey(request: AnyRequest) -> Response[Any]:
        desk.someone(request).require_recent()
        return page(desk.visit(request), "account/passkey.html", device=desk.device(request).agent)

    @post("/account/passkeys/{passkey_id:uuid}/remove")
    async def remove_passkey(request: AnyRequest, passkey_id: FromPath[UUID]) -> Response[Any]:
        someone = desk.someone(request)
        await (await desk.services()).passkeys.remove(someone, passkey_id, desk.device(request))
        return desk.leave_word(go(HERE), "passkey-removed")

    @post("/account/devices/{session_id:uuid}/end")
    async def end_device(request: AnyRequest, session_id: FromPath[UUID]) -> Response[Any]:
        someone = desk.someone(request)
        async with (await desk.services()).database.system() as connection:
            await login_sessions.revoke(connection, someone.user_id, session_id)
        if session_id == someone.session_id:
            return desk.leave_word(desk.end_session(go("/login")), "signed-out")
        return desk.leave_word(go(HERE), "session-ended")

    @post("/account/devices/end-others")
    async def end_others(request: AnyRequest) -> Response[Any]:
        someone = desk.someone(request)
        accounts = (await desk.services()).accounts
        await accounts.sign_out_everywhere(someone, desk.device(request), keep_this=True)
        return desk.leave_word(go(HERE), "signed-out-elsewhere")

    return [new_passkey, remove_passkey, end_device, end_others]
