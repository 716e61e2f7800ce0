"""Businesses: found, looked at, suspended, moved to another plan, and acted for."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath

from app.core.errors import ProviderError, RefusedError
from app.dashboard.desk import AnyRequest, Desk, form_of, go
from app.dashboard.pages.admin.console import (
    admin_of,
    console_page,
    deciding,
    reason_of,
    refused_there,
    whole_number,
)
from app.dashboard.pages.billing import caps_of
from app.dashboard.pages.books import query_of
from app.dashboard.refusals import Refusals
from app.dashboard.services import Services
from app.messaging.charges import PROOF
from app.messaging.platform import businesses, unfreezing
from billing import approvals, caps, plans, proofs
from billing.verify import verify_tenant
from tenants import platform_audit
from tenants.service import Actor

LIST = "/admin/businesses"
ONE = f"{LIST}/{{tenant_id:uuid}}"
_PAGE = "admin/business.html"
MINUTES = (15, 30, 60)


def routes(desk: Desk) -> list[Any]:
    """Return the handlers."""
    return [*_reading(desk), *_changing(desk), *_acting(desk)]


async def view_of(desk: Desk, tenant_id: UUID) -> dict[str, Any]:
    """Return what a business's page shows; NotFoundError when there is none."""
    async with (await desk.services()).database.system() as connection:
        business = await businesses.find(connection, tenant_id)
        requests = await approvals.of_business(connection, tenant_id)
        return {
            "business": business,
            "numbers": await businesses.numbers(connection, tenant_id),
            "members": await businesses.members(connection, tenant_id),
            "plans": await plans.plans(connection, offered_only=False),
            "proof": next(iter(await proofs.of_tenant(connection, tenant_id, rows_max=1)), None),
            "caps": await caps.read(connection, tenant_id),
            "requests": requests,
            "names": await platform_audit.people(connection, [r.requested_by for r in requests]),
            "minutes": MINUTES,
        }


def _reading(desk: Desk) -> list[Any]:
    @get(LIST)
    async def index(request: AnyRequest) -> Response[Any]:
        admin_of(desk, request)
        query = query_of(request)
        after = query.get("after")
        try:
            after_id = UUID(after) if after else None
        except ValueError:
            raise RefusedError("This link is not complete. Begin the search again.") from None
        async with (await desk.services()).database.system() as connection:
            found = await businesses.search(
                connection,
                words=query.get("q", ""),
                status=query.get("status") or None,
                after=after_id,
                rows_max=businesses.ROWS_MAX + 1,
            )
        shown = found[: businesses.ROWS_MAX]
        more = shown[-1].id if len(found) > businesses.ROWS_MAX else None
        view = {"found": shown, "more": more, "query": query, "statuses": businesses.STATUSES}
        return console_page(desk, request, "admin/businesses.html", view)

    @get(ONE)
    async def show(request: AnyRequest, tenant_id: FromPath[UUID]) -> Response[Any]:
        admin_of(desk, request)
        return console_page(desk, request, _PAGE, await view_of(desk, tenant_id))

    return [index, show]


_Act = Callable[[Services, UUID, dict[str, str], Actor], Awaitable[object]]


def _changing(desk: Desk) -> list[Any]:
    async def change(request: AnyRequest, tenant_id: UUID, act: _Act) -> Response[Any]:
        """Do what an admin decided; a refusal comes back on the business's page."""
        _, actor = deciding(desk, request)
        form = await form_of(request)
        try:
            await act(await desk.services(), tenant_id, form, actor)
        except ProviderError:
            error = RefusedError("The payment service did not take it; nothing was changed.")
            return refused_there(desk, request, _PAGE, error, await view_of(desk, tenant_id))
        except Refusals as error:
            return refused_there(desk, request, _PAGE, error, await view_of(desk, tenant_id))
        return desk.leave_word(go(f"{LIST}/{tenant_id}"), "saved")

    @post(f"{ONE}/status")
    async def status(request: AnyRequest, tenant_id: FromPath[UUID]) -> Response[Any]:
        return await change(request, tenant_id, _set_status)

    @post(f"{ONE}/plan")
    async def plan(request: AnyRequest, tenant_id: FromPath[UUID]) -> Response[Any]:
        return await change(request, tenant_id, _change_plan)

    @post(f"{ONE}/limits")
    async def limits(request: AnyRequest, tenant_id: FromPath[UUID]) -> Response[Any]:
        return await change(request, tenant_id, _change_limits)

    @post(f"{ONE}/unfreeze")
    async def unfreeze(request: AnyRequest, tenant_id: FromPath[UUID]) -> Response[Any]:
        return await change(request, tenant_id, _unfreeze)

    @post(f"{ONE}/proof")
    async def prove(request: AnyRequest, tenant_id: FromPath[UUID]) -> Response[Any]:
        return await change(request, tenant_id, _prove)

    return [status, plan, limits, unfreeze, prove]


async def _set_status(
    services: Services, tenant_id: UUID, form: dict[str, str], actor: Actor
) -> None:
    reason, wanted = reason_of(form), form.get("status", "")
    await services.admins.set_status(tenant_id, status=wanted, reason=reason, actor=actor)


async def _change_plan(
    services: Services, tenant_id: UUID, form: dict[str, str], actor: Actor
) -> None:
    await services.checkout.change_plan(tenant_id, form.get("plan", ""), actor)


async def _change_limits(
    services: Services, tenant_id: UUID, form: dict[str, str], actor: Actor
) -> None:
    wanted = caps_of(form)
    async with services.database.system() as connection:
        await caps.change(connection, tenant_id, wanted, actor=actor)


async def _prove(services: Services, tenant_id: UUID, form: dict[str, str], actor: Actor) -> None:
    """Compute a business's books again and keep the proof, as every night."""
    del form, actor
    async with services.database.system() as connection:
        await businesses.find(connection, tenant_id)
    async with services.database.tenant(tenant_id) as connection:
        proof = await verify_tenant(connection, tenant_id, invariants=PROOF)
    async with services.database.system() as connection:
        await proofs.keep(connection, proof)


async def _unfreeze(
    services: Services, tenant_id: UUID, form: dict[str, str], actor: Actor
) -> None:
    reason = reason_of(form)
    async with services.database.system() as connection:
        proof = await unfreezing.unfreeze(connection, tenant_id, actor=actor, reason=reason)
    if not proof.holds_true:
        raise RefusedError("The proof still finds a difference: nothing was changed.")


def _acting(desk: Desk) -> list[Any]:
    @post(f"{ONE}/act")
    async def act(request: AnyRequest, tenant_id: FromPath[UUID]) -> Response[Any]:
        admin, _ = deciding(desk, request)
        form, services = await form_of(request), await desk.services()
        try:
            session, _ = await services.admins.impersonate(
                admin,
                tenant_id,
                reason=form.get("reason", ""),
                minutes=whole_number(form, "minutes"),
                device=desk.device(request),
            )
        except Refusals as error:
            return refused_there(desk, request, _PAGE, error, await view_of(desk, tenant_id))
        return desk.start_session(go("/home"), session)

    @post("/admin/acting/end")
    async def end(request: AnyRequest) -> Response[Any]:
        someone = desk.someone(request)
        someone.require_admin()
        tenant_id = someone.tenant_id if someone.impersonating else None
        await (await desk.services()).admins.stop_impersonating(someone, desk.device(request))
        return go(f"{LIST}/{tenant_id}" if tenant_id else "/admin")

    return [act, end]
