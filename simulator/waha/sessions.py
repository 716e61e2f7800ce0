"""WAHA sessions: one paired WhatsApp number each, kept in a file over restarts."""

import contextlib
import os
import re
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from simulator.clock import now_ms
from simulator.ids import lid_of, ulid

STATUSES = (
    "STOPPED",
    "STARTING",
    "SCAN_QR_CODE",
    "PASSKEY_REQUIRED",
    "PASSKEY_CONFIRMATION_REQUIRED",
    "WORKING",
    "FAILED",
)
STATUS_HISTORY = 3
NAME_PATTERN = re.compile(r"^[a-zA-Z0-9_-]{1,54}$")
# Numbers reserved for fiction; each further session gets the next one.
FIRST_NUMBER = 12025550100


@dataclass(frozen=True, slots=True)
class Scanned:
    """A phone that scanned a code and owes its passkey yet."""

    number: str | None
    push_name: str | None
    passkey: str


@dataclass(slots=True)
class Session:
    """One session; `me` is set once a phone was paired, `running` while WAHA keeps it started."""

    name: str
    config: dict[str, Any] | None = None
    me: dict[str, Any] | None = None
    running: bool = False
    status: str = "STOPPED"
    statuses: list[dict[str, Any]] = field(default_factory=list)
    status_data: Any = None
    activity_ms: int | None = None
    qr: str | None = None
    scanned: Scanned | None = None

    def enter(self, status: str, data: Any = None) -> None:
        """Move to a status; the newest three are remembered with their times."""
        self.status = status
        self.status_data = data
        point = {"status": status, "timestamp": now_ms()}
        self.statuses = [*self.statuses, point][-STATUS_HISTORY:]
        if status != "SCAN_QR_CODE":
            self.qr = None

    def status_payload(self) -> dict[str, Any]:
        """The payload of a `session.status` event."""
        payload: dict[str, Any] = {
            "name": self.name,
            "status": self.status,
            "statuses": self.statuses,
        }
        if self.status_data is not None:
            payload["data"] = self.status_data
        return payload

    def short(self) -> dict[str, Any]:
        """The session as creating and starting answer it."""
        view: dict[str, Any] = {"name": self.name, "status": self.status}
        if self.config is not None:
            view["config"] = self.config
        return view

    def info(self, engine: str) -> dict[str, Any]:
        """The session as reading answers it; webhook keys in clear, as WAHA shows them."""
        state = "CONNECTED" if self.status == "WORKING" else None
        return {
            **self.short(),
            "me": self.me,
            "engine": {"engine": engine, "state": state},
            "presence": "online" if self.status == "WORKING" else None,
            "timestamps": {"activity": self.activity_ms},
            "assignedWorker": "simulator",
        }


def account_of(number: str, push_name: str) -> dict[str, Any]:
    """The `me` object of a paired number (digits only)."""
    return {
        "id": f"{number}@c.us",
        "pushName": push_name,
        "lid": f"{lid_of(number)}@lid",
        "jid": f"{number}:7@s.whatsapp.net",
    }


class SessionStore:
    """All sessions in the order of their creation, written to a file after each change."""

    def __init__(self, state_file: Path | None) -> None:
        self._file = state_file
        self._sessions: dict[str, Session] = {}
        self._load()

    def get(self, name: str) -> Session | None:
        """The session of that name."""
        return self._sessions.get(name)

    def all(self) -> list[Session]:
        """Every session."""
        return list(self._sessions.values())

    def create(self, name: str | None, config: dict[str, Any] | None) -> Session:
        """Add a stopped session; without a name it gets one as WAHA gives it."""
        session = Session(name or f"session_{ulid()}", config)
        session.enter("STOPPED")
        self._sessions[session.name] = session
        self.save()
        return session

    def remove(self, name: str) -> None:
        """Forget a session."""
        self._sessions.pop(name, None)
        self.save()

    def default(self) -> Session | None:
        """The first working session, else the first one at all."""
        working = [s for s in self._sessions.values() if s.status == "WORKING"]
        return next(iter(working or self._sessions.values()), None)

    def next_number(self) -> str:
        """A number no session is paired with yet."""
        taken = {s.me["id"].partition("@")[0] for s in self._sessions.values() if s.me}
        number = FIRST_NUMBER
        while str(number) in taken:
            number += 1
        return str(number)

    def save(self) -> None:
        """Write the file in one step: a reader sees the old state or the new one, never half."""
        if self._file is None:
            return
        rows = [
            {"name": s.name, "config": s.config, "me": s.me, "running": s.running}
            for s in self._sessions.values()
        ]
        self._file.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=self._file.parent, prefix=".sessions-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(msgspec.json.format(msgspec.json.encode({"sessions": rows})))
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(self._file)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                Path(temporary).unlink()
            raise

    def _load(self) -> None:
        if self._file is None or not self._file.exists():
            return
        for row in msgspec.json.decode(self._file.read_bytes())["sessions"]:
            session = Session(row["name"], row["config"], row["me"], row["running"])
            session.enter("STOPPED")
            self._sessions[session.name] = session
