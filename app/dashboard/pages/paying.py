"""The way to Stripe: topping up, choosing a plan, looking after cards and invoices."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from litestar import Response, post

from app.core.errors import ProviderError, RefusedError
from app.dashboard.desk import AnyRequest, Desk, form_of, go
from app.dashboard.refusals import Refusals, refused
from app.dashboard.render import page
from app.dashboard.services import Services
from app.dashboard.visit import Visit
from billing import account, plans, price_list, proofs
from tenants.access import Permission, may
from tenants.businesses import actor_of
from tenants.login_sessions import SignedIn
from tenants.service import Actor

HERE = "/billing"
_DECLINED = 402


def routes(desk: Desk) -> list[Any]:
    """Return the handlers."""
    counter = _Counter(desk)

    @post("/billing/top-up")
    async def top_up(request: AnyRequest) -> Response[Any]:
        return await counter.serve(request, counter.top_up)

    @post("/billing/plan")
    async def change_plan(request: AnyRequest) -> Response[Any]:
        return await counter.serve(request, counter.change_plan)

    @post("/billing/portal")
    async def portal(request: AnyRequest) -> Response[Any]:
        return await counter.serve(request, counter.portal)

    return [top_up, change_plan, portal]


def pays(someone: SignedIn) -> bool:
    """Tell whether the buttons that cost money are theirs."""
    return someone.role is not None and may(someone.role, Permission.PAY)


async def overview_of(desk: Desk, someone: SignedIn, tenant_id: UUID) -> dict[str, Any]:
    """Return what the page of the credits shows."""
    services = await desk.services()
    async with services.database.tenant(tenant_id) as connection:
        found = {
            "account": await account.read(connection, tenant_id),
            "lots": await account.open_lots(connection, tenant_id),
            "proof": next(iter(await proofs.of_tenant(connection, tenant_id, rows_max=1)), None),
            "prices": await price_list.current(connection),
            "next_prices": await price_list.next_version(connection),
        }
    async with services.database.system_statement() as connection:
        return {
            **found,
            "plans": await plans.plans(connection),
            "packages": await plans.packages(connection),
            "pays": pays(someone),
            "open_for_payments": services.checkout.configured,
        }


_Act = Callable[[Services, UUID, Actor, dict[str, str]], Awaitable[Response[Any]]]


class _Counter:
    """What an owner does that costs money; a refusal comes back on the page of the credits."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._start = desk.settings.app_url.rstrip("/") + HERE
        # Stripe fills in the id of its session.
        self._back = {
            "success_url": f"{self._start}/paid?session={{CHECKOUT_SESSION_ID}}",
            "cancel_url": self._start,
        }

    async def serve(self, request: AnyRequest, act: _Act) -> Response[Any]:
        """Check who asks, do it, and lead on."""
        desk, form = self._desk, await form_of(request)
        someone, services = desk.someone(request), await desk.services()
        tenant_id = someone.business(Permission.PAY)
        try:
            if not services.checkout.configured:
                raise RefusedError("Payments are not set up here yet. Please write to us.")
            return await act(services, tenant_id, actor_of(someone, desk.device(request)), form)
        except ProviderError as error:
            visit, view = desk.visit(request), await overview_of(desk, someone, tenant_id)
            errors = {"form": provider_sentence(visit, error)}
            return page(visit, "billing/overview.html", status=error.status, errors=errors, **view)
        except Refusals as error:
            visit, view = desk.visit(request), await overview_of(desk, someone, tenant_id)
            return refused(visit, "billing/overview.html", error, fields=(), **view)

    async def top_up(
        self, services: Services, tenant_id: UUID, actor: Actor, form: dict[str, str]
    ) -> Response[Any]:
        """Lead to the payment of a package."""
        code = form.get("package", "")
        url = await services.checkout.start_checkout(
            tenant_id, actor, package_code=code, **self._back
        )
        return go(url)

    async def change_plan(
        self, services: Services, tenant_id: UUID, actor: Actor, form: dict[str, str]
    ) -> Response[Any]:
        """Change the plan, or lead to its first payment."""
        code = form.get("plan", "")
        async with services.database.tenant(tenant_id) as connection:
            terms = await plans.plan(connection, code)
            charged = (await account.read(connection, tenant_id)).charged
        if terms.price_minor > 0 and not charged:
            url = await services.checkout.start_checkout(
                tenant_id, actor, plan_code=code, **self._back
            )
            return go(url)
        when = await services.checkout.change_plan(tenant_id, code, actor)
        return self._desk.leave_word(go(HERE), "plan-now" if when == "now" else "plan-later")

    async def portal(
        self, services: Services, tenant_id: UUID, actor: Actor, form: dict[str, str]
    ) -> Response[Any]:
        """Lead to Stripe's portal: cards, invoices, cancelling."""
        del actor, form
        return go(await services.checkout.start_portal(tenant_id, return_url=self._start))


def provider_sentence(visit: Visit, error: ProviderError) -> str:
    """Say what a refusal of the payment service means, in the visitor's language."""
    _ = visit._
    if error.status_code == _DECLINED:
        return _("The card was declined and nothing was changed. Use another one and try again.")
    return _("The payment service does not answer. Nothing was charged; try again in a minute.")
