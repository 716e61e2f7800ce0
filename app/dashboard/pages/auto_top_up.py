"""Automatic top-up: the rule, its card, its limit of a month, and where it stands."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from litestar import Response, get, post

from app.core.errors import NotFoundError, ProviderError, RefusedError
from app.core.money import parse_credits
from app.dashboard.desk import AnyRequest, Desk, form_of, go
from app.dashboard.pages.paying import HERE as CREDITS
from app.dashboard.pages.paying import pays, provider_sentence
from app.dashboard.refusals import Refusals, refused
from app.dashboard.render import page, partial
from billing import account, plans
from billing.payments import auto_top_up
from billing.payments.money import parse_money, plain_money
from tenants.access import Permission
from tenants.businesses import actor_of
from tenants.login_sessions import SignedIn
from tenants.service import Actor

HERE = f"{CREDITS}/auto"
_PAGE = "billing/auto.html"


def routes(desk: Desk) -> list[Any]:
    """Return the handlers."""
    return [_showing(desk), *_changing(desk)]


async def _view(desk: Desk, someone: SignedIn, tenant_id: UUID) -> dict[str, Any]:
    services = await desk.services()
    async with services.database.tenant(tenant_id) as connection:
        found = {
            "rule": await auto_top_up.read(connection, tenant_id),
            "account": await account.read(connection, tenant_id),
        }
    async with services.database.system_statement() as connection:
        packages = await plans.packages(connection)
    return {
        **found,
        "packages": packages,
        "pays": pays(someone),
        "open_for_payments": services.checkout.configured,
        "form": {},
        "plain_money": plain_money,
    }


def _showing(desk: Desk) -> Any:
    @get(HERE)
    async def show(request: AnyRequest) -> Response[Any]:
        someone = desk.someone(request)
        tenant_id = someone.business(Permission.READ_CREDITS)
        view = await _view(desk, someone, tenant_id)
        return partial(desk.visit(request), _PAGE, "state", errors={}, **view)

    return show


def _changing(desk: Desk) -> list[Any]:
    rules = _Rules(desk)

    async def serve(request: AnyRequest, act: _Act) -> Response[Any]:
        """Check who asks, do it, and lead on; a refusal comes back on the page."""
        someone, form = desk.someone(request), await form_of(request)
        tenant_id = someone.business(Permission.PAY)
        try:
            return await act(tenant_id, actor_of(someone, desk.device(request)), form)
        except ProviderError as error:
            visit, view = desk.visit(request), await _view(desk, someone, tenant_id)
            errors = {"form": provider_sentence(visit, error)}
            return page(visit, _PAGE, status=error.status, errors=errors, **view)
        except (*Refusals, NotFoundError) as error:
            view = {**await _view(desk, someone, tenant_id), "form": form}
            return refused(desk.visit(request), _PAGE, error, fields=(), **view)

    @post(HERE)
    async def switch_on(request: AnyRequest) -> Response[Any]:
        return await serve(request, rules.switch_on)

    @post(f"{HERE}/off")
    async def switch_off(request: AnyRequest) -> Response[Any]:
        return await serve(request, rules.switch_off)

    @post(f"{HERE}/card")
    async def change_card(request: AnyRequest) -> Response[Any]:
        return await serve(request, rules.change_card)

    return [switch_on, switch_off, change_card]


_Act = Callable[[UUID, Actor, dict[str, str]], Awaitable[Response[Any]]]


class _Rules:
    """What an owner does about the rule."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._start = desk.settings.app_url.rstrip("/") + HERE

    async def switch_on(self, tenant_id: UUID, actor: Actor, form: dict[str, str]) -> Response[Any]:
        """Save the rule and let it work; without a card, lead to where one is saved."""
        services = await self._desk.services()
        if not services.checkout.configured:
            raise RefusedError("Payments are not set up here yet. Please write to us.")
        async with services.database.system() as connection:
            package = await plans.package(connection, form.get("package", ""))
        async with services.database.tenant(tenant_id) as connection:
            has_card = await auto_top_up.switch_on(
                connection,
                tenant_id,
                package,
                threshold_ucr=parse_credits(form.get("threshold", "")),
                monthly_max_minor=parse_money(form.get("monthly_max", ""), package.currency),
                actor=actor,
            )
        if not has_card:
            return await self._save_card(tenant_id, package.currency)
        return self._desk.leave_word(go(HERE), "auto-top-up-on")

    async def switch_off(
        self, tenant_id: UUID, actor: Actor, form: dict[str, str]
    ) -> Response[Any]:
        """Let credits be bought by hand again."""
        del form
        async with (await self._desk.services()).database.system() as connection:
            await auto_top_up.switch_off(connection, tenant_id, actor=actor)
        return self._desk.leave_word(go(HERE), "auto-top-up-off")

    async def change_card(
        self, tenant_id: UUID, actor: Actor, form: dict[str, str]
    ) -> Response[Any]:
        """Lead to where another card is saved."""
        del actor, form
        services = await self._desk.services()
        async with services.database.tenant(tenant_id) as connection:
            rule = await auto_top_up.read(connection, tenant_id)
        if rule is None:
            raise NotFoundError("There is no automatic top-up yet.")
        async with services.database.system() as connection:
            currency = (await plans.package(connection, rule.package_code)).currency
        return await self._save_card(tenant_id, currency)

    async def _save_card(self, tenant_id: UUID, currency: str) -> Response[Any]:
        checkout = (await self._desk.services()).checkout
        url = await checkout.start_card_setup(
            tenant_id, currency=currency, success_url=self._start, cancel_url=self._start
        )
        return go(url)
