"""`parley admin`: make platform admins."""

import getpass
import json

import click

from app.cli.environment import load_environment
from app.cli.system_scope import with_database
from app.core.config import Settings
from app.core.db.engine import Database
from app.core.limits.limiter import build_limiter
from app.core.passwords import PasswordHasher
from tenants.accounts import Accounts
from tenants.admins import Admins, NewAdmin


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def admin() -> None:
    """Make platform admins.

    \b
    Exit codes: 0 done, 1 refused, 2 wrong usage, 3 database unreachable.
    """  # noqa: D301 - \b is Click's mark for "do not re-wrap"
    load_environment()


@admin.command("create", short_help="Make somebody a platform admin.")
@click.option("--email", required=True, metavar="ADDRESS", help="With which they sign in.")
@click.option("--name", default="Admin", show_default=True, help="What they are called.")
@click.option("--mail", "send", is_flag=True, help="Mail the link instead of printing it.")
@click.option("--json", "json_output", is_flag=True, help="Print one JSON object.")
def create(*, email: str, name: str, send: bool, json_output: bool) -> int:
    """Make somebody a platform admin; print (or mail) a link to set the password.

    The link works once, for 24 hours. Whoever has an account keeps its password until the link is
    used. Admin rights begin when a second factor is enrolled.
    """

    async def run(database: Database, settings: Settings) -> tuple[NewAdmin, str]:
        limiter = build_limiter(settings)
        try:
            accounts = Accounts(database, limiter, settings, PasswordHasher())
            made = await Admins(accounts).create(email, name, getpass.getuser(), send=send)
        finally:
            await limiter.close()
        return made, f"{settings.app_url.rstrip('/')}/reset-password?token={made.token}"

    made, link = with_database(run)
    if json_output:
        answer = {"user_id": str(made.user_id), "created": made.created}
        click.echo(json.dumps(answer if send else {**answer, "link": link}))
        return 0
    state = "A new account" if made.created else "The account"
    click.echo(f"{state} is a platform admin now; all of its sessions were ended.")
    click.echo("The link was mailed." if send else f"Set the password within 24 hours:\n{link}")
    return 0
