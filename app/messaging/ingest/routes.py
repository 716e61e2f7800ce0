"""The webhook doors as plain ASGI: ``/webhooks/waha/{channel_key}`` and the shared endpoint.

They stand outside the framework's routing on purpose: a Litestar handler costs more than all
the work done here, its mounts match prefixes, and its redirects would lose messages (WAHA
turns a 301–303 into a GET and takes the 200). The answers are a fixed contract:

200 accepted, duplicate, ignored · 400 not a UTF-8 JSON object (after a good signature) ·
401 signature · 404 unknown · 405 · 413 over 1 MiB · 415 compressed · 429 · 503 not durable.
"""

import asyncio
import hashlib
import logging
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

from prometheus_client import Counter

from app.channels.waha.parse import Head, parse_head, quick_head
from app.core import ids
from app.core.config import Settings
from app.core.db.away import is_away
from app.core.errors import UnavailableError
from app.core.json import NotAnObjectError, TooDeepError
from app.core.limits.policies import hook_bad
from app.core.limits.subjects import hash_address
from app.core.limits.types import Check, Limiter
from app.core.observability.context import assign, bind
from app.core.observability.metrics import WEBHOOKS
from app.core.observability.sentry import capture
from app.core.signing import verify_hmac_sha512
from app.http.client import client_address, first_headers, request_id, request_id_of
from app.http.replies import Answer, DirectRequest, Reply
from app.http.webhooks import Refused, accepted, problem, read_body, send_reply
from app.messaging.ingest.group_commit import GroupCommit, Receipt
from app.messaging.ingest.storing import Delivery
from tenants.channels import ChannelDirectory, ChannelDoor

log = logging.getLogger(__name__)

Headers = Mapping[bytes, bytes]

CHANNEL_MOUNT = "/webhooks/waha"
_CHANNEL_DOORS = f"{CHANNEL_MOUNT}/".encode()
SHARED_PATH = "/api/webhooks/whatsapp"
_KEY_BYTES = 16
# Bodies that the fast decoder does not read: what is small is read at once.
_ODD_AT_ONCE_BYTES = 8 << 10
_ODD_BYTES_MAX = 32 << 20
_UNREADABLE = Head("unknown", None, None)


class _Signed(NamedTuple):
    """A request whose signature holds."""

    door: ChannelDoor
    head: Head
    raw: bytes


