"""Becoming and being somebody: sign-up, confirmation, sign-in, second factor, forgotten passwords.

Links from mails lead to pages with a button: programs that open links to check them confirm
nothing.
"""

from typing import Any

from litestar import Response, get, post

from app.core.errors import NotSignedInError
from app.dashboard.desk import AnyRequest, Desk, form_of, go, own_path
from app.dashboard.pages.public import TERMS_VERSION
from app.dashboard.refusals import Refusals, refused
from app.dashboard.render import page
from app.http.sessions import require_person
from tenants import users
from tenants.accounts import SignUp
from tenants.login_sessions import SignedIn

HOME = "/home"


def routes(desk: Desk) -> list[Any]:
    """Return the handlers."""
    return [*_sign_up(desk), *_sign_in(desk), *_proofs(desk), *_forgotten(desk)]


def _sign_up(desk: Desk) -> list[Any]:
    @get("/sign-up")
    async def show(request: AnyRequest) -> Response[Any]:
        visit = desk.visit(request)
        if visit.person:
            return go(HOME)
        given = {"email": request.query_params.get("email", ""), "name": ""}
        return page(visit, "auth/sign_up.html", errors={}, form=given)

    @post("/sign-up")
    async def register(request: AnyRequest) -> Response[Any]:
        visit, form = desk.visit(request), await form_of(request)
        account = SignUp(
            email=form.get("email", ""),
            name=form.get("name", ""),
            password=form.get("password", ""),
            terms_version=TERMS_VERSION if form.get("terms") else "",
            locale=visit.language,
        )
        try:
            await (await desk.services()).accounts.register(account, desk.device(request))
        except Refusals as error:
            fields = ("email", "name", "password", "terms")
            return refused(visit, "auth/sign_up.html", error, fields=fields, form=form)
        return page(visit, "auth/check_mail.html", email=account.email, resend="/verify-email/send")

    @get("/verify-email")
    async def confirm(request: AnyRequest) -> Response[Any]:
        token = request.query_params.get("token", "")
        return page(desk.visit(request), "auth/verify_email.html", token=token, errors={})

    @post("/verify-email")
    async def verify(request: AnyRequest) -> Response[Any]:
        visit, form = desk.visit(request), await form_of(request)
        token = form.get("token", "")
        try:
            await (await desk.services()).accounts.verify_email(token, desk.device(request))
        except Refusals as error:
            return refused(visit, "auth/verify_email.html", error, fields=(), token=token)
        return desk.leave_word(go("/login"), "email-verified")

    @post("/verify-email/send")
    async def send_again(request: AnyRequest) -> Response[Any]:
        visit, form = desk.visit(request), await form_of(request)
        email = form.get("email", "")
        try:
            accounts = (await desk.services()).accounts
            await accounts.resend_verification(email, desk.device(request))
        except Refusals as error:
            view = {"token": "", "email": email}
            return refused(visit, "auth/verify_email.html", error, fields=("email",), **view)
        return page(visit, "auth/check_mail.html", email=email, resend="/verify-email/send")

    return [show, register, confirm, verify, send_again]


def _sign_in(desk: Desk) -> list[Any]:
    @get("/login")
    async def show(request: AnyRequest) -> Response[Any]:
        visit = desk.visit(request)
        after = own_path(request.query_params.get("next"), HOME)
        if visit.person:
            return go(after)
        return page(visit, "auth/login.html", errors={}, email="", after=after)

    @post("/login")
    async def sign_in(request: AnyRequest) -> Response[Any]:
        visit, form = desk.visit(request), await form_of(request)
        after, email = own_path(form.get("next"), HOME), form.get("email", "")
        try:
            session = await (await desk.services()).accounts.sign_in(
                email, form.get("password", ""), desk.device(request)
            )
        except Refusals as error:
            view = {"email": email, "after": after}
            return refused(visit, "auth/login.html", error, fields=(), **view)
        target = f"/login/code?next={after}" if session.awaiting_factor else after
        return desk.start_session(go(target), session)

    @post("/logout")
    async def sign_out(request: AnyRequest) -> Response[Any]:
        someone: SignedIn = require_person(request)
        await (await desk.services()).accounts.sign_out(someone, desk.device(request))
        return desk.leave_word(desk.end_session(go("/login")), "signed-out")

    return [show, sign_in, sign_out]


