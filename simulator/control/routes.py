"""The control over the simulated world: `/_sim/…`, for tests, benchmarks, drills and the pages."""

from typing import Any

import msgspec

from simulator.clock import now_ms
from simulator.control import inputs
from simulator.control.inputs import refuse
from simulator.control.mail import MailControl
from simulator.faults import SERVICES, Fault
from simulator.http import HttpError, Request, Response, Router, json_response
from simulator.stripe.control import StripeControl
from simulator.waha.sessions import NAME_PATTERN, Session
from simulator.waha.traffic import Writing
from simulator.world import World

RETRY_SCALE_MAX = 100.0
_NOT_BUILT = ("twilio",)
_INLINE_KINDS = ("image/png", "image/jpeg", "image/gif", "image/webp", "audio/", "video/")


class Control:
    """Handlers of the control; errors are `{"error": …}`."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._router = Router()
        self._register(self._router)

    def _register(self, router: Router) -> None:
        router.add("GET", "/_sim/health", self.health)
        router.add("GET", "/_sim/customers", self.phones)
        router.add("DELETE", "/_sim/customers", self.forget_phones)
        router.add("POST", "/_sim/customers/{phone}/messages", self.customer_writes)
        router.add("GET", "/_sim/customers/{phone}/messages", self.phone)
        router.add("POST", "/_sim/owner/{phone}/messages", self.owner_writes)
        router.add("GET", "/_sim/calls", self.calls)
        router.add("DELETE", "/_sim/calls", self.forget_calls)
        router.add("GET", "/_sim/webhooks", self.webhooks)
        router.add("DELETE", "/_sim/webhooks", self.forget_webhooks)
        router.add("GET", "/_sim/faults", self.faults)
        router.add("POST", "/_sim/faults", self.add_fault)
        router.add("DELETE", "/_sim/faults", self.forget_faults)
        router.add("GET", "/_sim/model", self.model)
        router.add("POST", "/_sim/model", self.set_model)
        router.add("GET", "/_sim/sessions", self.sessions)
        router.add("POST", "/_sim/sessions/{name}/scan", self.scan)
        router.add("POST", "/_sim/sessions/{name}/status", self.set_status)
        router.add("POST", "/_sim/restart", self.restart)
        router.add("GET", "/_sim/engine", self.engine)
        router.add("POST", "/_sim/engine", self.set_engine)
        router.add("GET", "/_sim/acks", self.acks)
        router.add("POST", "/_sim/acks", self.set_acks)
        router.add("POST", "/_sim/presence", self.presence)
        router.add("GET", "/_sim/clock", self.clock)
        router.add("POST", "/_sim/clock", self.set_clock)
        router.add("GET", "/_sim/media/{key}", self.media)
        router.add("GET", "/_sim/live", self.live)
        StripeControl(self._world.stripe).register(router)
        MailControl(self._world.resend).register(router)

    async def handle(self, request: Request) -> Response:
        """Answer one call of the control."""
        handler, known = self._router.find(request)
        if handler is None:
            message = f"there is no control {request.method} {request.path}"
            return json_response({"error": message}, status=405 if known else 404)
        try:
            return await handler(request)
        except HttpError as error:
            return error.response()

    async def health(self, _: Request) -> Response:
        """That the simulator is there, and what it is doing."""
        world = self._world
        return json_response(
            {
                "status": "ok",
                "service": "simulator",
                "uptime_ms": now_ms() - world.started_ms,
                "engine": {"engine": world.waha.engine.name, "version": world.waha.engine.version},
                "model": world.model_mode.mode,
                "sessions": len(world.waha.sessions.all()),
                "webhooks_pending": world.waha.webhooks.pending,
                "pages": world.live.pages,
                "redis": world.settings.redis_url is not None,
            }
        )

    async def phones(self, _: Request) -> Response:
        """All phones, the latest talker first, with the last thing each shows."""
        history = self._world.waha.history
        rows = [
            {"phone": phone, "last": history.on_phone(phone)[-1].view()}
            for phone in history.phones()
        ]
        return json_response({"phones": rows})

    async def forget_phones(self, _: Request) -> Response:
        """Forget all phones and their messages."""
        return json_response({"forgotten": self._world.waha.traffic.forget()})

    async def phone(self, request: Request) -> Response:
        """What one phone shows, in order."""
        phone = inputs.address(request.params["phone"])
        history = self._world.waha.history
        messages = [message.view() for message in history.on_phone(phone)]
        return json_response({"messages": messages, "typing": phone in history.typing})

    async def customer_writes(self, request: Request) -> Response:
        """A customer writes; 202 with the ids of the message and its event."""
        given = inputs.read(request, inputs.MessageInput)
        session = self._session(given.session)
        message, event = self._world.waha.traffic.customer_writes(
            session, _writing(request.params["phone"], given)
        )
        return _accepted(session, message.id, message.full_id, event)

    async def owner_writes(self, request: Request) -> Response:
        """The owner writes to a customer on the paired phone."""
        given = inputs.read(request, inputs.MessageInput)
        session = self._session(given.session)
        if session.me is None:
            raise HttpError(409, {"error": f"session {session.name!r} has no paired phone"})
        message, event = self._world.waha.traffic.owner_writes(
            session, _writing(request.params["phone"], given)
        )
        return _accepted(session, message.id, message.full_id, event)

    async def calls(self, request: Request) -> Response:
        """Recorded calls; `service`, `path` and `limit` (the newest) narrow them."""
        limit = request.query.get("limit")
        if limit is not None and not limit.isdigit():
            raise refuse("limit is a number")
        calls = self._world.calls.select(
            _service(request), request.query.get("path"), int(limit) if limit else None
        )
        return json_response({"calls": calls})

    async def forget_calls(self, request: Request) -> Response:
        """Forget recorded calls, of one service or all."""
        return json_response({"forgotten": self._world.calls.forget(_service(request))})

    async def webhooks(self, _: Request) -> Response:
        """Webhook deliveries with their attempts."""
        return json_response({"webhooks": self._world.waha.webhooks.views()})

    async def forget_webhooks(self, _: Request) -> Response:
        """Forget deliveries and drop pending retries, as a restart of WAHA does."""
        return json_response({"forgotten": self._world.waha.webhooks.forget()})

    async def faults(self, _: Request) -> Response:
        """Faults that have not happened yet."""
        return json_response({"faults": self._world.faults.views()})

    async def add_fault(self, request: Request) -> Response:
        """Plan a fault."""
        _refuse_unbuilt(_peek(request, "service"))
        given = inputs.read(request, inputs.FaultInput)
        inputs.fault(given)
        self._world.faults.add(Fault(**msgspec.structs.asdict(given)))
        return json_response({"faults": self._world.faults.views()}, status=201)

    async def forget_faults(self, request: Request) -> Response:
        """Delete faults, of one service or all."""
        gone = self._world.faults.forget(_service(request, webhook=True))
        return json_response({"forgotten": gone})

    async def model(self, _: Request) -> Response:
        """Which model answers."""
        return json_response(self._world.model_mode.view())

    async def set_model(self, request: Request) -> Response:
        """Choose the model; mode, delay and script are replaced as a whole."""
        given = inputs.read(request, inputs.ModelInput)
        if given.delay_ms < 0:
            raise refuse("delay_ms is not negative")
        if given.mode == "script" and not given.script:
            raise refuse("mode script needs a script with at least one item")
        self._world.model_mode.replace(given.mode, given.delay_ms, given.script)
        self._world.live.publish("model")
        return json_response(self._world.model_mode.view())

    async def sessions(self, _: Request) -> Response:
        """WAHA's sessions, without their webhooks' keys."""
        rows = [
            {"name": s.name, "status": s.status, "me": s.me, "statuses": s.statuses}
            for s in self._world.waha.sessions.all()
        ]
        return json_response({"sessions": rows})

    async def scan(self, request: Request) -> Response:
        """A phone scans the pairing code; without `phone` it gets a number reserved for fiction."""
        given = inputs.read(request, inputs.ScanInput)
        session = self._named(request.params["name"])
        number = inputs.phone(given.phone) if given.phone else None
        self._world.waha.lifecycle.scan(session, number, given.push_name, given.passkey)
        return json_response({"name": session.name, "status": session.status, "me": session.me})

    async def set_status(self, request: Request) -> Response:
        """Put a session into any status, with `data` as newer WAHA versions send it."""
        given = inputs.read(request, inputs.StatusInput)
        session = self._named(request.params["name"])
        if given.status == "WORKING" and session.me is None:
            raise refuse("a session works once a phone was paired: use /scan")
        self._world.waha.lifecycle.force(session, given.status, given.data)
        return json_response({"name": session.name, "status": session.status, "me": session.me})

    async def restart(self, request: Request) -> Response:
        """WAHA restarts: pending webhooks are dropped, and perhaps more is lost."""
        keep = inputs.read(request, inputs.RestartInput).keep
        self._world.waha.webhooks.drop_pending()
        self._world.waha.lifecycle.crash(keep)
        return await self.sessions(request)

    async def engine(self, _: Request) -> Response:
        """Engine and version."""
        engine = self._world.waha.engine
        return json_response({"engine": engine.name, "version": engine.version})

    async def set_engine(self, request: Request) -> Response:
        """Change engine or version, for all sessions from now on."""
        given = inputs.read(request, inputs.EngineInput)
        engine = self._world.waha.engine
        engine.name = given.engine or engine.name
        engine.version = given.version or engine.version
        return await self.engine(request)

    async def acks(self, _: Request) -> Response:
        """How delivery receipts come."""
        return json_response({"mode": self._world.waha.traffic.ack_mode})

    async def set_acks(self, request: Request) -> Response:
        """Receipts as usual, never, or an error for each send."""
        self._world.waha.traffic.ack_mode = inputs.read(request, inputs.AcksInput).mode
        return await self.acks(request)

    async def presence(self, request: Request) -> Response:
        """A customer's presence changes."""
        given = inputs.read(request, inputs.PresenceInput)
        session = self._session(given.session)
        event = self._world.waha.traffic.presence(
            session, inputs.phone(given.phone), given.presence, as_lid=given.as_lid
        )
        return json_response({"event_id": event}, status=202)

    async def clock(self, _: Request) -> Response:
        """How long simulated waits last."""
        clock = self._world.clock
        return json_response(
            {"retry_scale": clock.retry_scale, "pairing_scale": clock.pairing_scale}
        )

    async def set_clock(self, request: Request) -> Response:
        """Scale WAHA's waits; those that began go on as begun.

        `retry_scale` is for webhook retries and for waits for a session, `pairing_scale` for
        how long each QR code is shown.
        """
        given, clock = inputs.read(request, inputs.ClockInput), self._world.clock
        for name in ("retry_scale", "pairing_scale"):
            scale = getattr(given, name)
            if scale is None:
                continue
            if not 0 <= scale <= RETRY_SCALE_MAX:
                raise refuse(f"{name} is 0 to {RETRY_SCALE_MAX:g}; 1 is real time")
            setattr(clock, name, scale)
        return await self.clock(request)

    async def media(self, request: Request) -> Response:
        """The bytes of a message's file, for the pages."""
        media = self._world.waha.history.media(request.params["key"])
        if media is None:
            raise HttpError(404, {"error": "there is no such file"})
        shown = media.mimetype.startswith(_INLINE_KINDS)
        headers = [
            ("content-type", media.mimetype if shown else "application/octet-stream"),
            ("content-disposition", "inline" if shown else "attachment"),
            ("x-content-type-options", "nosniff"),
            ("cache-control", "private, max-age=3600"),
        ]
        return Response(body=media.content, headers=headers)

    async def live(self, _: Request) -> Response:
        """What changes, as server-sent events."""
        headers = [("content-type", "text/event-stream"), ("cache-control", "no-store")]
        return Response(headers=headers, stream=self._world.live.stream())

    def _session(self, name: str | None) -> Session:
        """The session whose number is written to: the named one, else the first that works."""
        if name is not None:
            return self._named(name)
        session = self._world.waha.sessions.default()
        if session is None:
            message = "there is no WAHA session: create one with POST /api/sessions"
            raise HttpError(409, {"error": message})
        return session

    def _named(self, name: str) -> Session:
        session = self._world.waha.sessions.get(name) if NAME_PATTERN.match(name) else None
        if session is None:
            names = [s.name for s in self._world.waha.sessions.all()]
            raise HttpError(404, {"error": f"there is no session {name!r}; there are {names}"})
        return session


