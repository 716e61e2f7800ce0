"""`make chaos`: all drills one after the other, and one table that says what was kept.

Campaigns of several seeds, the fault matrix, fuzzed bodies at the door, and the state machines
of turn and send with many examples. Exit code 0 when every promise was kept, else 1.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import click

PARLEY = (sys.executable, "-P", "-m", "app.cli.main", "chaos", "--json")
PYTEST = (sys.executable, "-m", "pytest", "-q", "-n", "0")
PROMISES = ("lost", "doubled", "out_of_order", "drift")
NOTHING_SHOWN = "ended without a result"


@dataclass(frozen=True, slots=True)
class Drill:
    """One line of the table: what is run, and with which variables."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Result:
    """How a drill ended; `figures` are those of its JSON object, empty where it prints none."""

    drill: Drill
    kept: bool
    seconds: float
    figures: Mapping[str, object]
    complaint: str = ""


def drills(
    *, messages: int, kills: int, seeds: int, rounds: int, bodies: int, examples: int
) -> Iterator[Drill]:
    """All drills in the order in which they run."""
    for seed in range(1, seeds + 1):
        order = ("--messages", str(messages), "--kills", str(kills), "--seed", str(seed))
        yield Drill(f"campaign, seed {seed}", (*PARLEY, *order), {})
    yield Drill(f"fault points × {rounds}", (*PARLEY, "--points", str(rounds)), {})
    yield Drill(
        f"{bodies} fuzzed bodies",
        (*PYTEST, "tests/edge/test_fuzz.py"),
        {"PARLEY_FUZZ_BODIES": str(bodies)},
    )
    for machine in ("turn", "send"):
        yield Drill(
            f"{machine} machine × {examples}",
            (*PYTEST, f"tests/engine/test_{machine}_machine.py"),
            {"PARLEY_EXAMPLES": str(examples)},
        )


def run(drill: Drill) -> Result:
    """Run one drill; its progress goes to the terminal, what it prints is kept."""
    began = time.monotonic()
    done = subprocess.run(
        drill.command,
        env={**os.environ, **drill.environment},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    seconds = time.monotonic() - began
    figures = _figures(done.stdout) if drill.command[: len(PARLEY)] == PARLEY else {}
    kept = done.returncode == 0
    complaint = "" if kept else done.stdout[-4_000:] or NOTHING_SHOWN
    return Result(drill, kept, seconds, figures, complaint)


def _figures(output: str) -> Mapping[str, object]:
    """The JSON object in the last line, if there is one."""
    try:
        found = json.loads(output.splitlines()[-1])
    except (IndexError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def table(results: Sequence[Result]) -> Iterator[str]:
    """The summary, one line a drill; a column that a drill does not know stays empty."""
    head = ("messages", *PROMISES, "kills", "unknown", "spent_credits")
    yield f"{'drill':<24}" + "".join(f"{name:>14}" for name in head) + f"{'seconds':>10}"
    for result in results:
        cells = "".join(f"{result.figures.get(name, '')!s:>14}" for name in head)
        verdict = "kept" if result.kept else "BROKEN"
        yield f"{result.drill.name:<24}{cells}{result.seconds:>10.0f}  {verdict}"
    broken = [r.drill.name for r in results if not r.kept]
    yield f"BROKEN: {', '.join(broken)}" if broken else "every promise kept"


@click.command()
@click.option("--messages", default=2_000, show_default=True, help="Of each campaign.")
@click.option("--kills", default=40, show_default=True, help="Of each campaign.")
@click.option("--seeds", default=5, show_default=True, help="How many campaigns.")
@click.option("--rounds", default=20, show_default=True, help="At every fault point.")
@click.option("--bodies", default=20_000, show_default=True, help="Fuzzed, at the door.")
@click.option("--examples", default=300, show_default=True, help="Of each state machine.")
def main(*, messages: int, kills: int, seeds: int, rounds: int, bodies: int, examples: int) -> None:
    """Run all drills, print one table."""
    results: list[Result] = []
    for drill in drills(
        messages=messages,
        kills=kills,
        seeds=seeds,
        rounds=rounds,
        bodies=bodies,
        examples=examples,
    ):
        click.echo(f"… {drill.name}", err=True)
        results.append(run(drill))
        if results[-1].complaint:
            click.echo(results[-1].complaint)
    click.echo("\n".join(["", *table(results)]))
    sys.exit(0 if all(result.kept for result in results) else 1)


if __name__ == "__main__":
    main()
