"""The demo's own webhooks: signed over the very bytes that are sent, WAHA's key order."""

import hashlib
import hmac
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

from app.cli.local.delivery import customer_message
from tests.cli.test_stack_environment import TENANT


def test_signature_covers_the_raw_body() -> None:
    seen: list[tuple[str, bytes, str]] = []

    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            seen.append((self.path, body, self.headers["X-Webhook-Hmac"]))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_request(self, code: object = "-", size: object = "-") -> None:
            """Keep the test's output clean."""

    delivery = customer_message(TENANT, "12025550101", "Olá ☕")
    with HTTPServer(("127.0.0.1", 0), Door) as door:
        thread = threading.Thread(target=door.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        url = f"http://127.0.0.1:{door.server_port}"
        statuses = [delivery.send(url, "key", "secret") for _ in range(2)]
        door.shutdown()
        thread.join()

    assert statuses == [200, 200]
    assert seen[0] == seen[1], "a repeated delivery is byte-identical"
    path, body, signature = seen[0]
    assert path == "/webhooks/waha/key"
    assert signature == hmac.new(b"secret", body, hashlib.sha512).hexdigest()
    event = json.loads(body)
    assert list(event)[:5] == ["id", "timestamp", "event", "session", "metadata"]
    assert event["payload"]["id"].endswith(delivery.message_id)
    assert "Olá ☕".encode() in body
