"""`python -m simulator`: the outside world over real HTTP, until a signal ends it."""

import gc
import logging
import sys

import click

from simulator.app import Simulator
from simulator.server import run
from simulator.settings import Settings, parse_settings
from simulator.world import World


def _announce(settings: Settings) -> None:
    url = settings.public_url
    print(f"Simulator on {url}", flush=True)
    print(f"  phone {url}/   mail {url}/mail   control {url}/_sim/health", flush=True)


def main(argv: list[str] | None = None) -> int:
    """Run the simulator; returns the exit code (2 for wrong usage)."""
    try:
        settings = parse_settings(sys.argv[1:] if argv is None else argv)
        world = World(settings)
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except (click.ClickException, ValueError) as error:
        message = error.format_message() if isinstance(error, click.ClickException) else error
        print(f"simulator: {message}", file=sys.stderr)
        return 2
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    for name in ("uvicorn.error", "asyncio"):
        logging.getLogger(name).setLevel(logging.WARNING)
    _announce(settings)
    # Long-lived start-up objects need no more looking at; call handling makes few cycles.
    gc.freeze()
    return run(Simulator(world), host=settings.host, port=settings.port)


if __name__ == "__main__":
    sys.exit(main())
