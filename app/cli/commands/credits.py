"""`parley credits`: grant, read and verify credits; caps, prices and statements."""

import getpass
import json
from dataclasses import asdict

import click
from sqlalchemy.ext.asyncio import AsyncConnection

from app.cli.commands.credit_caps import show_or_change_caps
from app.cli.commands.credit_prices import list_prices, price_group
from app.cli.commands.credit_statement import print_statement
from app.cli.environment import load_environment
from app.cli.errors import CommandError, ExitCode
from app.cli.system_scope import find_tenant, in_system_scope, operator
from app.core.errors import RefusedError
from app.core.ids import request_id, uuid7
from app.core.money import format_credits, parse_credits
from app.messaging.charges import PROOF
from app.messaging.platform import unfreezing
from billing.ledger import service
from billing.ledger.schemas import PRIORITIES, Balance, Grant, GrantOutcome
from billing.verify import Proof, tenant_ids, verify_tenant

_tenant = click.option("--tenant", required=True, metavar="ID|SLUG", help="Whose credits.")
_json = click.option("--json", "json_output", is_flag=True, help="Print one JSON object.")


@click.group("credits", context_settings={"help_option_names": ["-h", "--help"]})
def credits_group() -> None:
    """Grant, read and verify credits; caps, prices and statements.

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
        tenant_id = await find_tenant(connection, tenant)
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

    outcome, balance = in_system_scope(run)
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
        return await service.balance(connection, await find_tenant(connection, tenant))

    balance = in_system_scope(run)
    click.echo(json.dumps(_amounts(balance)) if json_output else _sentence(balance))
    return ExitCode.DONE


@credits_group.command("verify")
@click.option("--tenant", metavar="ID|SLUG", help="One tenant; without it, all of them.")
@_json
def verify(*, tenant: str | None, json_output: bool) -> int:
    """Recompute credits from the journal and check every invariant.

    Each accepted reply must have its one charge, too. What breaks a rule is named by table and
    row.
    """

    async def run(connection: AsyncConnection) -> list[Proof]:
        found = [await find_tenant(connection, tenant)] if tenant else await tenant_ids(connection)
        return [await verify_tenant(connection, each, invariants=PROOF) for each in found]

    proofs = in_system_scope(run, answer_within_s=None)
    click.echo(json.dumps(_as_json(proofs)) if json_output else "\n".join(map(_lines, proofs)))
    return ExitCode.DONE if all(proof.holds_true for proof in proofs) else ExitCode.WRONG


@credits_group.command("unfreeze", short_help="Let a frozen tenant use its credits again.")
@_tenant
@click.option("--reason", required=True, help="What was found and mended, for the audit trail.")
def unfreeze(*, tenant: str, reason: str) -> int:
    """Let a tenant use its credits again that the nightly proof froze.

    Only when everything is proved now; else what breaks a rule is named and nothing changes.
    """

    async def run(connection: AsyncConnection) -> Proof:
        tenant_id = await find_tenant(connection, tenant)
        return await unfreezing.unfreeze(connection, tenant_id, actor=operator(), reason=reason)

    proof = in_system_scope(run, answer_within_s=None)
    if not proof.holds_true:
        raise CommandError(ExitCode.WRONG, f"Still frozen. {_lines(proof)}")
    click.echo("Proved. The credits can be used again.")
    return ExitCode.DONE


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
        f" {proof.holds} holds, {proof.charges} charges. {_sentence(proof.balance)}"
        f" Seal {proof.head_hash[:16] or '-'}"
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
                "charges": proof.charges,
                "head_hash": proof.head_hash,
                "findings": [asdict(f) | {"tenant_id": str(f.tenant_id)} for f in proof.findings],
            }
            for proof in proofs
        ],
    }


for command in (show_or_change_caps, list_prices, price_group, print_statement):
    credits_group.add_command(command)

# The name that the command table loads; the function has another, not to hide the built-in.
credits = credits_group  # noqa: A001 - the command is called so
