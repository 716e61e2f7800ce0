"""The simulated WAHA as a whole: its state, who may call it, and how it says what failed."""

import asyncio
import logging
from typing import Any

from simulator.clock import ScaledClock
from simulator.faults import FaultPlan
from simulator.http import HttpError, Request, Response, Router, json_response
from simulator.live import LiveUpdates
from simulator.settings import Settings
from simulator.waha import errors
from simulator.waha.engine import Engine
from simulator.waha.events import EventEmitter
from simulator.waha.history import History
from simulator.waha.lifecycle import Lifecycle
from simulator.waha.sessions import Session, SessionStore
from simulator.waha.traffic import Traffic
from simulator.waha.webhooks import WebhookSender

log = logging.getLogger("simulator.waha")
POLL_S = 0.05
# How long WAHA waits for a session to exist, and for it to work, before it answers 422.
EXIST_WAIT_S = 5.0
WORK_WAIT_S = 10.0


class Waha:
    """State and rules of the simulated WAHA; its routes are in `routes_*`."""

    def __init__(
        self, settings: Settings, clock: ScaledClock, faults: FaultPlan, live: LiveUpdates
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.engine = Engine()
        self.history = History()
        self.sessions = SessionStore(settings.state_file)
        self.webhooks = WebhookSender(clock, faults)
        events = EventEmitter(settings, self.engine, self.webhooks)
        self.lifecycle = Lifecycle(self.sessions, events, live, clock)
        self.traffic = Traffic(
            engine=self.engine,
            history=self.history,
            events=events,
            live=live,
            base_url=settings.public_url,
        )
        self.lifecycle.on_working = self.traffic.deliver_backlog
        self.router = Router()

    async def handle(self, request: Request) -> Response:
        """Answer one call of WAHA's API, errors in WAHA's words."""
        try:
            self._check_key(request)
            handler, _ = self.router.find(request)
            if handler is None:
                raise errors.not_found(request)
            return await handler(request)
        except HttpError as error:
            return error.response()
        except errors.BadInputError as error:
            return json_response(errors.bad_request(str(error)), status=400)
        except (KeyError, TypeError, AttributeError) as error:
            # WAHA does not validate what its send routes get: a missing field is a crash inside.
            log.warning("WAHA answers 500 on %s: %s %s", request.path, type(error).__name__, error)
            body = errors.engine_failure(request, error, self.engine.version)
            return json_response(body, status=500)

    def session(self, name: str) -> Session:
        """A session for the session routes; unknown ones are a 404."""
        session = self.sessions.get(name)
        if session is None:
            raise HttpError(404, errors.nest(404, "Session not found", "Not Found"))
        return session

    async def working(self, name: Any, *, expected: str = "WORKING") -> Session:
        """A session that is running and in the expected status, waited for as WAHA waits."""
        if not name:
            raise errors.BadInputError("Session name is required")
        name = str(name)
        session = await self._wait_running(name)
        limit_s = self.clock.scaled_s(WORK_WAIT_S)
        waited_s = 0.0
        while session.status != expected:
            if waited_s >= limit_s:
                raise HttpError(422, errors.wrong_status(session, expected))
            waited_s += await self._pause(limit_s - waited_s)
        return session

    async def _wait_running(self, name: str) -> Session:
        limit_s = self.clock.scaled_s(EXIST_WAIT_S)
        waited_s = 0.0
        while True:
            session = self.sessions.get(name)
            if session is not None and session.running:
                return session
            if waited_s >= limit_s:
                raise HttpError(422, errors.session_missing(name))
            waited_s += await self._pause(limit_s - waited_s)

    async def _pause(self, left_s: float) -> float:
        step_s = min(POLL_S, max(left_s, 0.0))
        await asyncio.sleep(step_s)
        return step_s

    def _check_key(self, request: Request) -> None:
        expected = self.settings.waha_api_key
        if expected is None or request.path == "/ping":
            return
        given = request.headers.get("x-api-key") or request.query.get("x-api-key")
        if given != expected:
            raise HttpError(401, {"message": "Unauthorized", "statusCode": 401})
