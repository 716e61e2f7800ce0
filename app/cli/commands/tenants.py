"""`parley tenants`: list businesses, suspend them, let them work again, undo a closing."""

import getpass
import json
from typing import Any
from uuid import UUID

import click
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.cli.environment import load_environment
from app.cli.errors import CommandError, ExitCode
from app.cli.system_scope import with_database
from app.core.config import Settings
from app.core.db.engine import Database
from app.core.limits.limiter import build_limiter
from app.core.passwords import PasswordHasher
from tenants.accounts import Accounts
from tenants.admins import Admins
from tenants.closing import reopen as reopen_business
from tenants.service import Actor

_FIND = text("select id from tenants where id::text = lower(:name) or slug = :name")
_LIST = text(
    """
    select t.id, t.slug, t.name, t.status, t.plan_code, t.created_at, t.erase_due_at,
           (select count(*) from channels c where c.tenant_id = t.id and c.enabled) as numbers,
           (select count(*) from memberships m where m.tenant_id = t.id) as people
    from tenants t where cast(:status as text) is null or t.status = :status
    order by t.created_at limit 1000
    """
)
_json = click.option("--json", "json_output", is_flag=True, help="Print one JSON object.")
_tenant = click.option("--tenant", required=True, metavar="ID|SLUG", help="Which business.")
_reason = click.option("--reason", required=True, help="Why; the business's audit trail shows it.")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def tenants() -> None:
    """List businesses, suspend them, let them work again.

    \b
    Exit codes: 0 done, 1 refused, 2 wrong usage, 3 database unreachable.
    """  # noqa: D301 - \b is Click's mark for "do not re-wrap"
    load_environment()


@tenants.command("list")
@click.option("--status", type=click.Choice(["active", "suspended", "closing", "closed"]))
@_json
def list_tenants(*, status: str | None, json_output: bool) -> int:
    """List businesses, the oldest first, at most 1000."""

    async def run(database: Database, settings: Settings) -> list[dict[str, Any]]:
        del settings
        async with database.system() as connection:
            found = await connection.execute(_LIST, {"status": status})
            return [dict(row) for row in found.mappings()]

    rows = with_database(run)
    if json_output:
        click.echo(json.dumps({"tenants": rows}, default=str))
        return ExitCode.DONE
    for row in rows:
        due = f", erased on {row['erase_due_at']:%Y-%m-%d}" if row["erase_due_at"] else ""
        click.echo(
            f"{row['id']}  {row['slug']:24} {row['status']}{due}  plan {row['plan_code']},"
            f" {row['numbers']} numbers, {row['people']} people"
        )
    return ExitCode.DONE


@tenants.command("suspend", short_help="Stop the assistant of a business.")
@_tenant
@_reason
def suspend(*, tenant: str, reason: str) -> int:
    """Stop the assistant of a business; its people can still sign in and read."""
    return _set_status(tenant, "suspended", reason)


@tenants.command("resume")
@_tenant
@_reason
def resume(*, tenant: str, reason: str) -> int:
    """Let a suspended business work again."""
    return _set_status(tenant, "active", reason)


@tenants.command("reopen")
@_tenant
def reopen(*, tenant: str) -> int:
    """Undo the closing of a business, while its thirty days last."""

    async def run(database: Database, settings: Settings) -> None:
        limiter = build_limiter(settings)
        try:
            accounts = Accounts(database, limiter, settings, PasswordHasher())
            await reopen_business(accounts, await _find(database, tenant), _operator())
        finally:
            await limiter.close()

    with_database(run)
    click.echo("The business is open again.")
    return ExitCode.DONE


def _set_status(tenant: str, status: str, reason: str) -> int:
    async def run(database: Database, settings: Settings) -> None:
        limiter = build_limiter(settings)
        try:
            accounts = Accounts(database, limiter, settings, PasswordHasher())
            tenant_id = await _find(database, tenant)
            await Admins(accounts).set_status(
                tenant_id, status=status, reason=reason, actor=_operator()
            )
        finally:
            await limiter.close()

    with_database(run)
    click.echo(f"The business is {status}.")
    return ExitCode.DONE


async def _find(database: Database, name: str) -> UUID:
    async with database.system() as connection:
        return await find_tenant(connection, name)


async def find_tenant(connection: AsyncConnection, name: str) -> UUID:
    """Return the id of a business given by id or slug; CommandError when there is none."""
    tenant_id: UUID | None = await connection.scalar(_FIND, {"name": name})
    if tenant_id is None:
        raise CommandError(ExitCode.WRONG, f"There is no tenant with the id or slug {name!r}.")
    return tenant_id


def _operator() -> Actor:
    return Actor("operator", getpass.getuser())
