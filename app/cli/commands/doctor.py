"""`parley doctor`: checks an installation and says what to do."""

import asyncio
import json
import os

import click

from app.cli.checks.machine import machine_findings
from app.cli.checks.providers import provider_findings
from app.cli.checks.result import Finding, as_json, exit_code, table
from app.cli.checks.settings import read_settings
from app.cli.checks.stores import store_findings
from app.cli.environment import data_directory
from app.cli.local.lock import is_held


@click.command()
@click.option("--json", "json_output", is_flag=True, help="Print one JSON object for programs.")
def doctor(*, json_output: bool) -> int:
    """Check this installation and say what to do about what is wrong.

    Python, platform and built pages, every variable (whether it is set, never its value), both
    database logins and their privileges, schema, pgvector, price list, which processes are alive,
    clock, Redis, limiter, the store of files, WAHA, the models by name, mail, payments and Sentry.
    Writes and deletes one small file in that store; else changes nothing, sends nothing, costs
    nothing. Works without any environment too.

    Exit code 0: all well, 1: something is wrong, 3: something does not answer.
    """
    findings = examine()
    click.echo(json.dumps(as_json(findings)) if json_output else table(findings))
    return exit_code(findings)


def examine() -> list[Finding]:
    """All findings; those that need settings only when the settings can be used."""
    findings = machine_findings(stack_runs=is_held(data_directory()))
    settings, found = read_settings(os.environ)
    findings += found
    if settings is not None:
        findings += asyncio.run(store_findings(settings))
        findings += provider_findings(settings)
    return findings
