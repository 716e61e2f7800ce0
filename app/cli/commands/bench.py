"""`parley bench`: how fast this machine runs the product, against the budgets."""

import importlib
import signal

import click

NAMES = ("ingest", "reply", "latency", "fairness", "ledger", "login", "retrieval", "web")
RUNS = 5


@click.command()
@click.argument("name", type=click.Choice(NAMES), help="One of those above.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print the figures as one JSON object, the last line."
)
@click.option(
    "--runs",
    default=RUNS,
    show_default=True,
    type=click.IntRange(1, 100),
    help="Alternating runs; the figures are their medians.",
)
def bench(name: str, runs: int, *, as_json: bool) -> int:
    """Measure one path of the product against its budget.

    \b
    ingest    webhooks a second, beside an empty handler and a typical one
    reply     CPU per reply, model calls in flight, replies a second of one worker
    latency   from a webhook to the model call, at a low rate
    fairness  one tenant's wait, alone and beside a tenant with 10 000 queued turns
    ledger    hold and settle, beside one-row UPDATEs
    login     whether the time of a refused sign-in tells that an account exists
    web       every page of a business with a million messages; 500 open inboxes
    retrieval searches of one business among 200 000 passages of 500

    Starts PostgreSQL, Redis and the processes it needs on free ports, with durable settings, in a
    directory of its own below this one, and removes it. A busy machine gives low figures: compare
    the ratios. Exit code 0 whatever the figures.
    """  # noqa: D301 - \b is Click's mark for "do not re-wrap"
    # A stop from outside must also take the servers and their directory away.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # By name: the command line stands below the benchmarks, which measure it too.
    report = importlib.import_module("benchmarks.main").run_benchmark(name, runs)
    click.echo(report.as_table())
    if as_json:
        click.echo(report.as_json())
    return 0
