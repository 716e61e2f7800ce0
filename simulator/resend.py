"""Resend: takes e-mails and keeps them in a mailbox to look at."""

import uuid
from collections import deque
from typing import Any

import msgspec

from simulator.clock import now_ms
from simulator.http import HttpError, Request, Response, Router, json_response
from simulator.live import LiveUpdates
from simulator.resend_events import ResendEvents

EMAILS_MAX = 5_000
BATCH_MAX = 100
_REQUIRED = ("from", "to", "subject")


def _error(status: int, name: str, message: str) -> HttpError:
    return HttpError(status, {"statusCode": status, "name": name, "message": message})


class Resend:
    """Answers `/emails` and `/emails/batch`; an idempotency key sends once."""

    def __init__(self, live: LiveUpdates, events: ResendEvents) -> None:
        self._live = live
        self.events = events
        self._emails: deque[dict[str, Any]] = deque(maxlen=EMAILS_MAX)
        self._answers: dict[str, Any] = {}
        self._router = Router()
        self._router.add("POST", "/emails", self.send)
        self._router.add("POST", "/emails/batch", self.send_batch)
        self._router.add("GET", "/emails/{id}", self.read)
        self._router.add("GET", "/domains", self.domains)

    async def handle(self, request: Request) -> Response:
        """Answer one call, errors in Resend's shape."""
        try:
            if not request.bearer():
                raise _error(401, "missing_api_key", "Missing API Key")
            handler, known = self._router.find(request)
            if handler is None:
                status = 405 if known else 404
                raise _error(status, "not_found", "The requested endpoint does not exist")
            return await handler(request)
        except HttpError as error:
            return error.response()

    def emails(self) -> list[dict[str, Any]]:
        """The mailbox, oldest first."""
        return list(self._emails)

    def find(self, email_id: str) -> dict[str, Any] | None:
        """One e-mail."""
        return next((mail for mail in self._emails if mail["id"] == email_id), None)

    def forget(self) -> int:
        """Empty the mailbox; returns how many e-mails there were."""
        gone = len(self._emails)
        self._emails.clear()
        self._answers.clear()
        self.events.forget()
        self._live.publish("email")
        return gone

    async def send(self, request: Request) -> Response:
        """Take one e-mail."""
        return self._once(request, lambda: {"id": self._take(_json(request))})

    async def send_batch(self, request: Request) -> Response:
        """Take up to 100 e-mails."""
        batch = _json(request)
        if not isinstance(batch, list) or not 0 < len(batch) <= BATCH_MAX:
            raise _error(422, "validation_error", f"The batch must have 1 to {BATCH_MAX} emails")
        for mail in batch:
            _check(mail)
        return self._once(request, lambda: {"data": [{"id": self._take(mail)} for mail in batch]})

    async def read(self, request: Request) -> Response:
        """One e-mail as Resend keeps it."""
        mail = self.find(request.params["id"])
        if mail is None:
            raise _error(404, "not_found", "Email not found")
        return json_response({"object": "email", **mail, "last_event": mail["outcome"]})

    async def domains(self, _: Request) -> Response:
        """No domains of its own; a way to see that the key works."""
        return json_response({"object": "list", "has_more": False, "data": []})

    def _once(self, request: Request, act: Any) -> Response:
        key = request.headers.get("idempotency-key")
        if key and key in self._answers:
            return json_response(self._answers[key])
        answer = act()
        if key:
            self._answers[key] = answer
        return json_response(answer)

    def _take(self, mail: Any) -> str:
        _check(mail)
        email_id = str(uuid.uuid4())
        taken = {
            "id": email_id,
            "to": mail["to"] if isinstance(mail["to"], list) else [mail["to"]],
            "from": mail["from"],
            "subject": mail["subject"],
            "text": mail.get("text"),
            "html": mail.get("html"),
            "at_ms": now_ms(),
            "headers": mail.get("headers") or {},
            "tags": mail.get("tags") or [],
            "outcome": "sent",
        }
        self._emails.append(taken)
        self.events.sent(taken)
        self._live.publish("email")
        return email_id


def _json(request: Request) -> Any:
    try:
        return request.json()
    except msgspec.DecodeError as exc:
        raise _error(400, "validation_error", "The body is not JSON") from exc


def _check(mail: Any) -> None:
    if not isinstance(mail, dict):
        raise _error(422, "validation_error", "An email must be an object")
    for name in _REQUIRED:
        if not mail.get(name):
            raise _error(422, "missing_required_field", f"Missing `{name}` field.")
    if not (mail.get("html") or mail.get("text")):
        raise _error(422, "missing_required_field", "Missing `html` or `text` field.")
