"""The outside world's control as a drill uses it: phones, faults, engine, model, deliveries."""

import time
from dataclasses import dataclass
from typing import Any

from app.cli.local.http_client import request
from app.cli.local.phone import Bubble, Phone

UP_S = 30.0
OK_LAST = 299


class OutsideError(Exception):
    """The simulator refused something; the message has its answer."""


@dataclass(frozen=True, slots=True)
class Outside:
    """One simulator's control; its methods raise `OutsideError` when it refuses."""

    url: str

    def wait_up(self) -> None:
        """Wait until it answers."""
        deadline = time.monotonic() + UP_S
        while True:
            try:
                self._call("GET", "/_sim/health")
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                return

    def write(
        self, session: str, phone: str, text: str, *, as_lid: bool = False, duplicate: int = 0
    ) -> str:
        """A customer writes to a session's number; the message's bare id."""
        wanted = {"session": session, "text": text, "as_lid": as_lid, "duplicate": duplicate}
        told = self._call("POST", f"/_sim/customers/{phone}/messages", wanted)
        return str(told["id"]).rpartition("_")[2]

    def bubbles(self, phone: str) -> list[Bubble]:
        """What a phone shows, in order."""
        return Phone(self.url, phone).bubbles()

    def add_fault(self, fault: dict[str, Any]) -> None:
        """Plan a fault."""
        self._call("POST", "/_sim/faults", fault)

    def clear_faults(self, service: str | None = None) -> None:
        """Delete planned faults, of one service or all."""
        self._call("DELETE", f"/_sim/faults?service={service}" if service else "/_sim/faults")

    def forget_deliveries(self) -> None:
        """Drop pending webhook retries, as a restart of WAHA does."""
        self._call("DELETE", "/_sim/webhooks")

    def pending_deliveries(self) -> int:
        """Webhook deliveries that are not over."""
        return int(self._call("GET", "/_sim/health")["webhooks_pending"])

    def calls(self, service: str, path: str) -> list[dict[str, Any]]:
        """Recorded calls of one path of a service, oldest first."""
        found = self._call("GET", f"/_sim/calls?service={service}&path={path}")
        calls: list[dict[str, Any]] = found["calls"]
        return calls

    def set_engine(self, engine: str) -> None:
        """Change WAHA's engine."""
        self._call("POST", "/_sim/engine", {"engine": engine})

    def set_model(self, mode: str, *, delay_ms: int = 0) -> None:
        """Choose how the model answers."""
        self._call("POST", "/_sim/model", {"mode": mode, "delay_ms": delay_ms})

    def set_retry_scale(self, scale: float) -> None:
        """Scale webhook retries and WAHA's waits."""
        self._call("POST", "/_sim/clock", {"retry_scale": scale})

    def set_status(self, session: str, status: str) -> None:
        """Put a session into a status."""
        self._call("POST", f"/_sim/sessions/{session}/status", {"status": status})

    def _call(self, method: str, path: str, payload: dict[str, Any] | None = None) -> Any:
        answer = request(method, self.url + path, payload=payload)
        if answer.status > OK_LAST:
            raise OutsideError(f"{method} {path}: {answer.status} {answer.body[:300]!r}")
        return answer.json()
