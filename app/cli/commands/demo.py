"""`parley demo`: the main job once, with evidence, without a person."""

import threading
import time
from pathlib import Path

import click

from app.cli.local.demonstration import Demonstration
from app.cli.local.ports import free_port
from app.cli.local.session import Session
from app.cli.local.stack import LocalStack
from app.cli.local.stack_environment import Addresses

DATA_DIR = Path(".parley-demo")
# Production waits for a customer to finish typing; a demonstration need not.
QUICK = {"PARLEY_IDLE_S": "1", "PARLEY_TYPING_MAX_S": "1"}


@click.command()
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=DATA_DIR,
    show_default=True,
    help="Where data, secrets and logs are kept.",
)
def demo(data_dir: Path) -> int:
    """Show one conversation from webhook to phone, with evidence, and stop.

    Starts the whole stack on free ports with data of its own. Delivers a forged webhook (401) and a
    good one three times (200, answered once), lets a second customer type on the simulated phone,
    and prints transcripts, HTTP statuses, turns, provider calls and credits.

    Exit code 0 when all of it is as it must be, else 1 and the reason.
    """
    started_s = time.monotonic()
    addresses = Addresses(free_port(), free_port())
    stack = LocalStack(data_dir.absolute(), addresses, overrides=QUICK, report=click.echo)

    def run(stop: threading.Event) -> None:
        stack.wait_ready()
        click.echo(f"Ready after {time.monotonic() - started_s:.1f} s.")
        Demonstration(stack, stop, click.echo).run()
        stop.set()

    click.echo("Starting Parley on free ports")
    status = Session(stack, run).run()
    click.echo(f"Everything as it must be ({time.monotonic() - started_s:.1f} s).")
    return status
