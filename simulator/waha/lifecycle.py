"""The life of a session: starting, pairing, stopping, logging out, and the events of each.

A phone may answer a scan with a passkey: PASSKEY_REQUIRED until one is handed in, then, for
some, PASSKEY_CONFIRMATION_REQUIRED until the same code was seen on both sides.
"""

import asyncio
import secrets
from collections.abc import Callable
from typing import Any, Literal

from simulator.clock import ScaledClock
from simulator.live import LiveUpdates
from simulator.waha.events import EventEmitter
from simulator.waha.sessions import Scanned, Session, SessionStore, account_of

DEFAULT_PUSH_NAME = "Business phone"
STARTING_S = 0.05
# A pairing code is shown for a minute at first, then six times for 20 s, then pairing failed.
QR_FIRST_S = 60.0
QR_NEXT_S = 20.0
QR_CODES_MAX = 6


PASSKEY_TIMEOUT_MS = 60_000

Passkey = Literal["none", "required", "confirm"]
Keep = Literal["all", "sessions", "nothing"]


class Lifecycle:
    """Moves sessions between statuses and emits `session.status` for each step."""

    def __init__(
        self,
        sessions: SessionStore,
        events: EventEmitter,
        live: LiveUpdates,
        clock: ScaledClock,
    ) -> None:
        self._clock = clock
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

    def scan(
        self,
        session: Session,
        number: str | None,
        push_name: str | None,
        passkey: Passkey = "none",
    ) -> None:
        """A phone scans the code (or confirms): the session works, once its passkey was shown."""
        self._cancel_task(session)
        if passkey != "none":
            session.running = True
            session.scanned = Scanned(number, push_name, passkey)
            self._sessions.save()
            self.enter(session, "PASSKEY_REQUIRED", challenge())
            return
        session.scanned = None
        old = session.me or {}
        number = number or (old["id"].partition("@")[0] if old else self._sessions.next_number())
        session.me = account_of(number, push_name or old.get("pushName") or DEFAULT_PUSH_NAME)
        session.running = True
        self._sessions.save()
        if session.status == "STOPPED":
            self.enter(session, "STARTING")
        self.enter(session, "WORKING")

    def passkey_given(self, session: Session) -> None:
        """A passkey was handed in: the session works, or a code is to be compared first."""
        if session.scanned and session.scanned.passkey == "confirm":
            data = {"code": f"{secrets.randbelow(10_000):04d}"}
            self.enter(session, "PASSKEY_CONFIRMATION_REQUIRED", data)
            return
        self.passkey_confirmed(session)

    def passkey_confirmed(self, session: Session) -> None:
        """Both sides showed the same code."""
        scanned = session.scanned or Scanned(None, None, "none")
        self.scan(session, scanned.number, scanned.push_name)

    def crash(self, keep: Keep) -> None:
        """WAHA restarts: sessions end and start again, with what its storage kept of them.

        `sessions` keeps the pairings and loses every configuration, as WAHA without a database
        did; `nothing` loses all.
        """
        for session in self._sessions.all():
            self._cancel_task(session)
            if keep == "nothing":
                self._sessions.remove(session.name)
                continue
            if keep == "sessions":
                session.config = None
            session.enter("STOPPED")
        self._sessions.save()
        self._live.publish("session")
        self.restore()

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
            await self._clock.sleep_pairing(QR_NEXT_S if code else QR_FIRST_S)
        self.enter(session, "FAILED")

    def _cancel_task(self, session: Session) -> None:
        task = self._tasks.pop(session.name, None)
        if task:
            task.cancel()


def qr_value() -> str:
    """A pairing code's text in the shape a phone scans: version, reference and three keys."""
    parts = [secrets.token_urlsafe(66), *(secrets.token_urlsafe(24) for _ in range(3))]
    return "2@" + ",".join(parts)


def challenge() -> dict[str, Any]:
    """What a browser would ask an authenticator to sign, as `data` of PASSKEY_REQUIRED."""
    return {
        "challenge": secrets.token_urlsafe(32),
        "timeout": PASSKEY_TIMEOUT_MS,
        "rpId": "web.whatsapp.com",
        "allowCredentials": [
            {
                "id": secrets.token_urlsafe(16),
                "type": "public-key",
                "transports": ["internal", "hybrid"],
            }
        ],
        "userVerification": "required",
    }