def _proofs(desk: Desk) -> list[Any]:
    @get("/login/code")
    async def ask_code(request: AnyRequest) -> Response[Any]:
        someone: SignedIn = require_person(request)
        after = own_path(request.query_params.get("next"), HOME)
        if not someone.awaiting_factor:
            return go(after)
        return page(desk.visit(request), "auth/code.html", errors={}, after=after)

    @post("/login/code")
    async def take_code(request: AnyRequest) -> Response[Any]:
        someone: SignedIn = require_person(request)
        visit, form = desk.visit(request), await form_of(request)
        after = own_path(form.get("next"), HOME)
        try:
            session = await (await desk.services()).second_factor.complete(
                someone, form.get("code", ""), desk.device(request)
            )
        except Refusals as error:
            return refused(visit, "auth/code.html", error, fields=("code",), after=after)
        return desk.start_session(go(after), session)

    @get("/confirm")
    async def ask_proof(request: AnyRequest) -> Response[Any]:
        after = own_path(request.query_params.get("next"), HOME)
        view = await proof_view(desk, desk.someone(request), after)
        return page(desk.visit(request), "auth/confirm.html", errors={}, **view)

    @post("/confirm")
    async def take_proof(request: AnyRequest) -> Response[Any]:
        someone = desk.someone(request)
        visit, form = desk.visit(request), await form_of(request)
        after = own_path(form.get("next"), HOME)
        services = await desk.services()
        try:
            if form.get("code"):
                session = await services.second_factor.complete(
                    someone, form["code"], desk.device(request)
                )
            else:
                session = await services.accounts.confirm(
                    someone, form.get("password", ""), desk.device(request)
                )
        except Refusals as error:
            if isinstance(error, NotSignedInError) and someone.awaiting_factor:
                raise
            view = await proof_view(desk, someone, after)
            return refused(visit, "auth/confirm.html", error, fields=(), **view)
        return desk.start_session(go(after), session)

    return [ask_code, take_code, ask_proof, take_proof]


async def proof_view(desk: Desk, someone: SignedIn, after: str) -> dict[str, Any]:
    """Return what the page of a fresh proof shows: with an authenticator it asks for a code."""
    async with (await desk.services()).database.system_statement() as connection:
        user = await users.by_id(connection, someone.user_id)
    return {"after": after, "has_totp": user.has_totp, "has_password": bool(user.password_hash)}


def _forgotten(desk: Desk) -> list[Any]:
    @get("/forgot-password")
    async def show(request: AnyRequest) -> Response[Any]:
        return page(desk.visit(request), "auth/forgot.html", errors={}, email="")

    @post("/forgot-password")
    async def ask(request: AnyRequest) -> Response[Any]:
        visit, form = desk.visit(request), await form_of(request)
        email = form.get("email", "")
        try:
            await (await desk.services()).accounts.ask_reset(email, desk.device(request))
        except Refusals as error:
            return refused(visit, "auth/forgot.html", error, fields=("email",), email=email)
        return page(visit, "auth/check_mail.html", email=email, resend="/forgot-password")

    @get("/reset-password")
    async def show_reset(request: AnyRequest) -> Response[Any]:
        token = request.query_params.get("token", "")
        return page(desk.visit(request), "auth/reset.html", errors={}, token=token)

    @post("/reset-password")
    async def reset(request: AnyRequest) -> Response[Any]:
        visit, form = desk.visit(request), await form_of(request)
        token = form.get("token", "")
        try:
            await (await desk.services()).accounts.reset_password(
                token, form.get("password", ""), desk.device(request)
            )
        except Refusals as error:
            return refused(visit, "auth/reset.html", error, fields=("password",), token=token)
        return desk.leave_word(go("/login"), "password-reset")

    @get("/change-email")
    async def show_change(request: AnyRequest) -> Response[Any]:
        token = request.query_params.get("token", "")
        return page(desk.visit(request), "auth/change_email.html", errors={}, token=token)

    @post("/change-email")
    async def change(request: AnyRequest) -> Response[Any]:
        visit, form = desk.visit(request), await form_of(request)
        token = form.get("token", "")
        try:
            await (await desk.services()).email_change.take(token, desk.device(request))
        except Refusals as error:
            return refused(visit, "auth/change_email.html", error, fields=(), token=token)
        return desk.leave_word(go("/home"), "email-changed")

    return [show, ask, show_reset, reset, show_change, change]
