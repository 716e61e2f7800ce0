"""`parley worker`: claims turns, asks the model, sends the replies; files, mails, payments."""

import importlib

import click

from app.cli.signals import leave_on_signals


@click.command()
def worker() -> int:
    """Run one worker process until SIGTERM.

    It claims due turns, holds their credits, asks the model and sends the replies. It also fetches
    customers' files, reads what businesses teach, keeps numbers connected, sends mails and takes
    payments in. Any number may run beside each other. On SIGTERM it finishes or gives back what it
    holds and exits with 0 within a second; another worker takes over.

    Needs DATABASE_URL, DATABASE_SYSTEM_URL and REDIS_URL; the rest of the environment as in
    deploy/parley.env.example.
    """
    leave_on_signals()
    # By name: the command line and the workers are neighbours that do not import each other.
    status: int = importlib.import_module("workers.main").run_worker()
    return status
