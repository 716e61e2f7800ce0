"""The API's server process: exit code 0 within a second of a signal, connections open or not."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from app.cli.local.ports import free_port
from tests.pace import stretched

STREAMS = 50
PROGRAM = """
import asyncio, sys
from app.cli.commands.serve import Server, configuration

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    headers = [(b"content-type", b"text/event-stream")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"data: 1\\n\\n", "more_body": True})
    if scope["path"] == "/stream":
        await asyncio.sleep(600)
    await send({"type": "http.response.body", "body": b""})

Server(configuration("127.0.0.1", int(sys.argv[1]), app)).run()
"""


# As a shell may allow it: fewer files than there are connections.
FILES = 64
FEW_FILES = f"""
import resource
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, ({FILES}, hard))
"""


@pytest.fixture
def server() -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    port = free_port()
    process = subprocess.Popen([sys.executable, "-c", FEW_FILES + PROGRAM, str(port)])
    try:
        yield process, port
    finally:
        process.kill()
        process.wait()


def get(port: int, path: str) -> tuple[socket.socket, bytes]:
    """Ask over a connection that stays open; the head of the answer."""
    deadline = time.monotonic() + 30
    while True:
        try:
            link = socket.create_connection(("127.0.0.1", port), timeout=5)
            break
        except ConnectionRefusedError:
            assert time.monotonic() < deadline
            time.sleep(0.02)
    link.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    return link, link.recv(4096)


def test_idle_connections_keep_nobody_out(server: tuple[subprocess.Popen[bytes], int]) -> None:
    _, port = server
    with ExitStack() as stack:
        stack.enter_context(get(port, "/")[0])
        for _ in range(2 * FILES):
            stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=5))
        link, head = get(port, "/")
        stack.enter_context(link)
        assert head.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("path", ["/", "/stream"])
def test_it_leaves_with_0_within_a_second(
    server: tuple[subprocess.Popen[bytes], int], path: str, number: signal.Signals
) -> None:
    process, port = server
    with ExitStack() as stack:
        for _ in range(STREAMS if path == "/stream" else 1):
            link, head = get(port, path)
            stack.enter_context(link)
            assert head.startswith(b"HTTP/1.1 200")
            assert b"server:" not in head.lower()
        asked = time.monotonic()
        process.send_signal(number)
        assert process.wait(timeout=30) == 0
        took_s = time.monotonic() - asked
        assert took_s < stretched(1.0)
