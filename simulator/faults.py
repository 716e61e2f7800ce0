"""Faults that a test asks for: the outside world failing on purpose."""

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from simulator.http import Headers, Response

SERVICES = ("waha", "openai", "resend", "sentry", "stripe", "upstash", "webhook")
Drop = Literal["before", "after"]


@dataclass(slots=True, kw_only=True)
class Fault:
    """One fault; it is used up after `times` calls (None: until deleted).

    `status` and `drop: before` mean that nothing happened; `drop: after` means that the effect
    happened and the connection was closed without an answer. A delay alone lets the effect happen
    at once and makes the answer late. `duplicate` and `reorder` are for webhook deliveries.
    """

    service: str
    path: str
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    delay_ms: int = 0
    drop: Drop | None = None
    duplicate: int = 0
    reorder: bool = False
    times: int | None = 1

    def view(self) -> dict[str, Any]:
        """The fault as the control shows it; `times` is what is left of it."""
        return dataclasses.asdict(self)

    def response(self) -> Response:
        """The answer this fault gives in place of the service's; `status` must be set."""
        status = self.status or 500
        headers: Headers = [(name.lower(), value) for name, value in self.headers.items()]
        if isinstance(self.body, str):
            body, kind = self.body.encode(), "text/plain; charset=utf-8"
        elif self.body is None:
            body = msgspec.json.encode({"message": "simulated fault", "statusCode": status})
            kind = "application/json"
        else:
            body, kind = msgspec.json.encode(self.body), "application/json"
        if not any(name == "content-type" for name, _ in headers):
            headers.append(("content-type", kind))
        return Response(status=status, body=body, headers=headers)


class FaultPlan:
    """Faults in the order they were given: the first one that fits is the one that happens."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Append a fault to the plan."""
        self._faults.append(fault)

    def take(self, service: str, path: str) -> Fault | None:
        """The fault for this call, counted down; None when the call should go well."""
        for index, fault in enumerate(self._faults):
            if fault.service == service and fault.path in {"*", path}:
                if fault.times is not None:
                    fault.times -= 1
                    if fault.times <= 0:
                        del self._faults[index]
                return fault
        return None

    def forget(self, service: str | None = None) -> int:
        """Delete the faults of one service, or all; returns how many."""
        kept = [fault for fault in self._faults if service not in {None, fault.service}]
        gone = len(self._faults) - len(kept)
        self._faults = kept
        return gone

    def views(self) -> list[dict[str, Any]]:
        """What is still planned."""
        return [fault.view() for fault in self._faults]
