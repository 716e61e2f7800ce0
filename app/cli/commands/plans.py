"""`parley plans`: what is for sale, and changing it; each change is on record with its reason."""

import json
from dataclasses import asdict, replace
from typing import Any

import click
from sqlalchemy.ext.asyncio import AsyncConnection

from app.cli.environment import load_environment
from app.cli.errors import ExitCode
from app.cli.system_scope import in_system_scope, operator
from app.core.errors import NotFoundError
from app.core.money import format_credits, parse_credits
from billing import plans as catalogue
from billing.payments.money import format_money

_json = click.option("--json", "json_output", is_flag=True, help="Print one JSON object.")
_reason = click.option("--reason", required=True, help="Why, for the record.")
_name = click.option("--name", help="What customers read.")
_credits = click.option("--credits", "amount", metavar="N", help="Credits, up to 6 decimals.")
_price = click.option(
    "--price-minor", type=int, metavar="N", help="In minor units: 4900 is 49 euros, or 4900 yen."
)
_currency = click.option("--currency", metavar="CODE", help="ISO 4217, e.g. EUR.")
_offered = click.option("--offered/--withdrawn", default=None, help="Whether it can be chosen.")


@click.group("plans", context_settings={"help_option_names": ["-h", "--help"]})
def plans() -> None:
    """Show and change plans and top-up packages.

    \b
    Exit codes: 0 done, 1 refused, 2 wrong usage, 3 database unreachable.
    """  # noqa: D301 - \b is Click's mark for "do not re-wrap"
    load_environment()


@plans.command("list")
@_json
def list_plans(*, json_output: bool) -> int:
    """List plans and top-up packages, those withdrawn included."""

    async def run(
        connection: AsyncConnection,
    ) -> tuple[list[catalogue.Plan], list[catalogue.Package]]:
        return (
            await catalogue.plans(connection, offered_only=False),
            await catalogue.packages(connection, offered_only=False),
        )

    found, packages = in_system_scope(run)
    if json_output:
        shown = {
            "plans": [asdict(plan) for plan in found],
            "packages": [asdict(package) for package in packages],
        }
        click.echo(json.dumps(shown))
        return ExitCode.DONE
    for plan in found:
        price = format_money(plan.price_minor, plan.currency)
        monthly = format_credits(plan.monthly_credits_ucr)
        click.echo(
            f"plan     {plan.code:16} {price:>12} a month, {monthly} credits,"
            f" weight {plan.weight}{'' if plan.offered else ', withdrawn'}"
        )
    for package in packages:
        price = format_money(package.price_minor, package.currency)
        click.echo(
            f"package  {package.code:16} {price:>12}, {format_credits(package.credits_ucr)} credits"
            f"{'' if package.offered else ', withdrawn'}"
        )
    return ExitCode.DONE


@plans.command("set", short_help="Make or change a plan.")
@click.argument("code", help="A short name that stays, e.g. starter.")
@_name
@_credits
@_price
@_currency
@_offered
@click.option("--weight", type=click.IntRange(1, 100), help="Share in fair claiming.")
@click.option("--turn-per-min", type=click.IntRange(1), help="Turns a minute.")
@click.option("--turn-burst", type=click.IntRange(1), help="Of those at once.")
@click.option("--send-per-min", type=click.IntRange(1), help="Messages a minute from a number.")
@click.option("--send-burst", type=click.IntRange(1), help="Of those at once.")
@click.option("--max-inflight", type=click.IntRange(1), help="Turns in work at once.")
@_reason
def set_plan(*, code: str, amount: str | None, reason: str, **terms: Any) -> int:
    """Make or change a plan; what is not given stays as it is."""
    given = _given(terms) | ({"monthly_credits_ucr": parse_credits(amount)} if amount else {})

    async def run(connection: AsyncConnection) -> None:
        try:
            plan = await catalogue.plan(connection, code)
        except NotFoundError:
            plan = catalogue.Plan(code=code, name=code)
        await catalogue.save_plan(connection, replace(plan, **given), operator(), reason)

    in_system_scope(run)
    click.echo(f"Plan {code} is saved.")
    return ExitCode.DONE


@plans.command("package", short_help="Make or change a top-up package.")
@click.argument("code", help="A short name that stays, e.g. starter.")
@_name
@_credits
@_price
@_currency
@_offered
@click.option("--valid-days", type=click.IntRange(1), help="Without it, credits stay.")
@_reason
def set_package(*, code: str, amount: str | None, reason: str, **terms: Any) -> int:
    """Make or change a top-up package; what is not given stays as it is."""
    given = _given(terms) | ({"credits_ucr": parse_credits(amount)} if amount else {})

    async def run(connection: AsyncConnection) -> None:
        try:
            package = await catalogue.package(connection, code)
        except NotFoundError:
            package = catalogue.Package(code=code, name=code, credits_ucr=0, price_minor=0)
        await catalogue.save_package(connection, replace(package, **given), operator(), reason)

    in_system_scope(run)
    click.echo(f"Package {code} is saved.")
    return ExitCode.DONE


def _given(terms: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in terms.items() if value is not None}
