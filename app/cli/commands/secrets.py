"""`parley secrets`: which key seals what, and re-sealing everything under the first one."""

import json
from typing import Any

import click

from app.cli.environment import load_environment
from app.cli.errors import ExitCode
from app.cli.system_scope import with_database
from app.core.config import Settings
from app.core.db.engine import Database
from tenants.sealed import SEALED, Rotation, outdated
from tenants.sealed import rotate as rotate_column

_json = click.option("--json", "json_output", is_flag=True, help="Print one JSON object.")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def secrets() -> None:
    """Rotate the keys that seal secrets at rest.

    \b
    1. Put the new key first in ENCRYPTION_KEYS, the old ones behind it; restart all processes.
    2. parley secrets rotate
    3. Take the old key away; restart.

    Exit codes: 0 done, 1 some values are sealed with a key that is not configured, 2 wrong usage,
    3 database unreachable.
    """  # noqa: D301 - \b is Click's mark for "do not re-wrap"
    load_environment()


@secrets.command("status")
@_json
def status(*, json_output: bool) -> int:
    """Count the secrets that are not sealed with the first key."""

    async def run(database: Database, settings: Settings) -> dict[str, int]:
        ring = settings.keyring()
        async with database.system() as connection:
            return {c.name: await outdated(connection, c, ring) for c in SEALED}

    counts = with_database(run)
    if json_output:
        click.echo(json.dumps({"outdated": counts}))
        return ExitCode.DONE
    for name, count in counts.items():
        click.echo(f"{name:28} {count} to re-seal")
    return ExitCode.DONE


@secrets.command("rotate", short_help="Re-seal every secret with the first key.")
@_json
def rotate(*, json_output: bool) -> int:
    """Re-seal every secret with the first key of ENCRYPTION_KEYS; safe to stop and repeat."""

    async def run(database: Database, settings: Settings) -> list[Rotation]:
        ring = settings.keyring()
        return [await rotate_column(database, column, ring) for column in SEALED]

    done = with_database(run, answer_within_s=None)
    if json_output:
        click.echo(json.dumps({"columns": [_as_json(r) for r in done]}))
    else:
        for r in done:
            left = f", {len(r.unreadable)} that no key opens" if r.unreadable else ""
            click.echo(f"{r.column.name:28} {r.sealed} re-sealed{left}")
    return ExitCode.WRONG if any(r.unreadable for r in done) else ExitCode.DONE


def _as_json(rotation: Rotation) -> dict[str, Any]:
    return {
        "column": rotation.column.name,
        "sealed": rotation.sealed,
        "unreadable": [str(row_id) for row_id in rotation.unreadable],
    }
