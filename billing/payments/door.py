"""The door for Stripe's webhooks, plain ASGI: ``POST /webhooks/stripe``.

200 accepted, duplicate or ignored (a kind that means nothing here) · 400 signature, or not an
event · 405 · 413 over 1 MiB · 429 many unsigned requests of one address · 503 not durable,
Stripe sends again. An event is stored before it is answered; a worker does the rest.
"""

import asyncio
import logging
from typing import Any

import msgspec

from app.core.config import Settings
from app.core.db.away import is_away
from app.core.db.engine import Database
from app.core.errors import UnavailableError
from app.core.limits.policies import hook_bad
from app.core.limits.subjects import hash_address
from app.core.limits.types import Check, Limiter
from app.core.observability.context import bind
from app.core.observability.metrics import WEBHOOKS
from app.core.observability.sentry import capture
from app.core.ports import Doorbell
from app.http.client import client_address, first_headers, request_id
from app.http.webhooks import Refused, accepted, problem, read_body, send_reply
from billing.payments.events import QUEUE, store
from billing.payments.stripe_api import verify_event

log = logging.getLogger(__name__)

PATH = "/webhooks/stripe"
_STORE_S = 10.0
_RETRY_AFTER_S = 5
_NAME_CHARS_MAX = 255


class _Object(msgspec.Struct):
    id: str = ""


class _Data(msgspec.Struct):
    object: _Object


class _Event(msgspec.Struct):
    """What is read of an event; everything else is read again from Stripe."""

    id: str
    type: str
    data: _Data


class StripeDoor:
    """Takes events: signature over the raw bytes, row, answer, bell."""

    def __init__(
        self, settings: Settings, database: Database, doorbell: Doorbell, limiter: Limiter
    ) -> None:
        self._settings = settings
        self._database = database
        self._doorbell = doorbell
        self._limiter = limiter
        self._bad = hook_bad(settings.limits)
        self._subject_key = settings.secret_keys[0] if settings.secret_keys else "unset"

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request as an ASGI application."""
        if scope["type"] != "http":
            return
        rid = request_id(scope, self._settings.trusted_proxies)
        with bind(request_id=rid):
            try:
                outcome = await self._take(scope, receive, rid)
            except Refused as refused:
                WEBHOOKS.labels("stripe", refused.code).inc()
                reply = problem(refused, rid)
            except Exception as error:
                # Nobody stands around the door: what the framework does for its handlers.
                WEBHOOKS.labels("stripe", "internal").inc()
                log.exception("unexpected error", extra={"errorType": type(error).__name__})
                capture(error)
                broken = Refused(500, "internal", "Something went wrong on our side.")
                reply = problem(broken, rid)
            else:
                WEBHOOKS.labels("stripe", outcome).inc()
                reply = accepted(outcome, rid)
        await send_reply(send, reply)

    async def _take(self, scope: Any, receive: Any, rid: str) -> str:
        if scope["method"] != "POST":
            raise Refused(405, "method", "Only POST is answered here.", {"Allow": "POST"})
        headers = first_headers(scope)
        raw = await read_body(headers, receive)
        signature = headers.get(b"stripe-signature", b"").decode("latin-1")
        secret = self._settings.stripe_webhook_secret
        # Off the loop: the first call imports the library.
        if not await asyncio.to_thread(verify_event, raw, signature, secret):
            raise await self._unsigned(scope)
        event = _read_event(raw)
        outcome = await self._store(event, rid)
        log.info(
            "webhook stored",
            extra={
                "webhook": "stripe",
                "event": "received",
                "outcome": outcome,
                "kind": event.type,
            },
        )
        if outcome == "accepted":
            await self._doorbell.ring(QUEUE)
        return outcome

    async def _unsigned(self, scope: Any) -> Refused:
        """Count an unsigned request against its address; 429 when there are many."""
        address = client_address(scope, self._settings.trusted_proxies)
        check = Check(self._bad, hash_address(self._subject_key, address))
        verdict = await self._limiter.decide([check])
        action = "invalid_signature" if verdict.allowed else "rate_limit"
        log.warning(
            "webhook refused",
            extra={"webhook": "stripe", "security": "webhook", "action": action},
        )
        if not verdict.allowed:
            return Refused(429, action, "Too many unsigned requests.", verdict.headers())
        return Refused(400, action, "Stripe-Signature is missing, old or does not fit.")

    async def _store(self, event: _Event, rid: str) -> str:
        try:
            async with asyncio.timeout(_STORE_S):
                return await store(
                    self._database,
                    event_id=event.id,
                    kind=event.type,
                    object_ref=event.data.object.id,
                    request_id=rid,
                )
        except Exception as error:
            if not isinstance(error, UnavailableError | TimeoutError) and not is_away(error):
                raise
            log.warning("webhook not durable", extra={"webhook": "stripe", "event": "failed"})
            raise Refused(
                503,
                "unavailable",
                "Not stored; please send it again.",
                {"Retry-After": str(_RETRY_AFTER_S)},
            ) from None


def _read_event(raw: bytes) -> _Event:
    try:
        event = msgspec.json.decode(raw, type=_Event)
    except msgspec.DecodeError:
        raise Refused(400, "malformed", "The body is not an event of Stripe's.") from None
    names = (event.id, event.type, event.data.object.id)
    if not event.id or any(len(name) > _NAME_CHARS_MAX or "\0" in name for name in names):
        raise Refused(400, "malformed", "The body is not an event of Stripe's.")
    return event