class WebhookDoor:
    """Both WAHA doors. Call ``channel_app`` and ``shared_app`` as ASGI applications."""

    def __init__(
        self,
        settings: Settings,
        directory: ChannelDirectory,
        limiter: Limiter,
        ingest: GroupCommit,
    ) -> None:
        self._settings = settings
        self._directory = directory
        self._limiter = limiter
        self._ingest = ingest
        self._odd = asyncio.Semaphore(1)
        self._odd_bytes = 0
        self._bad = hook_bad(settings.limits)
        self._subject_key = settings.secret_keys[0] if settings.secret_keys else "unset"

    async def channel_app(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer ``/webhooks/waha/{channel_key}``: one number's own URL and secret."""
        await self._answer(scope, receive, send, shared=False)

    async def shared_app(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer ``/api/webhooks/whatsapp``: the number is found by the body's session."""
        await self._answer(scope, receive, send, shared=True)

    async def _answer(self, scope: Any, receive: Any, send: Any, *, shared: bool) -> None:
        if scope["type"] != "http":
            return
        rid = request_id(scope, self._settings.trusted_proxies)
        # For as long as the request's own task lasts.
        assign(request_id=rid)
        try:
            outcome = await self._handle(scope, receive, rid, shared=shared)
        except Exception as error:  # noqa: BLE001 - told and reported below
            # Nobody stands around the door: what the framework does for its handlers.
            reply = _failed(error, rid)
        else:
            reply = _done(outcome, rid)
        await send_reply(send, reply)

    def take(self, request: DirectRequest, answer: Answer) -> bool:
        """Take a number's event that needs no look-up and no refusal, without a task of its own.

        Answers when it is durable. Whatever is not plainly good is left to ``channel_app``, which
        says what is wrong with it.
        """
        named = request.headers
        door = self._directory.known(request.target[len(_CHANNEL_DOORS) :].decode("latin-1"))
        if door is None or not _signature_holds(named, door.webhook_secret, request.body):
            return False
        head = quick_head(request.body)
        if head is None:
            return False
        if head.session not in {None, door.session}:
            return False
        rid = request_id_of(request.client, named, self._settings.trusted_proxies)

        def settle(found: Receipt | Exception) -> None:
            if isinstance(found, Receipt) and found.refusal is None:
                answer(_done("accepted" if found.fresh else "duplicate", rid))
                return
            with bind(request_id=rid):
                answer(_failed(found if isinstance(found, Exception) else _too_fast(found), rid))

        try:
            self._ingest.enqueue(_delivery(_Signed(door, head, request.body), rid), settle)
        except UnavailableError:
            return False
        return True

    async def _handle(self, scope: Any, receive: Any, rid: str, *, shared: bool) -> str:
        if scope["method"] != "POST":
            raise Refused(405, "method", "Only POST is answered here.", {"Allow": "POST"})
        key = None if shared else _channel_key(scope)
        headers = first_headers(scope)
        raw = await read_body(headers, receive)
        signed = await (
            self._open_shared(scope, headers, raw)
            if key is None
            else self._open_channel(scope, headers, key, raw)
        )
        if not shared and signed.head.session not in {None, signed.door.session}:
            log.info("webhook of another session", extra={"webhook": "waha", "event": "verified"})
            return "ignored"
        return await self._store(signed, rid)

    async def _open_channel(self, scope: Any, headers: Headers, key: str, raw: bytes) -> _Signed:
        door = await self._find(self._directory.by_key(key))
        if door is None:
            raise await self._bad_request(scope, 404, "unknown_channel")
        if not _signature_holds(headers, door.webhook_secret, raw):
            raise await self._bad_request(scope, 401, "invalid_signature")
        return _Signed(door, await self._read_head(raw), raw)

    async def _open_shared(self, scope: Any, headers: Headers, raw: bytes) -> _Signed:
        if not _signature_holds(headers, self._settings.waha_webhook_secret, raw):
            raise await self._bad_request(scope, 401, "invalid_signature")
        head = await self._read_head(raw)
        door = await self._find(self._directory.by_session(head.session or ""))
        if door is None:
            raise Refused(404, "unknown_channel", "No number is connected under this session.")
        return _Signed(door, head, raw)

    async def _read_head(self, raw: bytes) -> Head:
        head = quick_head(raw)
        if head is not None:
            return head
        if self._odd_bytes + len(raw) > _ODD_BYTES_MAX:
            raise UnavailableError("too many odd bodies wait to be read", retry_after_s=1)
        self._odd_bytes += len(raw)
        try:
            if len(raw) <= _ODD_AT_ONCE_BYTES:
                return parse_head(raw)
            # One at a time beside the loop: a megabyte of brackets takes a second.
            async with self._odd:
                return await asyncio.to_thread(parse_head, raw)
        except TooDeepError:
            return _UNREADABLE  # an object all the same: stored, and ignored when it is read
        except NotAnObjectError as error:
            raise Refused(400, "malformed", str(error)) from None
        finally:
            self._odd_bytes -= len(raw)

    async def _find(self, look_up: Any) -> ChannelDoor | None:
        try:
            found: ChannelDoor | None = await look_up
        except UnavailableError:
            raise
        except Exception as error:
            if is_away(error):  # which each answer tells; no line of its own for every request
                raise UnavailableError("the database is away") from error
            log.exception("channel look-up failed", extra={"errorType": type(error).__name__})
            raise UnavailableError("the number could not be looked up") from error
        return found

    async def _bad_request(self, scope: Any, status: int, code: str) -> Refused:
        """Count an unsigned or unknown request against its address; 429 when there are many."""
        address = client_address(scope, self._settings.trusted_proxies)
        check = Check(self._bad, hash_address(self._subject_key, address))
        verdict = await self._limiter.decide([check])
        if not verdict.allowed:
            _tell_security("rate_limit")
            return Refused(
                429, "rate_limit", "Too many unsigned or unknown requests.", verdict.headers()
            )
        if status == 404:  # noqa: PLR2004
            return Refused(404, code, "There is nothing here.")
        _tell_security("invalid_signature")
        return Refused(status, code, "X-Webhook-Hmac is missing or does not fit the body.")

    async def _store(self, signed: _Signed, rid: str) -> str:
        receipt = await self._ingest.submit(_delivery(signed, rid))
        if receipt.refusal is not None:
            raise _too_fast(receipt)
        return "accepted" if receipt.fresh else "duplicate"


def _delivery(signed: _Signed, rid: str) -> Delivery:
    door, head = signed.door, signed.head
    return Delivery(
        tenant_id=door.tenant_id,
        channel_id=door.channel_id,
        key=event_key(head, signed.raw),
        inbox_id=ids.uuid7(),
        event=head.event,
        body=signed.raw,
        request_id=rid,
        hook_per_min=door.hook_per_min,
        hook_burst=door.hook_burst,
    )


def _too_fast(receipt: Receipt) -> Refused:
    _tell_security("rate_limit")
    headers = receipt.refusal.headers() if receipt.refusal is not None else {}
    return Refused(429, "rate_limit", "This number sends too fast.", headers)


def _done(outcome: str, rid: str) -> Reply:
    _count(outcome)
    return accepted(outcome, rid)


def _failed(error: Exception, rid: str) -> Reply:
    """Answer for what ended a request; call it while the error is being handled."""
    if isinstance(error, Refused):
        refused = error
    elif isinstance(error, UnavailableError):
        log.warning("webhook not durable", extra={"webhook": "waha", "event": "failed"})
        after = {"Retry-After": str(max(1, round(error.retry_after_s)))}
        refused = Refused(503, "unavailable", "Not stored; please send it again.", after)
    else:
        log.error("unexpected error", exc_info=error, extra={"errorType": type(error).__name__})
        capture(error)
        refused = Refused(500, "internal", "Something went wrong on our side.")
    _count(refused.code)
    return problem(refused, rid)


def event_key(head: Head, raw: bytes) -> bytes:
    """Return what makes an event one event: (event, body id), or the body where it has no id."""
    if head.body_id:
        name = f"{head.event}\0{head.body_id}".encode("utf-8", "surrogatepass")
    else:
        name = b"\0body\0" + raw
    return hashlib.sha256(name).digest()[:_KEY_BYTES]


def _channel_key(scope: Any) -> str:
    """Take the one path segment behind the mount; a slash at the end is the same place."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    path, _, _ = raw.partition(b"?")
    key = path.removeprefix(_CHANNEL_DOORS).removesuffix(b"/")
    if not path.startswith(_CHANNEL_DOORS) or not key or b"/" in key:
        raise Refused(404, "unknown_channel", "There is nothing here.")
    return key.decode("latin-1")


def _signature_holds(headers: Headers, secret: str, raw: bytes) -> bool:
    if headers.get(b"x-webhook-hmac-algorithm", b"sha512").rstrip() != b"sha512":
        return False
    # The parser leaves blanks behind a value, which HTTP does not count as part of it.
    signature = headers.get(b"x-webhook-hmac", b"").rstrip()
    return verify_hmac_sha512(secret, raw, signature.decode("latin-1"))


@cache
def _counter(outcome: str) -> Counter:
    return WEBHOOKS.labels("waha", outcome)


def _count(outcome: str) -> None:
    _counter(outcome).inc()


def _tell_security(action: str) -> None:
    log.warning(
        "webhook refused", extra={"webhook": "waha", "security": "webhook", "action": action}
    )
