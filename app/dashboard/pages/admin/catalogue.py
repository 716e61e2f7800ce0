"""What is for sale: the price list and its future, plans, top-up packages."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from litestar import Response, get, post
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.errors import NotFoundError, RefusedError
from app.core.money import parse_credits
from app.dashboard.desk import AnyRequest, Desk, form_of, go
from app.dashboard.pages.admin.console import (
    admin_of,
    console_page,
    deciding,
    reason_of,
    refused_there,
    whole_number,
)
from app.dashboard.price_form import lines_in, lines_of, read_prices
from app.dashboard.refusals import Refusals
from billing import plans, price_list
from billing.payments.money import parse_money, plain_money
from billing.plans import Package, Plan
from tenants.service import Actor

HERE = "/admin/catalogue"
_PAGE = "admin/catalogue.html"
_LIMITS = (
    *("weight", "turn_per_min", "turn_burst"),
    *("max_inflight", "send_per_min", "send_burst"),
)
_Act = Callable[[AsyncConnection, dict[str, str], Actor], Awaitable[object]]


def routes(desk: Desk) -> list[Any]:
    """Return the handlers."""

    async def view_of() -> dict[str, Any]:
        async with (await desk.services()).database.system() as connection:
            versions = await price_list.versions(connection)
            return {
                "versions": versions,
                "token_lines": lines_of(next(iter(versions), None)),
                "plain_money": plain_money,
                "plans": await plans.plans(connection, offered_only=False),
                "packages": await plans.packages(connection, offered_only=False),
                "fresh_plan": Plan(code="", name=""),
                "form": {},
            }

    def typed(form: dict[str, str]) -> dict[str, Any]:
        lines = lines_in(form)
        return {"form": form, **({"token_lines": lines} if lines else {})}

    async def change(request: AnyRequest, act: _Act) -> Response[Any]:
        """Do what an admin decided; a refusal comes back on the page."""
        _, actor = deciding(desk, request)
        form = await form_of(request)
        try:
            async with (await desk.services()).database.system() as connection:
                await act(connection, form, actor)
        except (*Refusals, NotFoundError) as error:
            return refused_there(desk, request, _PAGE, error, {**await view_of(), **typed(form)})
        return desk.leave_word(go(HERE), "saved")

    @get(HERE)
    async def show(request: AnyRequest) -> Response[Any]:
        admin_of(desk, request)
        return console_page(desk, request, _PAGE, await view_of())

    @post(f"{HERE}/prices")
    async def schedule(request: AnyRequest) -> Response[Any]:
        return await change(request, _schedule)

    @post(f"{HERE}/prices/withdraw")
    async def withdraw(request: AnyRequest) -> Response[Any]:
        return await change(request, _withdraw)

    @post(f"{HERE}/plans")
    async def save_plan(request: AnyRequest) -> Response[Any]:
        return await change(request, _save_plan)

    @post(f"{HERE}/packages")
    async def save_package(request: AnyRequest) -> Response[Any]:
        return await change(request, _save_package)

    return [show, schedule, withdraw, save_plan, save_package]


async def _schedule(connection: AsyncConnection, form: dict[str, str], actor: Actor) -> None:
    new = read_prices(form, reason_of(form))
    await price_list.schedule(connection, new, valid_from=_moment(form), actor=actor)


async def _withdraw(connection: AsyncConnection, form: dict[str, str], actor: Actor) -> None:
    version = whole_number(form, "version")
    await price_list.withdraw(connection, version, actor=actor)


async def _save_plan(connection: AsyncConnection, form: dict[str, str], actor: Actor) -> None:
    code = form.get("code", "")
    try:
        plan = await plans.plan(connection, code)
    except NotFoundError:
        plan = Plan(code=code, name=code)
    figures: dict[str, Any] = {name: whole_number(form, name) for name in _LIMITS}
    terms = replace(
        plan,
        **figures,
        name=_name(form),
        monthly_credits_ucr=parse_credits(form.get("credits") or "0"),
        price_minor=parse_money(form.get("price", ""), _currency(form)),
        currency=_currency(form),
        offered=bool(form.get("offered")),
    )
    await plans.save_plan(connection, terms, actor, reason_of(form))


async def _save_package(connection: AsyncConnection, form: dict[str, str], actor: Actor) -> None:
    days = form.get("valid_days")
    terms = Package(
        code=form.get("code", ""),
        name=_name(form),
        credits_ucr=parse_credits(form.get("credits", "")),
        price_minor=parse_money(form.get("price", ""), _currency(form)),
        currency=_currency(form),
        valid_days=whole_number(form, "valid_days") if days else None,
        offered=bool(form.get("offered")),
    )
    await plans.save_package(connection, terms, actor, reason_of(form))


def _currency(form: dict[str, str]) -> str:
    return form.get("currency", "").strip().upper()


def _name(form: dict[str, str]) -> str:
    name = form.get("name", "")
    if not name or len(name) > 100:  # noqa: PLR2004
        raise RefusedError("A name has 1 to 100 characters.")
    return name


def _moment(form: dict[str, str]) -> datetime:
    """Read when prices change; the form says that it is UTC."""
    try:
        return datetime.fromisoformat(form.get("valid_from", "")).replace(tzinfo=UTC)
    except ValueError:
        raise RefusedError("Give the moment from which the prices hold.") from None
