"""The HTTP server: uvicorn, with connections that can be cut and a quick, clean end."""

import asyncio
import contextlib
import signal
from collections.abc import Iterator
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

TRANSPORT = "simulator.transport"
KEEP_ALIVE_S = 75
BACKLOG = 2048
GRACE_S = 1
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class CuttableProtocol(HttpToolsProtocol):
    """Hands each request its connection, so that a fault can close it without an answer."""

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self.scope["extensions"] = {TRANSPORT: {"transport": self.transport}}


class Server(uvicorn.Server):
    """Ends with exit code 0 on SIGTERM and SIGINT, cutting whatever is still open.

    Uvicorn raises a caught signal again when it is done, which makes a clean end look like a kill.
    """

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take the signals while serving, and give them back without raising them."""
        earlier = {number: signal.signal(number, self.handle_exit) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in earlier.items():
                signal.signal(number, handler)

    async def shutdown(self, sockets: list[Any] | None = None) -> None:
        """Stop listening, cut what is under way (streams and slow answers), end."""
        for task in list(self.server_state.tasks):
            task.cancel()
        await super().shutdown(sockets)


def run(app: Any, *, host: str, port: int) -> int:
    """Serve until a signal comes; returns the process's exit code."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=CuttableProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACE_S,
        backlog=BACKLOG,
    )
    server = Server(config)
    try:
        with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
            runner.run(server.serve())
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0 if server.started else 1
