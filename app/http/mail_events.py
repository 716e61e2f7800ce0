"""The door for Resend's webhooks: ``POST /webhooks/resend``.

200 recorded, duplicate or ignored · 400 signature, or not an event · 413 over 64 KiB · 429 many
unsigned requests of one address · 503 not durable, or its mail is not known yet: Resend sends
again. The event is recorded before it is answered; there is nothing else to do about it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from litestar import Request, Response, post

from app.core.config import Settings
from app.core.db.away import is_away
from app.core.db.engine import Database
from app.core.errors import RefusedError, TooManyAttemptsError, UnavailableError
from app.core.limits.policies import hook_bad
from app.core.limits.subjects import hash_address
from app.core.limits.types import Check, Limiter
from app.core.mail import feedback
from app.core.mail.blocks import MailBlocks
from app.core.observability.metrics import WEBHOOKS
from app.http.client import client_address

log = logging.getLogger(__name__)

PATH = "/webhooks/resend"
BODY_BYTES_MAX = 64 << 10
_STORE_S = 10.0
Tools = tuple[Database, Limiter]


def mail_events(settings: Settings, tools: Callable[[], Awaitable[Tools]]) -> Any:
    """Return the handler.

    Args:
        settings: the secret that signs events.
        tools: the database and the limiter, once they are there.
    """
    bad = hook_bad(settings.limits)
    blocks = MailBlocks(settings.secret_keys)

    @post(PATH, status_code=200, request_max_body_size=BODY_BYTES_MAX, summary="Resend's events")
    async def told(request: Request[Any, Any, Any]) -> Response[dict[str, str]]:
        database, limiter = await tools()
        raw = await request.body()
        names = ("svix-id", "svix-timestamp", "svix-signature")
        signature = {name: request.headers.get(name, "") for name in names}
        secret = settings.resend_webhook_secret
        # Off the loop: the first call imports the library.
        if not await asyncio.to_thread(feedback.is_signed, raw, signature, secret):
            raise await _unsigned(request, limiter)
        outcome = await _record(database, feedback.read_event(raw))
        WEBHOOKS.labels("resend", outcome).inc()
        if outcome == "later":
            raise UnavailableError("The mail is not known yet; please send it again.")
        log.info("webhook stored", extra={"webhook": "resend", "outcome": outcome})
        return Response({"status": outcome}, headers={"Cache-Control": "no-store"})

    async def _unsigned(
        request: Request[Any, Any, Any], limiter: Limiter
    ) -> RefusedError | TooManyAttemptsError:
        """Count an unsigned request against its address; too many are another answer."""
        address = client_address(request.scope, settings.trusted_proxies)
        subject = hash_address(settings.secret_key or "unset", address)
        verdict = await limiter.decide([Check(bad, subject)])
        action = "invalid_signature" if verdict.allowed else "rate_limit"
        WEBHOOKS.labels("resend", action).inc()
        extra = {"webhook": "resend", "security": "webhook", "action": action}
        log.warning("webhook refused", extra=extra)
        if verdict.allowed:
            return RefusedError("The signature is missing, old or does not fit.")
        return TooManyAttemptsError(
            "Too many unsigned requests.", retry_after_s=verdict.retry_after_s
        )

    async def _record(database: Database, event: feedback.MailEvent) -> str:
        try:
            async with asyncio.timeout(_STORE_S), database.system() as connection:
                return await feedback.record(connection, event, blocks)
        except Exception as error:
            if not isinstance(error, UnavailableError | TimeoutError) and not is_away(error):
                raise
            raise UnavailableError("Not stored; please send it again.") from None

    return told
