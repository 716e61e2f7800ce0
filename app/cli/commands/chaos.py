"""`parley chaos`: real processes, real kills, and the proof that nothing was lost or said twice."""

import importlib

import click

MESSAGES_PER_CUSTOMER = 10
MESSAGES_PER_KILL = 50


@click.command()
@click.option(
    "--messages",
    type=click.IntRange(1, 100_000),
    default=400,
    show_default=True,
    help="How many messages customers write.",
)
@click.option(
    "--seed", type=int, default=1, show_default=True, help="The same seed draws the same plan."
)
@click.option(
    "--customers", type=click.IntRange(1, 1_200), help="Who writes. [default: messages / 10]"
)
@click.option(
    "--tenants",
    type=click.IntRange(1, 50),
    default=4,
    show_default=True,
    help="Businesses written to; the last one's WhatsApp engine takes no message ids of ours.",
)
@click.option(
    "--kills",
    type=click.IntRange(0, 1_000),
    help="How often a process is killed. [default: messages / 50]",
)
@click.option(
    "--points",
    type=click.IntRange(1, 1_000),
    metavar="ROUNDS",
    help="Instead: kill, and drop, at every fault point, so many times each.",
)
@click.option("--json", "json_output", is_flag=True, help="Print nothing but the JSON object.")
@click.option("--keep", is_flag=True, help="Keep data and logs, and say where.")
def chaos(
    *,
    messages: int,
    seed: int,
    customers: int | None,
    tenants: int,
    kills: int | None,
    points: int | None,
    json_output: bool,
    keep: bool,
) -> int:
    """Let everything fail while customers write, and prove that every promise was kept.

    Starts the whole stack with shortened waits on free ports in a directory of its own, and a
    second WhatsApp server beside it. Customers write in bursts while API, workers, scheduler,
    Redis and PostgreSQL get SIGKILL, webhooks come twice, late and out of order, the model times
    out or talks nonsense, and WhatsApp answers late, with errors, or takes a message and says
    nothing. Then it waits until everything has ended, and compares what customers wrote with what
    their phones show, what the database says, and what was charged.

    The last line is one JSON object. Exit code 0 when nothing was lost, said twice, out of order
    or charged wrongly, everything came to an end, and most messages were answered, else 1.
    """
    # By name: the product does not import its drills.
    drills = importlib.import_module("benchmarks.chaos.main")
    say = _silent if json_output else _progress
    tell = _silent if json_output else click.echo
    if points is not None:
        return int(drills.run_points(points, say=say, tell=tell, answer=click.echo, keep=keep))
    return int(
        drills.run_campaign(
            messages=messages,
            seed=seed,
            customers=customers or max(1, min(1_200, messages // MESSAGES_PER_CUSTOMER)),
            tenants=tenants,
            kills=max(1, messages // MESSAGES_PER_KILL) if kills is None else kills,
            say=say,
            tell=tell,
            answer=click.echo,
            keep=keep,
        )
    )


def _progress(line: str) -> None:
    """Progress goes beside the result, so that a pipe gets the result alone."""
    click.echo(f"  … {line}", err=True)


def _silent(_line: str) -> None:
    """Say nothing."""
