"""`parley credits statement`: a tenant's month, each charge with its reply, as CSV or JSON."""

import click
from sqlalchemy.ext.asyncio import AsyncConnection

from app.cli.errors import ExitCode
from app.cli.system_scope import find_tenant, in_system_scope
from billing import statements
from billing.statement_formats import as_csv, as_json


@click.command("statement")
@click.option("--tenant", required=True, metavar="ID|SLUG", help="Whose statement.")
@click.option("--month", required=True, metavar="YYYY-MM", help="In the tenant's time zone.")
@click.option("--csv", "form", flag_value="csv", default=True, help="As CSV (the default).")
@click.option("--json", "form", flag_value="json", help="As one JSON object.")
def print_statement(*, tenant: str, month: str, form: str) -> int:
    """Print every movement of a month, and its balances."""

    async def run(connection: AsyncConnection) -> None:
        about = await statements.terms(connection, await find_tenant(connection, tenant), month)
        write = as_json if form == "json" else as_csv
        async for piece in write(about, statements.lines(connection, about)):
            click.echo(piece, nl=False)

    in_system_scope(run, answer_within_s=None)
    return ExitCode.DONE
