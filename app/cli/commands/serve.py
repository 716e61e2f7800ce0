"""`parley serve`: the web API under uvicorn."""

import gc
import resource
import signal
import socket
from collections.abc import Generator
from contextlib import contextmanager, suppress
from types import FrameType

import click
import uvicorn

from app.cli.errors import CommandError, ExitCode
from app.cli.local.ports import is_free
from app.cli.signals import leave_on_signals
from app.core.stopping import end_within
from app.http.direct import DirectProtocol

APP = "app.asgi:app"
BACKLOG = 2048
KEEP_ALIVE_S = 75
# What a request may still take after SIGTERM; the whole exit stays within one second.
GRACE_S = 0.4
STARTUP_FAILED = 3
_FILES_MAX = 65_536


class Server(uvicorn.Server):
    """uvicorn's server with an exit status of 0 after SIGTERM and SIGINT.

    uvicorn raises the signals it caught again once it has shut down, so that the process dies of
    them; supervisors would read a clean stop as a crash.
    """

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then take what is loaded by now out of the garbage collector's sight.

        A full collection walks 100 000 objects of modules and classes that live as long as the
        process: 57 ms in which no webhook is answered.
        """
        _allow_connections()
        await super().startup(sockets=sockets)
        gc.collect()
        gc.freeze()

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Stop on a signal, and leave it at that."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._stop)
        yield

    def _stop(self, number: int, frame: FrameType | None) -> None:
        end_within()
        self.handle_exit(number, frame)


def _allow_connections() -> None:
    """Take as many open files as we may: a shell's 1024 are used up by as many idle strangers."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = hard == resource.RLIM_INFINITY
    wanted = _FILES_MAX if unlimited else min(hard, _FILES_MAX)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    default=8000,
    show_default=True,
    envvar="PORT",
    show_envvar=True,
    type=click.IntRange(0, 65535),
    help="TCP port.",
)
def serve(host: str, port: int) -> int:
    """Run the web API until SIGTERM, then exit with 0 within a second.

    Webhooks, pages, the API for programs, health and metrics. At the end open keep-alive
    connections are closed, running requests get a moment to finish. Listen on 0.0.0.0 only behind
    a proxy that you trust.

    Needs DATABASE_URL, DATABASE_SYSTEM_URL and REDIS_URL, and the pages' files (make assets); the
    rest of the environment as in deploy/parley.env.example.
    """
    leave_on_signals()
    from app.core.config import Settings
    from app.dashboard.static_files import require_built
    from app.factory import require_servable

    require_servable(Settings.from_environ())
    require_built()
    if port and not is_free(port, host):
        raise CommandError(
            ExitCode.UNREACHABLE,
            f"cannot listen on {host}:{port}: the port is taken, or the address is not this"
            " machine's; choose others with --port (PORT) and --host",
        )
    server = Server(configuration(host, port))
    server.run()
    return 0 if server.started else STARTUP_FAILED


def configuration(host: str, port: int, app: str = APP) -> uvicorn.Config:
    """How we run uvicorn: its own logging off, the application writes its log lines itself."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        loop="uvloop",
        http=DirectProtocol,
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        # Forwarded addresses are the application's business (TRUSTED_PROXIES).
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_S,
    )
    # Annotated as whole seconds, used as the timeout of asyncio.wait_for: fractions are fine.
    config.timeout_graceful_shutdown = GRACE_S  # type: ignore[assignment]
    return config
