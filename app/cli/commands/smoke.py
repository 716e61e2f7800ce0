"""`parley smoke`: looks at a running installation from outside."""

import json
from urllib.parse import urlsplit

import click

from app.cli.checks.deployment import deployment_findings
from app.cli.checks.result import as_json, exit_code, table
from app.cli.errors import CommandError, ExitCode


@click.command()
@click.argument("url", help="Where it is: https://desk.example.com.")
@click.option("--json", "json_output", is_flag=True, help="Print one JSON object for programs.")
def smoke(*, url: str, json_output: bool) -> int:
    """Ask the installation at URL a dozen harmless questions, from anywhere.

    Whether it is alive, ready and healthy, shows its pages with their style sheets, scripts and
    headers, and refuses webhooks without a signature, programs without a key and strangers at the
    console. Needs no environment; changes nothing. For after each deployment.

    Exit code 0: all well, 1: something is wrong, 3: something does not answer.
    """
    if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
        message = f"{url!r} is no address: give one such as https://desk.example.com"
        raise CommandError(ExitCode.USAGE, message)
    findings = deployment_findings(url)
    click.echo(json.dumps(as_json(findings)) if json_output else table(findings))
    return exit_code(findings)