def _refuse_unbuilt(service: Any) -> None:
    if service in _NOT_BUILT:
        raise HttpError(501, {"error": f"service {service} is not built yet"})


def _service(request: Request, *, webhook: bool = False) -> str | None:
    service = request.query.get("service")
    allowed = [name for name in SERVICES if webhook or name != "webhook"]
    _refuse_unbuilt(service)
    if service is not None and service not in allowed:
        raise refuse(f"service is one of {', '.join(allowed)}, not {service!r}")
    return service


def _peek(request: Request, name: str) -> Any:
    """One field of the body before it is checked."""
    try:
        body = request.json()
    except msgspec.DecodeError:
        return None
    return body.get(name) if isinstance(body, dict) else None


def _writing(phone: str, given: inputs.MessageInput) -> Writing:
    inputs.message(given)
    return Writing(
        phone=inputs.phone(phone),
        text=given.text or (given.media.caption if given.media else None),
        media=inputs.media(given.media),
        push_name=given.push_name,
        as_lid=given.as_lid,
        chat_id=given.chat_id,
        reply_to=given.reply_to,
        copies=1 + given.duplicate,
    )


def _accepted(session: Session, bare_id: str, full_id: str, event: str | None) -> Response:
    body = {"id": bare_id, "full_id": full_id, "event_id": event, "session": session.name}
    return json_response(body, status=202)
