"""`parley credits`: grant, read and verify a tenant's credits."""

import asyncio
import getpass
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import TypeVar
from uuid import UUID

import click
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, ProgrammingError
from sqlalchemy.ext.asyncio import AsyncConnection

from app.cli.environment import load_environment
from app.cli.errors import CommandError, ExitCode
from app.core.config import Settings
from app.core.db.engine import Database
from app.core.errors import RefusedError
from app.core.ids import request_id, uuid7
from app.core.money import format_credits, parse_credits
from billing.ledger import service
from billing.ledger.schemas import PRIORITIES, Balance, Grant, GrantOutcome
from billing.verify import Proof, tenant_ids, verify_tenant

_ANSWER_WITHIN_S = 10
_FIND_TENANT = text("select id from tenants where id::text = lower(:name) or slug = :name")
_Result = TypeVar("_Result")

_tenant = click.option("--tenant", required=True, metavar="ID|SLUG", help="Whose credits.")
_json = click.option("--json", "json_output", is_flag=True, help="Print one JSON object.")


@click.group("credits", context_settings={"help_option_names": ["-h", "--help"]})
def credits_group() -> None:
    """Grant, read and verify credits.

    \b
    Exit codes: 0 done, 1 refused or found wrong, 2 wrong usage, 3 database unreachable.
    """  # noqa: D301 - \b is Click's mark for "do not re-wrap"
    load_environment()


@credits_group.command("grant")
@_tenant
@click.option("--credits", "amount", required=True, metavar="N", help="Up to 6 decimals.")
@click.option("--source", type=click.Choice(list(PRIORITIES)), required=True)
@click.option("--ref", required=True, help="Names the event; the same ref never grants twice.")
@click.option("--reason", help="Why, for the journal.")
@_json
def grant_credits(
    *, tenant: str, amount: str, source: str, ref: str, reason: str | None, json_output: bool
) -> int:
    """Grant credits to a tenant, once per source and ref."""
    amount_ucr = parse_credits(amount)
    if amount_ucr <= 0:
        raise RefusedError("A grant must be above 0 credits.")

    async def run(connection: AsyncConnection) -> tuple[GrantOutcome, Balance]:
        tenant_id = await _find(connection, tenant)
        request = Grant(
            tenant_id=tenant_id,
            lot_id=uuid7(),
            source=source,
            source_ref=ref,
            amount_ucr=amount_ucr,
            created_by=f"operator:{getpass.getuser()}",
            reason=reason,
            request_id=request_id(),
        )
        outcome = await service.grant(connection, request)
        return outcome, await service.balance(connection, tenant_id)

    outcome, balance = _in_system_scope(run)
    if outcome is GrantOutcome.CONFLICT:
        raise CommandError(
            ExitCode.WRONG,
            f"{source} {ref!r} was granted before with other terms; nothing was changed.",
        )
    answer = {"outcome": outcome.value, **_amounts(balance)}
    sentence = "Granted." if outcome is GrantOutcome.GRANTED else "Granted before; nothing changed."
    click.echo(json.dumps(answer) if json_output else f"{sentence} {_sentence(balance)}")
    return ExitCode.DONE


@credits_group.command("balance")
@_tenant
@_json
def show_balance(*, tenant: str, json_output: bool) -> int:
    """Show what a tenant has, holds and has spent, in credits."""

    async def run(connection: AsyncConnection) -> Balance:
        return await service.balance(connection, await _find(connection, tenant))

    balance = _in_system_scope(run)
    click.echo(json.dumps(_amounts(balance)) if json_output else _sentence(balance))
    return ExitCode.DONE


@credits_group.command("verify")
@click.option("--tenant", metavar="ID|SLUG", help="One tenant; without it, all of them.")
@_json
def verify(*, tenant: str | None, json_output: bool) -> int:
    """Recompute credits from the journal and check every invariant."""

    async def run(connection: AsyncConnection) -> list[Proof]:
        found = [await _find(connection, tenant)] if tenant else await tenant_ids(connection)
        return [await verify_tenant(connection, tenant_id) for tenant_id in found]

    proofs = _in_system_scope(run, answer_within_s=None)
    click.echo(json.dumps(_as_json(proofs)) if json_output else "\n".join(map(_lines, proofs)))
    return ExitCode.DONE if all(proof.holds_true for proof in proofs) else ExitCode.WRONG


def _in_system_scope(
    work: Callable[[AsyncConnection], Awaitable[_Result]],
    *,
    answer_within_s: float | None = _ANSWER_WITHIN_S,
) -> _Result:
    """Run work in one transaction of DATABASE_SYSTEM_URL; a CommandError says what failed."""
    settings = Settings.from_environ()

    async def run() -> _Result:
        database = Database.from_settings(settings, pool_size=1)
        try:
            async with asyncio.timeout(answer_within_s), database.system() as connection:
                return await work(connection)
        finally:
            await database.close()

    try:
        return asyncio.run(run())
    except ProgrammingError as error:
        raise CommandError(
            ExitCode.WRONG, "The database has no ledger as this version knows it: migrate it first."
        ) from error
    except (OSError, TimeoutError, OperationalError, InterfaceError) as error:
        raise CommandError(
            ExitCode.UNREACHABLE,
            "PostgreSQL does not answer at DATABASE_SYSTEM_URL; is it running?",
        ) from error
    except DBAPIError as error:
        raise CommandError(
            ExitCode.UNREACHABLE, f"PostgreSQL refused: {type(error.orig).__name__}."
        ) from error


async def _find(connection: AsyncConnection, name: str) -> UUID:
    tenant_id: UUID | None = await connection.scalar(_FIND_TENANT, {"name": name})
    if tenant_id is None:
        raise CommandError(ExitCode.WRONG, f"There is no tenant with the id or slug {name!r}.")
    return tenant_id


def _amounts(balance: Balance) -> dict[str, str]:
    return {
        "tenant_id": str(balance.tenant_id),
        "available": format_credits(balance.available_ucr),
        "held": format_credits(balance.held_ucr),
        "spent": format_credits(balance.spent_ucr),
    }


def _sentence(balance: Balance) -> str:
    amounts = _amounts(balance)
    line = f"{amounts['available']} available, {amounts['held']} held, {amounts['spent']} spent"
    owed = f", {format_credits(balance.owed_ucr)} owed" if balance.owed_ucr else ""
    return f"{line}{owed}{', frozen' if balance.frozen else ''}."


def _lines(proof: Proof) -> str:
    verdict = "proved" if proof.holds_true else f"{len(proof.findings)} findings"
    head = (
        f"{proof.tenant_id}  {verdict}: {proof.entries} entries, {proof.lots} lots,"
        f" {proof.holds} holds. {_sentence(proof.balance)} Seal {proof.head_hash[:16] or '-'}"
    )
    return "\n".join(
        [head]
        + [f"  ✗ {f.invariant}. {f.rule}: {f.table} {f.row}: {f.detail}" for f in proof.findings]
    )


def _as_json(proofs: list[Proof]) -> dict[str, object]:
    return {
        "ok": all(proof.holds_true for proof in proofs),
        "tenants": [
            {
                **_amounts(proof.balance),
                "entries": proof.entries,
                "lots": proof.lots,
                "holds": proof.holds,
                "head_hash": proof.head_hash,
                "findings": [asdict(f) | {"tenant_id": str(f.tenant_id)} for f in proof.findings],
            }
            for proof in proofs
        ],
    }


# The name that the command table loads; the function has another, not to hide the built-in.
credits = credits_group  # noqa: A001 - the command is called so
