"""The API's server as in production, in a thread of the test process with a loop of its own."""

import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from app.cli.commands.serve import configuration
from app.core.config import Settings
from app.factory import create_app

START_S = 30.0


@contextmanager
def serving(settings: Settings) -> Iterator[int]:
    """Run the API's server in a thread; gives its port."""
    with undisturbed_logging(), socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", 0))
        port = int(listener.getsockname()[1])
        app: Any = create_app(settings)
        server = uvicorn.Server(configuration("127.0.0.1", port, app))
        thread = threading.Thread(target=server.run, args=([listener],), name="api")
        thread.start()
        try:
            _wait_started(server, thread)
            yield port
        finally:
            server.should_exit = True
            thread.join(START_S)
            assert not thread.is_alive(), "the API did not stop"


def _wait_started(server: uvicorn.Server, thread: threading.Thread) -> None:
    deadline = time.monotonic() + START_S
    while not server.started:
        assert thread.is_alive(), "the API ended at its start"
        assert time.monotonic() < deadline, f"the API did not start within {START_S:g} s"
        time.sleep(0.005)


@contextmanager
def undisturbed_logging() -> Iterator[None]:
    """Give pytest its log handlers back: the application takes the whole process's."""
    root = logging.getLogger()
    known = [
        root,
        *(x for x in root.manager.loggerDict.values() if isinstance(x, logging.Logger)),
    ]
    before = [(x, list(x.handlers), x.level, x.propagate) for x in known]
    raising = logging.raiseExceptions
    try:
        yield
    finally:
        logging.captureWarnings(False)
        logging.raiseExceptions = raising
        for logger, handlers, level, propagate in before:
            logger.handlers[:] = handlers
            logger.setLevel(level)
            logger.propagate = propagate
