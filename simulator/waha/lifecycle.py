"""The life of a session: starting, pairing, stopping, logging out, and the events of each."""

import asyncio
import secrets
from collections.abc import Callable
from typing import Any

from simulator.live import LiveUpdates
from simulator.waha.events import EventEmitter
from simulator.waha.sessions import Session, SessionStore, account_of

DEFAULT_PUSH_NAME = "Business phone"
STARTING_S = 0.05
# A pairing code is shown for a minute at first, then six times for 20 s, then pairing failed.
QR_FIRST_S = 60.0
QR_NEXT_S = 20.0
QR_CODES_MAX = 6


class Lifecycle:
    """Moves sessions between statuses and emits `session.status` for each step.

    Its waits are real time, not scaled: a pairing code must last while a person looks at it.
    """

    def __init__(
        self,
        sessions: SessionStore,
        events: EventEmitter,
        live: LiveUpdates,
    ) -> None:
        self._sessions = sessions
        self._events = events
        self._live = live
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self.on_working: Callable[[Session], None] = lambda _: None

    def restore(self) -> None:
        """Start again what ran before a restart."""
        for session in self._sessions.all():
            if session.running:
                self.start(session)

    def start(self, session: Session) -> None:
        """STARTING, then WORKING when a phone is paired, else SCAN_QR_CODE with rotating codes."""
        self._cancel_task(session)
        session.running = True
        self._sessions.save()
        self.enter(session, "STARTING")
        self._tasks[session.name] = asyncio.get_running_loop().create_task(self._start(session))

    def stop(self, session: Session) -> None:
        """Stop the session; the pairing stays."""
        self._cancel_task(session)
        session.running = False
        self._sessions.save()
        if session.status != "STOPPED":
            self.enter(session, "STOPPED")

    def logout(self, session: Session) -> None:
        """Unpair the phone; a running session begins to ask for a scan again."""
        running = session.running
        self.stop(session)
        session.me = None
        self._sessions.save()
        if running:
            self.start(session)

    def remove(self, session: Session) -> None:
        """Stop, unpair and forget the session."""
        self.stop(session)
        session.me = None
        self._sessions.remove(session.name)

    def scan(self, session: Session, number: str | None, push_name: str | None) -> None:
        """A phone scans the code (or confirms): the session works from now on."""
        self._cancel_task(session)
        old = session.me or {}
        number = number or (old["id"].partition("@")[0] if old else self._sessions.next_number())
        session.me = account_of(number, push_name or old.get("pushName") or DEFAULT_PUSH_NAME)
        session.running = True
        self._sessions.save()
        if session.status == "STOPPED":
            self.enter(session, "STARTING")
        self.enter(session, "WORKING")

    def enter(self, session: Session, status: str, data: Any = None) -> None:
        """Put a session into a status and tell it; WORKING delivers what waited meanwhile."""
        session.enter(status, data)
        self._events.session_status(session)
        self._live.publish("session")
        if status == "WORKING":
            self.on_working(session)

    def force(self, session: Session, status: str, data: Any = None) -> None:
        """Put a session into any status from outside, stopping what was under way."""
        self._cancel_task(session)
        session.running = status != "STOPPED"
        self._sessions.save()
        self.enter(session, status, data)

    def close(self) -> None:
        """Stop all rotations, at shutdown; the state file keeps what was running."""
        for task in self._tasks.values():
            task.cancel()

    async def _start(self, session: Session) -> None:
        await asyncio.sleep(STARTING_S)
        if session.me:
            self.enter(session, "WORKING")
            return
        for code in range(QR_CODES_MAX):
            session.enter("SCAN_QR_CODE")
            session.qr = qr_value()
            self._events.session_status(session)
            self._live.publish("session")
            await asyncio.sleep(QR_NEXT_S if code else QR_FIRST_S)
        self.enter(session, "FAILED")

    def _cancel_task(self, session: Session) -> None:
        task = self._tasks.pop(session.name, None)
        if task:
            task.cancel()


def qr_value() -> str:
    """A pairing code's text in the shape a phone scans: version, reference and three keys."""
    parts = [secrets.token_urlsafe(66), *(secrets.token_urlsafe(24) for _ in range(3))]
    return "2@" + ",".join(parts)
