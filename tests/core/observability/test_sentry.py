"""What really leaves for Sentry: envelopes of a real process, taken off the wire."""

import gzip
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.core.observability.reporting_process import EMAIL, PHONE, SECRET, TEXT


class Capture:
    def __init__(self) -> None:
        self.bodies: list[str] = []
        bodies = self.bodies

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                encoded = self.headers.get("Content-Encoding") == "gzip"
                bodies.append((gzip.decompress(raw) if encoded else raw).decode())
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_args: Any) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        self.dsn = f"http://public@127.0.0.1:{self.server.server_port}/1"

    def events(self) -> list[dict[str, Any]]:
        found = []
        for body in self.bodies:
            lines = body.splitlines()
            for header, item in zip(lines[1::2], lines[2::2], strict=False):
                if json.loads(header)["type"] == "event":
                    found.append(json.loads(item))
        return found


@pytest.fixture
def sentry() -> Iterator[Capture]:
    capture = Capture()
    yield capture
    capture.server.shutdown()
    capture.server.server_close()


def report(sentry: Capture, case: str, service: str = "api") -> "subprocess.CompletedProcess[str]":
    module = "tests.core.observability.reporting_process"
    done = subprocess.run(
        [sys.executable, "-m", module, sentry.dsn, case, service],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    everything = "\n".join([*sentry.bodies, done.stdout])
    for sentinel in (PHONE, TEXT, SECRET, EMAIL, "Pizzen", "203.0.113.9"):
        assert sentinel not in everything
    return done


def test_a_captured_exception_tells_where_and_for_whom(sentry: Capture) -> None:
    assert report(sentry, "captured").returncode == 0
    (event,) = sentry.events()
    assert event["tags"] == {"service": "api", "tenant_id": "tenant-7", "request_id": "req_7"}
    assert event["environment"] == "test"
    cause, error = event["exception"]["values"]
    assert (cause["type"], error["type"]) == ("KeyError", "CustomerTextError")
    assert cause["value"] == error["value"] == "[withheld]"
    frames = error["stacktrace"]["frames"]
    assert frames[-1]["function"] == "fail"
    assert not any("vars" in f or "context_line" in f for f in frames)
    assert not {"request", "user", "extra", "contexts", "modules", "server_name"} & set(event)
    assert event["breadcrumbs"]["values"]
    assert not any("message" in c or "data" in c for c in event["breadcrumbs"]["values"])


def test_given_ids_win_over_bound_ones(sentry: Capture) -> None:
    report(sentry, "explicit_ids")
    (event,) = sentry.events()
    assert event["tags"]["tenant_id"] == "tenant-9"
    assert event["tags"]["request_id"] == "req_9"


def test_an_exception_is_reported_once_however_often_it_is_logged(sentry: Capture) -> None:
    done = report(sentry, "logged")
    (event,) = sentry.events()
    assert event["logentry"]["message"] == "turn failed"
    assert event["tags"]["tenant_id"] == "tenant-8"
    assert [json.loads(line)["msg"] for line in done.stdout.splitlines()] == [
        "no exception here: [phone] [key] [email]",
        "turn failed",
        "…",
    ]


def test_expected_errors_are_not_reported(sentry: Capture) -> None:
    assert report(sentry, "expected").returncode == 0
    assert sentry.events() == []


def test_a_final_failure_is_reported_even_when_its_kind_is_expected(sentry: Capture) -> None:
    report(sentry, "final")
    (event,) = sentry.events()
    (error,) = event["exception"]["values"]
    assert error["value"] == "[withheld] code=provider status_code=503"
    assert event["tags"]["tenant_id"] == "tenant-f"


def test_turns_side_by_side_keep_their_own_tenant(sentry: Capture) -> None:
    report(sentry, "side_by_side")
    assert sorted(e["tags"]["tenant_id"] for e in sentry.events()) == [
        "tenant-0",
        "tenant-1",
        "tenant-2",
    ]


@pytest.mark.parametrize(("case", "tenant"), [("escaped", "tenant-e"), ("uncaught", "tenant-u")])
def test_what_nobody_caught_carries_its_tenant(sentry: Capture, case: str, tenant: str) -> None:
    report(sentry, case)
    (event,) = sentry.events()
    assert event["tags"]["tenant_id"] == tenant
    assert event["exception"]["values"][-1]["mechanism"]["handled"] is False


def test_a_failed_task_is_reported_without_its_arguments(sentry: Capture) -> None:
    report(sentry, "task", service="worker")
    (event,) = sentry.events()
    assert event["tags"] == {"service": "worker", "tenant_id": "tenant-c"}
    assert event["transaction"] == "reply.drain"
    assert event["exception"]["values"][-1]["mechanism"] == {"type": "celery", "handled": False}


def test_an_unreachable_sentry_does_not_hold_a_process_up(sentry: Capture) -> None:
    sentry.dsn = "http://public@127.0.0.1:1/1"
    assert report(sentry, "captured").returncode == 0
