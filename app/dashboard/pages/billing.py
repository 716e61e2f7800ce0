"""Credits of a business: balance and plan, the return from Stripe, limits, details of bills."""

from typing import Any
from uuid import UUID

from litestar import Response, get, post

from app.core.errors import NotFoundError, RefusedError
from app.core.money import parse_credits
from app.dashboard.desk import AnyRequest, Desk, form_of, go
from app.dashboard.pages.paying import HERE, overview_of, pays
from app.dashboard.refusals import Refusals, refused
from app.dashboard.render import page, partial
from billing import account, caps
from billing.caps import Caps
from billing.payments import profiles, receipts
from billing.payments.profiles import Profile
from tenants.access import Permission
from tenants.businesses import actor_of
from tenants.login_sessions import SignedIn

_PROFILE_FIELDS = ("billing_email", "legal_name", "address", "country", "tax_id")


def routes(desk: Desk) -> list[Any]:
    """Return the handlers."""
    return [*_overview(desk), *_limits(desk), *_details(desk)]


def _overview(desk: Desk) -> list[Any]:
    @get(HERE)
    async def show(request: AnyRequest) -> Response[Any]:
        someone = desk.someone(request)
        tenant_id = someone.business(Permission.READ_CREDITS)
        view = await overview_of(desk, someone, tenant_id)
        return page(desk.visit(request), "billing/overview.html", errors={}, **view)

    @get("/billing/paid")
    async def paid(request: AnyRequest) -> Response[Any]:
        tenant_id = desk.someone(request).business(Permission.READ_CREDITS)
        services = await desk.services()
        session = request.query_params.get("session", "")
        async with services.database.tenant(tenant_id) as connection:
            payment = await receipts.by_session(connection, tenant_id, session)
            if payment is None:
                raise NotFoundError("There is no such payment.")
            now = await account.read(connection, tenant_id)
        view: dict[str, Any] = {"payment": payment, "account": now, "session": session}
        return partial(desk.visit(request), "billing/paid.html", "state", **view)

    return [show, paid]


def _limits(desk: Desk) -> list[Any]:
    async def view_of(someone: SignedIn, tenant_id: UUID) -> dict[str, Any]:
        async with (await desk.services()).database.tenant(tenant_id) as connection:
            now = await caps.read(connection, tenant_id)
        return {"now": now, "pays": pays(someone)}

    @get("/billing/limits")
    async def show(request: AnyRequest) -> Response[Any]:
        someone = desk.someone(request)
        tenant_id = someone.business(Permission.READ_CREDITS)
        view = await view_of(someone, tenant_id)
        return page(desk.visit(request), "billing/limits.html", errors={}, form={}, **view)

    @post("/billing/limits")
    async def change(request: AnyRequest) -> Response[Any]:
        someone, form = desk.someone(request), await form_of(request)
        tenant_id = someone.business(Permission.PAY)
        actor = actor_of(someone, desk.device(request))
        try:
            wanted = caps_of(form)
            async with (await desk.services()).database.tenant(tenant_id) as connection:
                await caps.change(connection, tenant_id, wanted, actor=actor)
        except Refusals as error:
            visit, view = desk.visit(request), await view_of(someone, tenant_id)
            return refused(visit, "billing/limits.html", error, fields=(), form=form, **view)
        return desk.leave_word(go("/billing/limits"), "saved")

    async def switch(request: AnyRequest, act: Any) -> Response[Any]:
        someone = desk.someone(request)
        tenant_id = someone.business(Permission.EDIT_ASSISTANT)
        actor = actor_of(someone, desk.device(request))
        async with (await desk.services()).database.tenant(tenant_id) as connection:
            await act(connection, tenant_id, actor=actor)
        return go("/billing/limits")

    @post("/billing/limits/stop")
    async def stop(request: AnyRequest) -> Response[Any]:
        return desk.leave_word(await switch(request, caps.stop), "assistant-stopped")

    @post("/billing/limits/resume")
    async def resume(request: AnyRequest) -> Response[Any]:
        return desk.leave_word(await switch(request, caps.resume), "assistant-resumed")

    return [show, change, stop, resume]


def _details(desk: Desk) -> list[Any]:
    @get("/billing/details")
    async def show(request: AnyRequest) -> Response[Any]:
        someone = desk.someone(request)
        tenant_id = someone.business(Permission.READ_CREDITS)
        async with (await desk.services()).database.tenant(tenant_id) as connection:
            profile = await profiles.profile_of(connection, tenant_id)
        form = {name: getattr(profile, name) or "" for name in _PROFILE_FIELDS}
        view: dict[str, Any] = {"form": form, "pays": pays(someone)}
        return page(desk.visit(request), "billing/details.html", errors={}, **view)

    @post("/billing/details")
    async def save(request: AnyRequest) -> Response[Any]:
        someone, form = desk.someone(request), await form_of(request)
        tenant_id = someone.business(Permission.PAY)
        given = {name: form.get(name) or None for name in _PROFILE_FIELDS}
        given["country"] = (given["country"] or "").upper() or None
        actor = actor_of(someone, desk.device(request))
        try:
            async with (await desk.services()).database.tenant(tenant_id) as connection:
                await profiles.save_profile(connection, tenant_id, Profile(**given), actor)
        except Refusals as error:
            view: dict[str, Any] = {"form": form, "pays": True}
            visit = desk.visit(request)
            return refused(visit, "billing/details.html", error, fields=("country",), **view)
        return desk.leave_word(go("/billing/details"), "saved")

    return [show, save]


def caps_of(form: dict[str, str]) -> Caps:
    """Read the form of the caps; an empty field is no limit. RefusedError names what is wrong."""
    replies = form.get("contact_replies_per_day", "")
    if not (replies.isascii() and replies.isdigit() and len(replies) < 8):  # noqa: PLR2004
        raise RefusedError("Replies to one contact a day are a whole number, such as 40.")
    daily, hourly = form.get("daily_cap", ""), form.get("auto_stop", "")
    monthly = form.get("monthly_cap", "")
    return Caps(
        daily_cap_ucr=parse_credits(daily) if daily else None,
        monthly_cap_ucr=parse_credits(monthly) if monthly else None,
        contact_replies_per_day=int(replies),
        auto_stop_ucr_per_hour=parse_credits(hourly) if hourly else None,
    )
