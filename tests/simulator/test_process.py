"""The process: a clean, quick end whatever is open, and clear words for wrong options."""

import signal
import subprocess
import sys
import threading
import time

import httpx

from tests.pace import stretched
from tests.simulator.conftest import (
    ROOT,
    clean_environment,
    eventually,
    free_port,
    running_simulator,
)


def test_sigterm_ends_it_with_0_within_a_second() -> None:
    with running_simulator() as (url, process), httpx.Client(base_url=url) as client:
        dead = f"http://127.0.0.1:{free_port()}/hook"
        config = {"webhooks": [{"url": dead, "events": ["*"]}]}
        client.post("/api/sessions", json={"name": "shop", "start": True, "config": config})
        client.post("/_sim/model", json={"mode": "echo", "delay_ms": 60_000})
        slow = threading.Thread(target=lambda: post_slowly(url))
        slow.start()
        with client.stream("GET", "/_sim/live") as stream:
            next(stream.iter_lines())
            eventually(lambda: httpx.get(f"{url}/_sim/health").json()["webhooks_pending"])
            eventually(lambda: httpx.get(f"{url}/_sim/calls?service=openai").json()["calls"])
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
            took_s = time.monotonic() - began
            assert took_s < stretched(1)
        slow.join()


def post_slowly(url: str) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    headers = {"authorization": "Bearer k"}
    try:
        httpx.post(f"{url}/v1/chat/completions", json=body, headers=headers, timeout=30)
    except httpx.RemoteProtocolError:
        return
    raise AssertionError("the connection should have been cut")


def test_a_taken_port_and_wrong_options_are_told() -> None:
    with running_simulator() as (url, _):
        port = url.rpartition(":")[2]
        assert run("--port", port).returncode == 3
    wrong = run("--redis-url", "http://x")
    assert (wrong.returncode, wrong.stderr) == (
        2,
        "simulator: a Redis URL begins with redis://, unix:// or redis+socket://\n",
    )
    assert run("--nonsense").returncode == 2


def run(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "simulator", *options]
    return subprocess.run(
        command,
        cwd=ROOT,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
