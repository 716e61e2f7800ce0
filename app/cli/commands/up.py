"""`parley up`: everything on one machine, with the simulator as the outside world."""

import threading
from collections.abc import Callable
from pathlib import Path

import click

from app.cli.environment import data_directory
from app.cli.errors import CommandError, ExitCode
from app.cli.local.banner import banner
from app.cli.local.ports import free_port, is_free
from app.cli.local.session import Session
from app.cli.local.showcase import show_conversation
from app.cli.local.stack import LocalStack
from app.cli.local.stack_environment import Addresses

API_PORT = 8000
SIMULATOR_PORT = 8900
REPLY_S = 45.0


@click.command()
@click.option(
    "--api-port",
    type=click.IntRange(1, 65535),
    help=f"Port of the API. [default: {API_PORT}, or a free one if that is taken]",
)
@click.option(
    "--simulator-port",
    type=click.IntRange(1, 65535),
    help=f"Port of the simulator. [default: {SIMULATOR_PORT}, or a free one if that is taken]",
)
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where data, secrets and logs are kept. [default: PARLEY_DATA_DIR or .parley]",
)
@click.option(
    "--demo/--no-demo", default=True, show_default=True, help="Open with one real conversation."
)
def up(
    api_port: int | None, simulator_port: int | None, data_dir: Path | None, *, demo: bool
) -> int:
    """Run everything on this machine until Ctrl-C.

    Starts PostgreSQL and Redis (embedded, unless DATABASE_URL or REDIS_URL are set), migrates,
    sets up a demo business, and runs API, worker, scheduler and the simulator: WhatsApp, the model,
    mail, payments and error reports over real HTTP, with a page of phones to type on. A process
    that dies is started again. With OPENAI_API_KEY set, the real model answers.

    `run.json` in the data directory tells other programs where everything is.
    """
    addresses = Addresses(
        choose_port(api_port, API_PORT, "--api-port"),
        choose_port(simulator_port, SIMULATOR_PORT, "--simulator-port"),
    )
    stack = LocalStack(data_directory(data_dir), addresses, report=click.echo)
    click.echo("Starting Parley (Ctrl-C stops everything)")
    status = Session(stack, opening(stack, demo=demo)).run()
    click.echo("Stopped.")
    return status


def choose_port(given: int | None, usual: int, option: str) -> int:
    """The port asked for, which must be free, or the usual one, or any."""
    if given is None:
        return free_port(usual)
    if not is_free(given):
        raise CommandError(ExitCode.USAGE, f"port {given} is taken: choose another {option}")
    return given


def opening(stack: LocalStack, *, demo: bool) -> Callable[[threading.Event], None]:
    """What happens beside the supervision: wait, banner, conversation."""

    def run(stop: threading.Event) -> None:
        stack.wait_ready()
        click.echo(banner(stack))
        if demo:
            show_conversation(stack, stop, click.echo, timeout_s=REPLY_S)

    return run
