"""`parley scheduler`: rings the bells and sweeps up what a lost bell missed."""

import importlib

import click

from app.cli.signals import leave_on_signals


@click.command()
def scheduler() -> int:
    """Run the scheduler until SIGTERM.

    It wakes workers when a turn is due, sweeps for what a lost wake-up missed, and keeps the
    housekeeping. Several may run: one leads, the others wait to take over.

    Needs DATABASE_URL, DATABASE_SYSTEM_URL and REDIS_URL.
    """
    leave_on_signals()
    status: int = importlib.import_module("workers.scheduler.main").run_scheduler()
    return status
