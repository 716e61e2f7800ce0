"""`parley migrate`: move the schema, as its owner and never from a server process."""

import asyncio
import os
from collections.abc import Coroutine
from typing import Any, TypeVar

import asyncpg
import click
from alembic.util import CommandError as CommandLineError
from sqlalchemy.exc import DBAPIError

from app.cli.errors import CommandError, ExitCode, words_of_refusal
from app.core.config import is_usable_url
from migrations import runner
from migrations.bootstrap import RolePasswords, bootstrap

_Result = TypeVar("_Result")


@click.group("migrate", context_settings={"help_option_names": ["-h", "--help"]})
def migrate() -> None:
    """Move the database schema up or down.

    Uses DATABASE_ADMIN_URL, the login parley_owner. While `parley up` runs from the same
    directory nothing has to be set.
    """


@migrate.command("up")
@click.argument("revision", default="head", help="Its number, e.g. 0012.")
def up(revision: str) -> None:
    """Migrate to REVISION, the newest by default."""
    click.echo(f"The schema is at revision {_reach(runner.upgrade(_admin_url(), revision))}.")


@migrate.command("down")
@click.argument("revision", default="-1", help="Its number, or -N for N steps.")
def down(revision: str) -> None:
    """Migrate back to REVISION, one step by default. Data of later revisions is lost."""
    click.echo(f"The schema is at revision {_reach(runner.downgrade(_admin_url(), revision))}.")


@migrate.command("status", short_help="Compare the database with this code.")
def status() -> int:
    """Tell the database's revision and this code's; exit 1 when they differ."""
    found, wanted = _reach(runner.current(_admin_url())), runner.head()
    if found == wanted:
        click.echo(f"The schema is at revision {found}, the newest.")
        return ExitCode.DONE
    if runner.is_newer(found):
        click.echo(f"The schema is at revision {found}, this code is older ({wanted}).")
    else:
        click.echo(
            f"The schema is at revision {found}, this code wants {wanted}: parley migrate up"
        )
    return ExitCode.WRONG


@migrate.command("bootstrap", short_help="Make roles and database, once for a server.")
@click.option("--superuser-url", required=True, help="postgresql:// URL of a superuser.")
@click.option("--database", default="parley", show_default=True, help="Database to make.")
def make_roles(superuser_url: str, database: str) -> None:
    """Make the roles and the database, once for a server; safe to repeat.

    Passwords are read from PARLEY_OWNER_PASSWORD, PARLEY_APP_PASSWORD and
    PARLEY_SYSTEM_PASSWORD.
    """
    names = ("OWNER", "APP", "SYSTEM")
    values = {name: os.environ.get(f"PARLEY_{name}_PASSWORD", "") for name in names}
    if missing := [f"PARLEY_{name}_PASSWORD" for name, value in values.items() if not value]:
        raise CommandError(ExitCode.USAGE, f"Set {', '.join(missing)}.")
    _require_url(superuser_url, "--superuser-url")
    passwords = RolePasswords(*(values[name] for name in names))
    _reach(bootstrap(superuser_url, database=database, passwords=passwords))
    click.echo(f"Roles and database {database} are there. Next: parley migrate up")


def _admin_url() -> str:
    url = os.environ.get("DATABASE_ADMIN_URL", "")
    if not url:
        raise CommandError(
            ExitCode.USAGE,
            "DATABASE_ADMIN_URL is not set: the login parley_owner, which owns the schema.",
        )
    _require_url(url, "DATABASE_ADMIN_URL")
    return url


def _require_url(url: str, name: str) -> None:
    if not is_usable_url("database_admin_url", url):
        raise CommandError(
            ExitCode.USAGE, f"{name} must be like postgresql://login:password@host:5432/parley."
        )


def _reach(work: Coroutine[Any, Any, _Result]) -> _Result:
    """Run a coroutine; a server that does not answer becomes exit 3 and a sentence."""
    try:
        return asyncio.run(work)
    except (OSError, TimeoutError) as error:
        raise CommandError(
            ExitCode.UNREACHABLE, "PostgreSQL does not answer; is it running at that address?"
        ) from error
    except (asyncpg.PostgresError, DBAPIError) as error:
        refused = f"PostgreSQL refused: {words_of_refusal(error)}"
        raise CommandError(ExitCode.WRONG, refused) from error
    except runner.NewerSchemaError as error:
        raise CommandError(ExitCode.WRONG, str(error)) from error
    except CommandLineError as error:
        raise CommandError(ExitCode.USAGE, str(error)) from error
