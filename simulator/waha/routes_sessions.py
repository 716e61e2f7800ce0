"""WAHA's session routes: create, read, change, start, stop, pair."""

import base64
import random
from typing import Any

from simulator.clock import now_ms
from simulator.http import HttpError, Request, Response, Router, json_response
from simulator.waha.errors import BadInputError, json_object, nest, unprocessable
from simulator.waha.qr import qr_png
from simulator.waha.service import Waha
from simulator.waha.sessions import NAME_PATTERN, Session

_CODE_LETTERS = "ABCDEFGHJKLMNPQRSTVWXYZ123456789"


class SessionRoutes:
    """Handlers for /api/sessions, /api/{session}/auth and the server's own state."""

    def __init__(self, waha: Waha) -> None:
        self._waha = waha
        self._started_ms = now_ms()

    def register(self, router: Router) -> None:
        """Add all routes; the fixed paths are the deprecated forms with the name in the body."""
        one = "/api/sessions/{session}"
        router.add("GET", "/ping", self.ping)
        router.add("GET", "/health", self.health)
        router.add("GET", "/api/server/version", self.version)
        router.add("GET", "/api/server/status", self.server_status)
        router.add("GET", "/api/sessions", self.list)
        router.add("POST", "/api/sessions", self.create)
        for action in ("start", "stop", "logout", "restart"):
            router.add("POST", f"{one}/{action}", getattr(self, action))
            router.add("POST", f"/api/sessions/{action}", self._by_body(getattr(self, action)))
        router.add("GET", f"{one}/me", self.me)
        router.add("GET", one, self.read)
        router.add("PUT", one, self.update)
        router.add("DELETE", one, self.delete)
        router.add("GET", "/api/{session}/auth/qr", self.qr)
        router.add("POST", "/api/{session}/auth/request-code", self.request_code)
        passkey = "/api/{session}/auth/passkey"
        router.add("GET", f"{passkey}/challenge", self.passkey_challenge)
        router.add("POST", passkey, self.passkey)
        router.add("GET", f"{passkey}/confirmation", self.passkey_confirmation)
        router.add("POST", f"{passkey}/confirm", self.confirm_passkey)

    async def ping(self, _: Request) -> Response:
        """WAHA is there."""
        return json_response({"message": "pong"})

    async def health(self, _: Request) -> Response:
        """WAHA's own health."""
        checks = {"sessionsFiles.space": {"status": "up"}, "mediaFiles.space": {"status": "up"}}
        return json_response({"status": "ok", "info": checks, "error": {}, "details": checks})

    async def version(self, _: Request) -> Response:
        """Version and engine."""
        return json_response(self._waha.engine.environment())

    async def server_status(self, _: Request) -> Response:
        """Start time and uptime in milliseconds."""
        uptime = now_ms() - self._started_ms
        view = {"startTimestamp": self._started_ms, "uptime": uptime, "worker": {"id": None}}
        return json_response(view)

    async def list(self, request: Request) -> Response:
        """The running sessions, or with `all=true` every one."""
        every = request.query.get("all", "").lower() in {"true", "1"}
        name = self._waha.engine.name
        sessions = self._waha.sessions.all()
        return json_response([s.info(name) for s in sessions if every or s.status != "STOPPED"])

    async def create(self, request: Request) -> Response:
        """Create a session; without an explicit `start` it is not started, whatever is written."""
        body = json_object(request)
        name = body.get("name") or None
        if name is not None and not NAME_PATTERN.match(str(name)):
            raise HttpError(400, nest(400, ["name must match /^[a-zA-Z0-9_-]*$/"], "Bad Request"))
        if name is not None and self._waha.sessions.get(name):
            raise unprocessable(f"Session '{name}' already exists. Use PUT to update it.")
        session = self._waha.sessions.create(name, _config(body))
        if body.get("start"):
            self._waha.lifecycle.start(session)
        return json_response(session.short(), status=201)

    async def read(self, request: Request) -> Response:
        """One session."""
        session = self._session(request)
        return json_response(session.info(self._waha.engine.name))

    async def update(self, request: Request) -> Response:
        """Replace the whole configuration; a running session is restarted."""
        session = self._session(request)
        session.config = _config(json_object(request))
        self._waha.sessions.save()
        if session.running:
            await self._restart(session)
        return json_response(session.short())

    async def delete(self, request: Request) -> Response:
        """Stop, log out and remove; an unknown session is no error."""
        session = self._waha.sessions.get(request.params["session"])
        if session:
            self._waha.lifecycle.remove(session)
        return Response(status=200)

    async def me(self, request: Request) -> Response:
        """The paired number, null while none is paired."""
        return json_response(self._session(request).me)

    async def start(self, request: Request) -> Response:
        """Start; a session that runs already is a 422."""
        session = self._session(request)
        if session.running and session.status != "FAILED":
            raise unprocessable(f"Session '{session.name}' is already started.")
        self._waha.lifecycle.start(session)
        return json_response(session.short(), status=201)

    async def stop(self, request: Request) -> Response:
        """Stop; the pairing stays."""
        session = self._session(request)
        self._waha.lifecycle.stop(session)
        return json_response(session.short(), status=201)

    async def logout(self, request: Request) -> Response:
        """Unpair the phone."""
        session = self._session(request)
        self._waha.lifecycle.logout(session)
        return json_response(session.short(), status=201)

    async def restart(self, request: Request) -> Response:
        """Stop and start again."""
        session = self._session(request)
        await self._restart(session)
        return json_response(session.short(), status=201)

    async def qr(self, request: Request) -> Response:
        """The pairing code: a PNG picture, JSON with base64, or the raw text."""
        name = request.params["session"]
        session = await self._waha.working(name, expected="SCAN_QR_CODE")
        value = session.qr or ""
        if request.query.get("format") == "raw":
            return json_response({"value": value})
        picture = qr_png(value)
        if "application/json" in request.headers.get("accept", ""):
            data = base64.b64encode(picture).decode()
            return json_response({"mimetype": "image/png", "data": data})
        return Response(body=picture, headers=[("content-type", "image/png")])

    async def request_code(self, request: Request) -> Response:
        """A pairing code to type on the phone."""
        body = json_object(request)
        if not str(body.get("phoneNumber") or "").lstrip("+").isdigit():
            raise BadInputError("phoneNumber is required")
        await self._waha.working(request.params["session"], expected="SCAN_QR_CODE")
        letters = "".join(random.choices(_CODE_LETTERS, k=8))
        return json_response({"code": f"{letters[:4]}-{letters[4:]}"}, status=201)

    async def passkey_challenge(self, request: Request) -> Response:
        """What the passkey is to sign."""
        return json_response((await self._expected(request, "PASSKEY_REQUIRED")).status_data)

    async def passkey(self, request: Request) -> Response:
        """A passkey's answer; any with the fields of one is taken."""
        body = json_object(request)
        missing = [name for name in ("id", "rawId", "type", "response") if not body.get(name)]
        if missing:
            raise HttpError(400, nest(400, [f"{missing[0]} should not be empty"], "Bad Request"))
        session = await self._expected(request, "PASSKEY_REQUIRED")
        self._waha.lifecycle.passkey_given(session)
        return Response(status=201)

    async def passkey_confirmation(self, request: Request) -> Response:
        """The code that the phone shows too."""
        session = await self._expected(request, "PASSKEY_CONFIRMATION_REQUIRED")
        return json_response({"code": (session.status_data or {}).get("code")})

    async def confirm_passkey(self, request: Request) -> Response:
        """Both sides showed the same code."""
        session = await self._expected(request, "PASSKEY_CONFIRMATION_REQUIRED")
        self._waha.lifecycle.passkey_confirmed(session)
        return Response(status=201)

    async def _expected(self, request: Request, status: str) -> Session:
        return await self._waha.working(request.params["session"], expected=status)

    def _session(self, request: Request) -> Session:
        return self._waha.session(request.params["session"])

    async def _restart(self, session: Session) -> None:
        self._waha.lifecycle.stop(session)
        self._waha.lifecycle.start(session)

    def _by_body(self, handler: Any) -> Any:
        async def named(request: Request) -> Response:
            name = json_object(request).get("name")
            if not name:
                raise BadInputError("name should not be empty")
            request.params = {"session": str(name)}
            response: Response = await handler(request)
            return response

        return named


def _config(body: dict[str, Any]) -> dict[str, Any] | None:
    config = body.get("config")
    if config is None:
        return None
    if not isinstance(config, dict):
        raise BadInputError("config must be an object")
    for webhook in config.get("webhooks") or ():
        url = webhook.get("url") if isinstance(webhook, dict) else None
        if not str(url).startswith(("http://", "https://")):
            message = ["config.webhooks.0.url must be a URL address"]
            raise HttpError(400, nest(400, message, "Bad Request"))
    return config
